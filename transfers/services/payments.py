"""A payment that people name by the bank's reference (A3, S3) is booked once, whatever it was booked as.

No row stands for it before it is booked, so whoever books one, or takes in a statement, is alone meanwhile.
"""

from __future__ import annotations

from django.db.models import Q

from bridge.kernel import locking
from bridge.kernel.errors import BridgeError
from transfers.models import FloatMovement, Receipt

LOCK = "settlement"


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
