"""What two people decide about the firm's float: it was funded (`float.put_in`) or reduced (`float.take_out`) by a
payment that Bridge did not make."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from accounts.ledger import firm
from bridge.approvals.handlers import Handler
from bridge.approvals.handlers import register as register_handler
from bridge.approvals.models import Approval
from bridge.kernel.money import display
from bridge.kernel.results import Actor
from transfers import asked
from transfers.models import FloatMovement
from transfers.services import payments, treasury

PUT_IN, TAKE_OUT = "float.put_in", "float.take_out"
KINDS = {PUT_IN: FloatMovement.Kind.PUT_IN, TAKE_OUT: FloatMovement.Kind.TAKEN_OUT}
_PAYMENTS = uuid.UUID("b6c0c7a4-6f4e-5d0e-8a52-4d3c1f7e9a10")


def payment_id(currency: str, bank_reference: str) -> uuid.UUID:
    """What a decision about a payment of the firm's is about: one reference, one decision at a time."""
    return uuid.uuid5(_PAYMENTS, f"{currency}:{bank_reference}")


def _funding(kind: str, payload: dict[str, Any], maker: str) -> treasury.Funding:
    return treasury.Funding(
        kind=KINDS[kind],
        currency=asked.currency(payload),
        amount=asked.amount(payload),
        bank_reference=asked.bank_reference(payload),
        paid_at=asked.paid_on(payload),
        why=asked.why(payload),
        asked_by=maker,
    )


def _validate_funding(kind: str) -> Any:
    def validate(subject_id: uuid.UUID, payload: dict[str, Any]) -> None:
        wanted = _funding(kind, payload, "")
        if subject_id != payment_id(wanted.currency, wanted.bank_reference):
            raise asked.AskedMalformed(why="The subject is another payment than the payload names.")
        error = payments.booked_for_the_firm(currency=wanted.currency, bank_reference=wanted.bank_reference)
        if error is not None:
            raise error
        treasury.line_of(wanted)
        if kind == TAKE_OUT and (held := firm.float_of(wanted.currency)).free < wanted.amount:
            raise treasury.FloatTooSmall(
                free=display(held.free, wanted.currency),
                needed=display(wanted.amount, wanted.currency),
                do="Take out less, or recover the advances first.",
            )

    return validate


def _book_funding(approval: Approval, actor: Actor, at: datetime) -> None:
    wanted = _funding(approval.kind, approval.payload, approval.maker)
    asked.only(treasury.book_fundings(fundings=[wanted], actor=actor, at=at))


def _funding_words(kind: str) -> Any:
    def summarize(subject_id: uuid.UUID, payload: dict[str, Any]) -> str:
        words = "Put {} into the float" if kind == PUT_IN else "Take {} out of the float"
        return words.format(display(payload["amount"], payload["currency"]))

    return summarize


def _nothing_seen(subject_id: uuid.UUID) -> dict[str, Any]:
    return {}


_FUNDING = {kind: (_funding_words(kind), _validate_funding(kind)) for kind in KINDS}


def register() -> None:
    """Called when the app is ready."""
    for kind in KINDS:
        register_handler(
            Handler(
                kind=kind,
                subject_type="float",
                makers=asked.MAKERS,
                checkers=asked.CHECKERS,
                look=_nothing_seen,
                summarize=_FUNDING[kind][0],
                validate=_FUNDING[kind][1],
                carry_out=_book_funding,
            )
        )
