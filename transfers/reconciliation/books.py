"""Our side of a comparison: instructions, what the ledger booked for them per day, and the settlement account's money.

A posting counts on the bank's date (`effective_at`, in UTC), as the institution's own record does.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from django.db import connection
from django.db.models import Q

from bridge.kernel.gateway import InstructionKind
from transfers.models import BankInstruction
from transfers.reconciliation.matching import SETTLEMENT, Facet, Ours
from transfers.states import LIVE, InstructionState

RETURN_FEE = "return_fee"  # what the institution of the one who sends it back charges for a return
# What each row of the posting table says about its instruction: which lines are the payment itself, its return, its
# fee. What arrives at the settlement account may repay the firm's open advance first; of a returned deposit or refund
# that counts which came back to us.
FACETS = """
    CASE
        WHEN p.row IN ('W2', 'W5') AND a.kind IN ('clearing', 'firm_advance') THEN 'settled'
        WHEN p.row IN ('D2', 'D5', 'R2', 'R5') AND a.kind = 'cash' THEN 'settled'
        WHEN p.row IN ('W2', 'W5', 'D2', 'D5', 'R2', 'R5') AND a.kind = 'fees' THEN 'fee'
        WHEN p.row = 'W4' AND a.kind = 'cash' THEN 'returned'
        WHEN p.row IN ('D4', 'R4') AND a.kind IN ('clearing', 'firm_advance') THEN 'returned'
        WHEN p.row IN ('D4', 'R4') AND a.kind = 'fees' THEN 'return_fee'
    END
"""
_BOOKED = f"""
    SELECT m.instruction_id, m.transfer_id, m.facet, m.day, sum(m.amount)::bigint, max(m.created_at) FROM (
        SELECT p.instruction_id, p.transfer_id, (p.effective_at AT TIME ZONE 'UTC')::date AS day,
            {FACETS} AS facet, e.amount, p.created_at
        FROM ledger_posting AS p
        JOIN ledger_entry AS e ON e.posting_id = p.id
        JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
        WHERE p.instruction_id IS NOT NULL AND {{condition}}
    ) AS m WHERE m.facet IS NOT NULL
    GROUP BY 1, 2, 3, 4
"""  # noqa: S608 our own text
# Everything of ours that lies in the settlement account. Deposits and refunds leave it when they settle.
_KINDS_INSIDE = "('clearing', 'frozen', 'suspense', 'firm_advance', 'deposit_in_transit', 'refund_in_transit')"
_INSIDE = f"""
    SELECT coalesce(sum(e.amount), 0)::bigint
    FROM ledger_entry AS e
    JOIN ledger_posting AS p ON p.id = e.posting_id
    JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
    WHERE a.currency = %s AND p.effective_at < %s AND a.kind IN {_KINDS_INSIDE}
"""  # noqa: S608 our own text
# What only changes its place inside the account moves nothing at the bank.
_MOVED = f"""
    SELECT DISTINCT m.currency FROM (
        SELECT a.currency
        FROM ledger_posting AS p
        JOIN ledger_entry AS e ON e.posting_id = p.id
        JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
        WHERE p.effective_at >= %s AND p.effective_at < %s AND a.kind IN {_KINDS_INSIDE}
        GROUP BY p.id, a.currency HAVING sum(e.amount) <> 0
    ) AS m
"""  # noqa: S608 our own text


@dataclass(frozen=True, slots=True)
class Movement:
    instruction_id: uuid.UUID
    transfer_id: uuid.UUID
    facet: str  # a `Facet`, or RETURN_FEE
    day: date
    amount: int
    newest: datetime  # when the last of it was booked


def movements(*, start: datetime, end: datetime) -> list[Movement]:
    """What the ledger booked for instructions with a bank's date from `start` to before `end`."""
    return _movements("p.effective_at >= %s AND p.effective_at < %s", [start, end])


def movements_of(transfer_ids: Iterable[uuid.UUID]) -> list[Movement]:
    """Everything that the ledger ever booked for the instructions of these transfers."""
    return _movements("p.transfer_id = ANY(%s::uuid[])", [list(transfer_ids)])


def _movements(condition: str, params: list[Any]) -> list[Movement]:
    with connection.cursor() as cursor:
        cursor.execute(_BOOKED.format(condition=condition), params)
        return [Movement(*row) for row in cursor.fetchall()]


def money_inside(*, currency: str, before: datetime) -> int:
    """What our ledger says the settlement account of this currency held at that moment, in minor units."""
    with connection.cursor() as cursor:
        cursor.execute(_INSIDE, [currency, before])
        (amount,) = cursor.fetchone()
    return amount


def moved(*, start: datetime, end: datetime) -> set[str]:
    """Currencies whose settlement account got or gave money by our ledger, from `start` to before `end`."""
    with connection.cursor() as cursor:
        cursor.execute(_MOVED, [start, end])
        return {currency for (currency,) in cursor.fetchall()}


def instructions(*, booked: Sequence[Movement], keys: Iterable[str], created_before: datetime) -> list[BankInstruction]:
    """The instructions to compare: those that were booked, those whose keys the institution lists, and live ones."""
    mentioned = Q(pk__in={item.instruction_id for item in booked}) | Q(key__in=set(keys))
    live = Q(state__in=[str(state) for state in LIVE], created_at__lt=created_before)
    return list(
        BankInstruction.objects.filter(mentioned | live).exclude(kind=BankInstruction.Kind.RECALL).order_by("pk")
    )


def sides(rows: Iterable[BankInstruction], booked: Iterable[Movement], *, institution: str) -> list[Ours]:
    """Our instructions as `institution` would show them; `settlement` stands for the settlement account.

    An institution lists the fee of a withdrawal, and of what its customer sends back, which its customer pays; the
    settlement account is charged what a deposit or refund costs in one line with it.
    """
    found: dict[uuid.UUID, list[Movement]] = {}
    for item in booked:
        found.setdefault(item.instruction_id, []).append(item)
    return [
        _side(row, found.get(row.pk, []), institution) for row in rows if institution in (SETTLEMENT, row.institution)
    ]


def _side(row: BankInstruction, found: Sequence[Movement], institution: str) -> Ours:
    total: dict[str, int] = dict.fromkeys((*Facet, RETURN_FEE), 0)
    for item in found:
        total[item.facet] += item.amount
    return_fee = total.pop(RETURN_FEE)
    withdrawal = row.kind == BankInstruction.Kind.WITHDRAWAL
    if institution == SETTLEMENT and not withdrawal:
        total[Facet.SETTLED] += total[Facet.FEE]
    if institution == SETTLEMENT or not withdrawal:
        total[Facet.FEE] = 0 if institution == SETTLEMENT else return_fee
    return Ours(
        key=row.key,
        kind=InstructionKind(row.kind),
        institution=row.institution,
        state=InstructionState(row.state),
        amount=row.amount,
        currency=row.currency,
        sent_at=row.submitted_at or row.created_at,
        instruction_id=row.pk,
        transfer_id=row.transfer_id,
        booked={Facet(facet): amount for facet, amount in total.items() if amount},
        day=min((item.day for item in found), default=None),
        newest=max((item.newest for item in found), default=None),
    )
