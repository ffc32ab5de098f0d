"""Taking due work: one short transaction, SKIP LOCKED, a lease. Any number of workers may do it at once."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import datetime

from django.db import connection

from bridge.kernel import bulk, clock, columns
from bridge.kernel.transactions import retried, unit_of_work
from transfers.policy import standing
from transfers.states import Step

# The table is empty most of the time, and whoever counts it then (autovacuum, ANALYZE) tells the planner to expect one
# row. With a join it would go through all due rows once for each due row: seconds for a burst of 2,000. So nothing is
# joined here: a subquery that is asked per row with its index, and an array of keys.

# Only the first approved transfer of an account, and only while no withdrawal of that account waits for its answer.
# A row that another worker has in hand still stands there and keeps its followers back.
_FIRST_OF_ITS_ACCOUNT = """
    AND (
        SELECT e.transfer_id FROM transfers_work AS e
        WHERE e.account_id = w.account_id
        AND (e.step = 'ask_withdrawal' OR (e.step = 'withdraw' AND e.account_seq < w.account_seq))
        LIMIT 1
    ) IS NULL
"""

_CLAIM = """
    WITH due AS (
        SELECT w.transfer_id FROM transfers_work AS w
        WHERE w.step = %s AND w.due_at <= %s AND (w.lease_until IS NULL OR w.lease_until < %s) {order}
        ORDER BY w.due_at, w.transfer_id LIMIT %s FOR UPDATE SKIP LOCKED
    )
    , mine AS (
        UPDATE transfers_work SET lease_until = %s WHERE transfer_id = ANY(ARRAY(SELECT transfer_id FROM due))
        RETURNING transfer_id
    )
    SELECT transfer_id FROM mine ORDER BY transfer_id
"""

_OVERDUE = """
    SELECT w.transfer_id FROM transfers_work AS w JOIN transfers_transfer AS t ON t.id = w.transfer_id
    WHERE w.step IN ('decide', 'promote', 'withdraw', 'blocked') AND t.expires_at <= %s
    AND t.state IN ('in_review', 'waitlisted', 'approved') AND t.blocker_code <> 'engine_fault'
    ORDER BY w.transfer_id LIMIT %s
"""


_DUE = """
    SELECT s.step FROM unnest(%s::text[]) AS s (step) WHERE EXISTS (
        SELECT 1 FROM transfers_work AS w
        WHERE w.step = s.step AND w.due_at <= %s AND (w.lease_until IS NULL OR w.lease_until < %s)
    )
"""


def due(steps: Iterable[Step]) -> set[str]:
    """Those of these steps for which anything is due: one question for all of them, without locks."""
    moment = clock.now()
    return {row[0] for row in bulk.execute(_DUE, [columns.texts([str(step) for step in steps]), moment, moment])}


@retried
def claim(step: Step, *, limit: int) -> list[uuid.UUID]:
    """Up to `limit` transfers whose next step this is and is due, leased to the caller, in the order of their ids."""
    with unit_of_work() as moment:
        order = _FIRST_OF_ITS_ACCOUNT if step == Step.WITHDRAW else ""
        lease = standing().after(moment, "lease")
        with connection.cursor() as cursor:  # planned anew each time, by how many are due and how many are wanted
            cursor.execute(_CLAIM.format(order=order), [str(step), moment, moment, limit, lease])
            return [row[0] for row in cursor.fetchall()]


def overdue(*, moment: datetime, limit: int) -> list[uuid.UUID]:
    """Transfers whose reservation, review or waitlist time is over, but those at which the engine failed."""
    with connection.cursor() as cursor:
        cursor.execute(_OVERDUE, [moment, limit])
        return [row[0] for row in cursor.fetchall()]


def funds_with_room() -> list[uuid.UUID]:
    """Funds that somebody waits for and that are not full."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT t.fund_id FROM transfers_work AS w JOIN transfers_transfer AS t ON t.id = w.transfer_id "
            "JOIN funds_fundcapacity AS c ON c.fund_id = t.fund_id "
            "WHERE w.step = 'promote' AND (c.seat_limit IS NULL OR c.seats_taken < c.seat_limit OR EXISTS ("
            " SELECT 1 FROM funds_allocation AS a WHERE a.fund_id = t.fund_id AND a.investor_id = t.investor_id"
            " AND a.reserved + a.confirmed > 0)) "
            "AND (c.hard_cap IS NULL OR c.reserved + c.confirmed + t.amount <= c.hard_cap)"
        )
        return sorted(row[0] for row in cursor.fetchall())
