"""What investors asked for and sent before, summed for the rules; one statement per batch."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import connection

from bridge.kernel import binary, bulk, ids
from funds.rules.compliance import VelocityFacts

WINDOW = timedelta(hours=24)

# Per request, in its order: its duplicates, and the account's first transfer that is about to be withdrawn.
_EARLIER = """
    SELECT d.alike, d.latest, w.first_seq
    FROM unnest(%s::uuid[], %s::uuid[], %s::bigint[]) WITH ORDINALITY AS u(account_id, fund_id, amount, n)
    CROSS JOIN LATERAL (
        SELECT count(*) AS alike, (array_agg(t.id ORDER BY t.id DESC))[1] AS latest FROM transfers_transfer AS t
        WHERE t.source_account_id = u.account_id AND t.fund_id = u.fund_id
            AND t.amount = u.amount AND t.created_at > %s
            AND t.state NOT IN ('rejected', 'cancelled', 'expired', 'failed') AND t.split_from_id IS NULL
    ) AS d
    CROSS JOIN LATERAL (
        SELECT min(w.account_seq) AS first_seq FROM transfers_work AS w
        WHERE w.account_id = u.account_id AND w.step IN ('withdraw', 'ask_withdrawal')
    ) AS w
    ORDER BY u.n
"""


class Earlier(NamedTuple):
    """What an account has asked for before: how many alike, the latest of them, and the first in its order that is
    about to be withdrawn or waits for its answer (None: none)."""

    alike: int
    latest: str
    first_seq: int | None


def look_back(wanted: Sequence[tuple[uuid.UUID, uuid.UUID, int]], *, at: datetime) -> list[Earlier]:
    """For each (account, fund, amount) what came before it; alike are those of the last 24 hours that did not come to
    nothing."""
    if not wanted:
        return []
    accounts, funds, amounts = zip(*wanted, strict=True)
    found = bulk.execute(
        _EARLIER, [binary.uuids(accounts), binary.uuids(funds), binary.any_of(list(amounts)), at - WINDOW]
    )
    return [
        Earlier(alike, ids.encode("transfer", latest) if latest else "", first_seq)
        for alike, latest, first_seq in found.fetchall()
    ]


_VELOCITY = """
    SELECT investor_id, currency,
        count(*) FILTER (WHERE created_at > %(day)s), sum(amount) FILTER (WHERE created_at > %(day)s),
        count(*) FILTER (WHERE created_at > %(week)s), sum(amount) FILTER (WHERE created_at > %(week)s),
        count(*), sum(amount)
    FROM transfers_transfer
    WHERE source_account_id IN (SELECT id FROM accounts_investoraccount WHERE investor_id = ANY(%(investors)s::uuid[]))
        AND created_at > %(month)s AND id <> ALL(%(besides)s::uuid[])
        AND state NOT IN ('rejected', 'cancelled', 'expired', 'failed') AND split_from_id IS NULL
    GROUP BY investor_id, currency
"""


def velocities(
    investor_ids: Iterable[uuid.UUID], *, at: datetime, besides: Iterable[uuid.UUID] = ()
) -> dict[tuple[uuid.UUID, str], VelocityFacts]:
    """How often and how much each investor asked for in the last day, week and thirty days; `besides` do not count."""
    with connection.cursor() as cursor:
        cursor.execute(
            _VELOCITY,
            {
                "investors": list(investor_ids),
                "besides": list(besides),
                "day": at - timedelta(days=1),
                "week": at - timedelta(days=7),
                "month": at - timedelta(days=30),
            },
        )
        return {
            (investor, currency): VelocityFacts(*(int(number or 0) for number in numbers))
            for investor, currency, *numbers in cursor.fetchall()
        }


# What has arrived is confirmed in the place, what is on its way has work. Neither grows with history. What goes back,
# or waits for people who may send it back, is not on its way.
_ARRIVED = """
    WITH wanted AS MATERIALIZED (
        SELECT DISTINCT fund_id, investor_id FROM transfers_transfer WHERE id = ANY(%s::uuid[])
    )
    SELECT fund_id, investor_id, sum(amount)::bigint FROM (
        SELECT fund_id, investor_id, confirmed AS amount FROM wanted JOIN funds_allocation USING (fund_id, investor_id)
        UNION ALL
        SELECT fund_id, investor_id, t.amount FROM wanted
        JOIN accounts_investoraccount AS a USING (investor_id)
        JOIN transfers_work AS w ON w.account_id = a.id
        JOIN transfers_transfer AS t USING (fund_id, investor_id)
        WHERE t.id = w.transfer_id AND (t.state = 'depositing' OR t.state = 'withdrawn' AND t.next_step = 'deposit')
    ) AS part GROUP BY fund_id, investor_id
"""


def arrived(transfer_ids: Iterable[uuid.UUID]) -> dict[tuple[uuid.UUID, uuid.UUID], int]:
    """What has left the investors of these transfers for their funds: about to be deposited, on its way, or there.
    Minor units, per (fund, investor)."""
    found = bulk.execute(_ARRIVED, [binary.uuids(transfer_ids)])
    return {(fund, investor): total for fund, investor, total in found.fetchall()}


_RAISED = """
    SELECT c.fund_id, c.confirmed + coalesce(sum(t.amount), 0)::bigint
    FROM funds_fundcapacity AS c LEFT JOIN (
        transfers_work AS w JOIN transfers_transfer AS t ON t.id = w.transfer_id
    ) ON t.fund_id = c.fund_id AND (t.state = 'depositing' OR t.state = 'withdrawn' AND t.next_step = 'deposit')
    WHERE c.fund_id = ANY(%s::uuid[]) GROUP BY c.fund_id
"""


def raised(fund_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    """What has come in for each fund: at the fund, on its way there, or in clearing to be deposited. Minor units.

    What goes back, and what waits for people to say whether it does, is not raised. Source: 17 CFR § 240.15c2-4.
    """
    return dict(bulk.execute(_RAISED, [binary.uuids(fund_ids)]).fetchall())
