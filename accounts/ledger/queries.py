"""Where money is, asked of the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db import connection
from django.db.models import QuerySet, Sum

from accounts.ledger.kinds import BRIDGE_KINDS, Kind
from accounts.ledger.models import Entry, LedgerAccount


def by_transfer(transfer_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, dict[Kind, int]]:
    """What each transfer has in each kind of account, in minor units; kinds with nothing in them are left out.

    An investor's and a fund's cash are told apart by their sign only: use it for money on the bridge.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.transfer_id, a.kind, sum(e.amount)::bigint FROM ledger_entry AS e "
            "JOIN ledger_ledgeraccount AS a ON a.id = e.account_id "
            "WHERE e.transfer_id = ANY(%s::uuid[]) GROUP BY 1, 2 HAVING sum(e.amount) <> 0",
            [list(transfer_ids)],
        )
        found: dict[uuid.UUID, dict[Kind, int]] = {}
        for transfer_id, kind, amount in cursor.fetchall():
            found.setdefault(transfer_id, {})[Kind(kind)] = amount
    return found


def at_the_fund(transfer_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, int]:
    """What each transfer has in its fund's cash, in minor units; those with nothing there are left out.

    A fund's cash is told from an investor's by its owner, who also has a deposit in transit.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.transfer_id, sum(e.amount)::bigint FROM ledger_entry AS e "
            "JOIN ledger_ledgeraccount AS a ON a.id = e.account_id "
            "WHERE e.transfer_id = ANY(%s::uuid[]) AND a.kind = 'cash' AND EXISTS ("
            " SELECT 1 FROM ledger_ledgeraccount AS f WHERE f.owner_id = a.owner_id AND f.currency = a.currency"
            " AND f.kind = 'deposit_in_transit') "
            "GROUP BY 1 HAVING sum(e.amount) <> 0",
            [list(transfer_ids)],
        )
        return dict(cursor.fetchall())


def money_on_the_bridge() -> dict[str, int]:
    """Per currency what has left investors and not reached funds or investors again; zero currencies left out."""
    rows = (
        LedgerAccount.objects.filter(kind__in=[str(kind) for kind in BRIDGE_KINDS])
        .values_list("currency")
        .annotate(total=Sum("balance"))
        .exclude(total=0)
    )
    return dict(rows)


def balance(*, owner_id: uuid.UUID | None, kind: Kind, currency: str) -> int:
    """The balance of one account, 0 where it was never opened."""
    found = LedgerAccount.objects.filter(owner_id=owner_id, kind=kind, currency=currency).values_list("balance").first()
    return found[0] if found else 0


def entries_of(transfer_id: uuid.UUID) -> QuerySet[Entry]:
    """The entries of one transfer in the order in which they were written."""
    return Entry.objects.filter(transfer_id=transfer_id).select_related("posting", "account").order_by("id")
