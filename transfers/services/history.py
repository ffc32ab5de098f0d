"""What investors asked for and sent before, summed for the rules; one statement per batch."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from django.db import connection

from bridge.kernel import bulk, columns, ids
from funds.rules.compliance import VelocityFacts

WINDOW = timedelta(hours=24)

_DUPLICATES = """
    SELECT u.n, count(t.id), (array_agg(t.id ORDER BY t.id DESC))[1]
    FROM unnest(%s::int[], %s::uuid[], %s::uuid[], %s::bigint[]) AS u(n, account_id, fund_id, amount)
    JOIN transfers_transfer AS t ON t.source_account_id = u.account_id AND t.fund_id = u.fund_id
        AND t.amount = u.amount AND t.created_at > %s
        AND t.state NOT IN ('rejected', 'cancelled', 'expired', 'failed') AND t.split_from_id IS NULL
    GROUP BY u.n
"""


def find_duplicates(wanted: Sequence[tuple[uuid.UUID, uuid.UUID, int]], *, at: datetime) -> dict[int, tuple[int, str]]:
    """For each (account, fund, amount): how many like it in the last 24 hours that did not come to nothing."""
    with connection.cursor() as cursor:
        cursor.execute(
            _DUPLICATES,
            [
                list(range(len(wanted))),
                [row[0] for row in wanted],
                [row[1] for row in wanted],
                [row[2] for row in wanted],
                at - WINDOW,
            ],
        )
        return {number: (count, ids.encode("transfer", latest)) for number, count, latest in cursor.fetchall()}


_VELOCITY = """
    SELECT investor_id, currency,
        count(*) FILTER (WHERE created_at > %(day)s), sum(amount) FILTER (WHERE created_at > %(day)s),
        count(*) FILTER (WHERE created_at > %(week)s), sum(amount) FILTER (WHERE created_at > %(week)s),
        count(*), sum(amount)
    FROM transfers_transfer
    WHERE investor_id = ANY(%(investors)s::uuid[]) AND created_at > %(month)s AND id <> ALL(%(besides)s::uuid[])
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


def arrived(fund_ids: list[uuid.UUID], investor_ids: Iterable[uuid.UUID]) -> dict[tuple[uuid.UUID, uuid.UUID], int]:
    """Per (fund, investor) what has left the investor: in clearing for the fund, on its way, or there. Minor units."""
    found = bulk.execute(
        "SELECT fund_id, investor_id, sum(amount)::bigint FROM transfers_transfer "
        "WHERE investor_id = ANY(%s::uuid[]) AND fund_id = ANY(%s::uuid[]) "
        "AND state IN ('withdrawn', 'depositing', 'completed') GROUP BY 1, 2",
        [columns.uuids(investor_ids), columns.uuids(fund_ids)],
    )
    return {(fund, investor): total for fund, investor, total in found.fetchall()}


def raised(fund_ids: list[uuid.UUID]) -> dict[uuid.UUID, int]:
    """What has come in for each fund: at the fund, on its way there, or in clearing for it. Minor units."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT fund_id, sum(amount)::bigint FROM transfers_transfer WHERE fund_id = ANY(%s::uuid[]) "
            "AND state IN ('withdrawn', 'depositing', 'completed') GROUP BY fund_id",
            [fund_ids],
        )
        return dict(cursor.fetchall())
