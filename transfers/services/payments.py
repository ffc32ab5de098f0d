"""A payment that people name by the bank's reference (A3, S3) is booked once, whatever it was booked as, and one line
of a statement shows it.

No row stands for it before it is booked, so whoever books one, or takes in a statement, is alone meanwhile.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any

from django.db.models import Q

from bridge.kernel import locking
from bridge.kernel.errors import BridgeError
from bridge.kernel.transactions import require_atomic
from transfers.models import BankInstruction, BankStatement, FloatMovement, Receipt

LOCK = "settlement"
CREDIT, DEBIT = "credit", "debit"  # as the settlement account sees it
OWN_NAMES = ("id", "institution_reference")  # by which the bank means one line
NAMES = (*OWN_NAMES, "reference")  # by which people may name it


class MovementBooked(BridgeError):
    code = "movement_booked"
    status = 409
    title = "This payment is booked already"
    message = (
        "The bank's reference {reference} is booked already. Look under Float movements and Receipts, or give the "
        "right reference."
    )


class MovementIsReceipt(BridgeError):
    code = "movement_is_receipt"
    status = 409
    title = "This money is booked as a receipt"
    message = "The bank has stated this payment: it is receipt {receipt}. Identify that as the firm's own money."


def alone() -> None:
    """Until the transaction ends nobody else books a payment or takes in a statement. Take it before all row locks."""
    locking.alone(LOCK)


def booked(*, currency: str, bank_reference: str) -> BridgeError | None:
    """Why no payment can be booked under this reference, if none can: it moved the float, or sent a receipt back."""
    moved = FloatMovement.objects.filter(currency=currency, bank_reference=bank_reference, reversed_at__isnull=True)
    back = Receipt.objects.filter(currency=currency, bank_reference=bank_reference, state=Receipt.State.SENT_BACK)
    return MovementBooked(reference=bank_reference) if moved.exists() or back.exists() else None


def booked_for_the_firm(*, currency: str, bank_reference: str) -> BridgeError | None:
    """Why a payment with this reference cannot be booked as the firm's, if it cannot."""
    error = booked(currency=currency, bank_reference=bank_reference)
    if error is not None:
        return error
    named = Q(line=bank_reference) | Q(institution_reference=bank_reference) | Q(reference=bank_reference)
    receipt = Receipt.objects.filter(named, currency=currency).first()
    return MovementIsReceipt(receipt=receipt.public_id) if receipt is not None else None


def shown(*, account: str, day: date, line: str) -> str:
    """How a movement or a receipt remembers a line. Some banks number each day's lines anew, so its day belongs to
    it."""
    return f"{account} {day} {line}"


def line_that_shows(*, currency: str, direction: str, amount: int, bank_reference: str) -> str:
    """The first line of a kept statement that shows this payment and that nothing of ours explains, or nothing.

    `amount` in minor units. Raises `MovementBooked` where the bank means lines by this reference, and all of them are
    explained.
    """
    figures = {"direction": direction, "amount": amount, "currency": currency}
    named = Q()
    for name in NAMES:
        named |= Q(lines__contains=[{**figures, name: bank_reference}])
    taken = False
    for statement in BankStatement.objects.filter(named, currency=currency).order_by("date", "id"):
        rows = [row for row in statement.lines if _fits(row, figures, bank_reference)]
        explained = explained_lines(account=statement.account, day=statement.date, ids=[row["id"] for row in rows])
        ours = our_keys(row["key"] for row in rows)
        for row in rows:
            if row["id"] not in explained and row["key"] not in ours:
                return shown(account=statement.account, day=statement.date, line=row["id"])
            taken |= bank_reference in {row[name] for name in OWN_NAMES}
    if taken:
        raise MovementBooked(reference=bank_reference)
    return ""


def explained_lines(*, account: str, day: date, ids: Iterable[str]) -> dict[str, FloatMovement | Receipt]:
    """What our books have of these lines of a statement under no key of ours, by the lines' ids."""
    wanted = {shown(account=account, day=day, line=id_): id_ for id_ in ids}
    received = Receipt.objects.filter(account=account, stated_on=day, line__in=wanted.values())
    return {row.line: row for row in received} | {wanted[key]: row for key, row in shown_payments(wanted).items()}


def shown_payments(keys: Iterable[str]) -> dict[str, FloatMovement | Receipt]:
    """Movements, and receipts that were sent back, by the line that shows them."""
    moved = FloatMovement.objects.filter(shown_by__in=list(keys))
    back = Receipt.objects.filter(back_shown_by__in=list(keys))
    return {row.shown_by: row for row in moved} | {row.back_shown_by: row for row in back}


def remember(*, lines: Mapping[uuid.UUID, str]) -> None:
    """Which line shows these movements and receipts that were sent back. Needs `alone`."""
    require_atomic()
    for id_, line in lines.items():
        if not FloatMovement.objects.filter(pk=id_).update(shown_by=line):
            Receipt.objects.filter(pk=id_).update(back_shown_by=line)


def our_keys(keys: Iterable[str]) -> frozenset[str]:
    """Those of the keys that are keys of our instructions."""
    return frozenset(BankInstruction.objects.filter(key__in=set(keys) - {""}).values_list("key", flat=True))


def _fits(row: Mapping[str, Any], figures: Mapping[str, Any], bank_reference: str) -> bool:
    if any(row[name] != value for name, value in figures.items()):
        return False
    return bank_reference in {row.get(name) for name in NAMES}
