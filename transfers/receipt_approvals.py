"""What two people decide about a receipt: whose it is (`receipt.identify`), that it went back (`receipt.send_back`)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from bridge.approvals.handlers import Handler
from bridge.approvals.handlers import register as register_handler
from bridge.approvals.models import Approval
from bridge.kernel.errors import NotFound
from bridge.kernel.money import display
from bridge.kernel.results import Actor
from transfers import asked
from transfers.models import Receipt
from transfers.services import identifying, payments, receipts

IDENTIFY, SEND_BACK = "receipt.identify", "receipt.send_back"


def _receipt(receipt_id: uuid.UUID) -> Receipt:
    found = Receipt.objects.filter(pk=receipt_id).first()
    if found is None:
        raise NotFound(what="receipt")
    return found


def _look_receipt(receipt_id: uuid.UUID) -> dict[str, Any]:
    row = _receipt(receipt_id)
    return {
        "amount": row.amount,
        "currency": row.currency,
        "line": row.line,
        "state": row.state,
        "version": row.version,
    }


def _open(receipt_id: uuid.UUID) -> Receipt:
    row = _receipt(receipt_id)
    error = receipts.closed(row)
    if error is not None:
        raise error
    return row


def _identification(receipt_id: uuid.UUID, payload: dict[str, Any]) -> identifying.Identification:
    own = payload.get("of_the_firm") is True
    transfer_id = None if own else asked.identifier(payload, "transfer")
    return identifying.Identification(receipt_id, transfer_id, asked.why(payload))


def _validate_identify(receipt_id: uuid.UUID, payload: dict[str, Any]) -> None:
    """`transfer`, or `of_the_firm` true for the firm's own money; and `why`."""
    row, wanted = _open(receipt_id), _identification(receipt_id, payload)
    if wanted.transfer_id is not None:
        error = identifying.misfit(row, asked.transfer(wanted.transfer_id))
        if error is not None:
            raise error


def _identify(approval: Approval, actor: Actor, at: datetime) -> None:
    wanted = _identification(approval.subject_id, approval.payload)
    asked.only(identifying.identify_receipts(found=[wanted], actor=actor, at=at))


def _identify_words(receipt_id: uuid.UUID, payload: dict[str, Any]) -> str:
    row, wanted = _receipt(receipt_id), _identification(receipt_id, payload)
    whose = (
        "as the firm's own" if wanted.transfer_id is None else f"with {asked.transfer(wanted.transfer_id).public_id}"
    )
    return f"Identify the receipt of {display(row.amount, row.currency)} {whose}"


def _sent_back(receipt: Receipt, payload: dict[str, Any]) -> receipts.SentBack:
    paid_at = asked.paid_on(payload, not_before=receipt.received_at.date())
    return receipts.SentBack(
        receipt.id, asked.bank_reference(payload), max(paid_at, receipt.received_at), asked.why(payload)
    )


def _validate_send_back(receipt_id: uuid.UUID, payload: dict[str, Any]) -> None:
    """`bank_reference` and `paid_on` of the payment that sent it back, and `why`."""
    row = _open(receipt_id)
    wanted = _sent_back(row, payload)
    error = payments.booked(currency=row.currency, bank_reference=wanted.bank_reference)
    if error is not None:
        raise error
    receipts.line_of(row, wanted.bank_reference)


def _send_back(approval: Approval, actor: Actor, at: datetime) -> None:
    wanted = _sent_back(_receipt(approval.subject_id), approval.payload)
    asked.only(receipts.send_back_receipts(sent=[wanted], actor=actor, at=at))


def _send_back_words(receipt_id: uuid.UUID, payload: dict[str, Any]) -> str:
    row = _receipt(receipt_id)
    return f"The receipt of {display(row.amount, row.currency)} went back to its sender"


def register() -> None:
    """Called when the app is ready."""
    register_handler(
        Handler(
            kind=IDENTIFY,
            subject_type="receipt",
            makers=asked.MAKERS,
            checkers=asked.CHECKERS,
            look=_look_receipt,
            summarize=_identify_words,
            validate=_validate_identify,
            carry_out=_identify,
        )
    )
    register_handler(
        Handler(
            kind=SEND_BACK,
            subject_type="receipt",
            makers=asked.MAKERS,
            checkers=asked.CHECKERS,
            look=_look_receipt,
            summarize=_send_back_words,
            validate=_validate_send_back,
            carry_out=_send_back,
        )
    )
