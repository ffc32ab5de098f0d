"""Where money is, asked of the ledger."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from django.db import connection
from django.db.models import QuerySet, Sum

from accounts.ledger.kinds import BRIDGE_KINDS, Kind
from accounts.ledger.models import Entry, LedgerAccount, Posting
from accounts.ledger.rows import Draft, Line, Place


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


def at_funds(transfer_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, dict[uuid.UUID, int]]:
    """What each transfer has in the cash of which fund, in minor units; those with nothing anywhere are left out.

    A fund's cash is told from an investor's by its owner, who also has a deposit in transit.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.transfer_id, a.owner_id, sum(e.amount)::bigint FROM ledger_entry AS e "
            "JOIN ledger_ledgeraccount AS a ON a.id = e.account_id "
            "WHERE e.transfer_id = ANY(%s::uuid[]) AND a.kind = 'cash' AND EXISTS ("
            " SELECT 1 FROM ledger_ledgeraccount AS f WHERE f.owner_id = a.owner_id AND f.currency = a.currency"
            " AND f.kind = 'deposit_in_transit') "
            "GROUP BY 1, 2 HAVING sum(e.amount) <> 0",
            [list(transfer_ids)],
        )
        found: dict[uuid.UUID, dict[uuid.UUID, int]] = {}
        for transfer_id, fund_id, amount in cursor.fetchall():
            found.setdefault(transfer_id, {})[fund_id] = amount
        return found


@dataclass(slots=True)
class Whereabouts:
    """Where the money of one transfer is, in minor units. `advanced` is the firm's open claim, never below zero;
    `written_off` what of such claims the firm has given up. `at_fund` is what it has with funds, `at_funds` the same by
    fund: a transfer that was redirected may have money with its former fund, which settled late."""

    withdrawal_in_transit: int = 0
    clearing: int = 0
    deposit_in_transit: int = 0
    refund_in_transit: int = 0
    frozen: int = 0
    at_fund: int = 0
    at_funds: dict[uuid.UUID, int] = field(default_factory=dict)
    advanced: int = 0
    written_off: int = 0

    def came_to_fund(self, fund_id: uuid.UUID, amount: int) -> None:
        self.at_fund += amount
        self.at_funds[fund_id] = self.at_funds.get(fund_id, 0) + amount


def whereabouts(transfer_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Whereabouts]:
    """Where the money of each of these transfers is by its entries; one for every id, all zero where it has none."""
    found = {transfer_id: Whereabouts() for transfer_id in transfer_ids}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT e.transfer_id, a.kind, CASE WHEN a.kind = 'cash' THEN a.owner_id END, sum(e.amount)::bigint, "
            "coalesce(sum(e.amount) FILTER (WHERE 'A2' IN (p.row, o.row)), 0)::bigint "
            "FROM ledger_entry AS e JOIN ledger_ledgeraccount AS a ON a.id = e.account_id "
            "JOIN ledger_posting AS p ON p.id = e.posting_id LEFT JOIN ledger_posting AS o ON o.id = p.reverses_id "
            "WHERE e.transfer_id = ANY(%s::uuid[]) AND (a.kind IN ('withdrawal_in_transit', 'clearing', "
            "'deposit_in_transit', 'refund_in_transit', 'frozen', 'firm_advance') OR a.kind = 'cash' AND EXISTS ("
            " SELECT 1 FROM ledger_ledgeraccount AS f WHERE f.owner_id = a.owner_id AND f.currency = a.currency"
            " AND f.kind = 'deposit_in_transit')) GROUP BY 1, 2, 3",
            [list(found)],
        )
        for transfer_id, kind, fund_id, amount, written_off in cursor.fetchall():
            where = found[transfer_id]
            if kind == Kind.FIRM_ADVANCE:
                where.advanced, where.written_off = -amount, written_off
            elif kind == Kind.CASH:
                where.came_to_fund(fund_id, amount)
            else:
                setattr(where, kind, amount)
    return found


def ever_advanced(transfer_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """Those of these transfers for which the firm has ever advanced money, repaid or not."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT transfer_id FROM ledger_entry WHERE transfer_id = ANY(%s::uuid[]) AND account_id IN ("
            " SELECT id FROM ledger_ledgeraccount WHERE owner_id IS NULL AND kind = 'firm_advance')",
            [list(transfer_ids)],
        )
        return {row[0] for row in cursor.fetchall()}


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


def interest_of(instruction_id: uuid.UUID) -> int:
    """What came on top of a deposit that was sent back, in all its returns so far, in minor units."""
    came = Entry.objects.filter(posting__instruction_id=instruction_id, posting__row="D4", account__kind=Kind.OUTSIDE)
    return -(came.aggregate(total=Sum("amount"))["total"] or 0)


def entries_of(transfer_id: uuid.UUID) -> QuerySet[Entry]:
    """The entries of one transfer in the order in which they were written."""
    return Entry.objects.filter(transfer_id=transfer_id).select_related("posting", "account").order_by("id")


def draft_of(posting: Posting) -> Draft:
    """A posting as it was drafted, such as to negate it."""
    entries = list(Entry.objects.filter(posting_id=posting.id).select_related("account").order_by("id"))
    lines = [Line(Place(e.account.owner_id, Kind(e.account.kind)), e.amount, e.transfer_id) for e in entries]
    return Draft(
        posting.row,
        entries[0].account.currency,
        tuple(lines),
        posting.effective_at,
        posting.transfer_id,
        posting.instruction_id,
        posting.reverses_id,
        posting.id,
    )
