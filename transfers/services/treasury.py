"""The firm's own money in the settlement account: put in and taken out (A3), given up for an open advance (A2), or
added to a short pay (A4).

Its float is `firm_advance`: untagged lines are the firm's funding, lines tagged with a transfer its open claims. What
people decide never takes more than the funding less the open claims; only evidence of a bank may. That is judged after
posting, when the ledger's own row is locked, so that two decisions cannot both use the same money.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.ledger import firm, rows
from accounts.ledger import services as ledger
from bridge.events import services as events
from bridge.kernel import bulk, ids
from bridge.kernel.errors import BridgeError
from bridge.kernel.money import display
from bridge.kernel.results import Actor, Done, Result
from bridge.kernel.transactions import require_atomic
from transfers.models import BankStatement, FloatMovement
from transfers.services import payments

K = FloatMovement.Kind


class FloatTooSmall(BridgeError):
    code = "float_too_small"
    status = 409
    title = "The firm's float does not cover it"
    message = "{needed} is needed, and the firm has {free} in the settlement account that is not out as advances. {do}"


@dataclass(frozen=True, slots=True)
class Funding:
    """What the firm put into the settlement account or took out of it, by a payment that Bridge did not make. `amount`
    in minor units, positive; `paid_at` the bank's date; `asked_by` the maker."""

    kind: str
    currency: str
    amount: int
    bank_reference: str
    paid_at: datetime
    why: str
    asked_by: str


def settlement_account(currency: str) -> str:
    """What the bank calls the settlement account of this currency, as its newest statement says."""
    newest = BankStatement.objects.filter(currency=currency).order_by("-date").values_list("account", flat=True).first()
    return newest or f"SETTLEMENT-{currency}"


def book_fundings(*, fundings: Sequence[Funding], actor: Actor, at: datetime) -> list[Result]:
    """A3 for each, inside the decision of two people. Raises `MovementBooked`, `MovementIsReceipt`, and
    `FloatTooSmall` where taking out would leave less than the open claims. Alone with the settlement account; locks
    ledger accounts."""
    require_atomic()
    payments.alone()
    fresh, drafts = [], []
    for item in fundings:
        error = payments.booked_for_the_firm(currency=item.currency, bank_reference=item.bank_reference)
        if error is not None:
            raise error
        row = FloatMovement(
            id=ids.new_id(),
            kind=item.kind,
            account=settlement_account(item.currency),
            currency=item.currency,
            amount=item.amount,
            bank_reference=item.bank_reference,
            shown_by=line_of(item),
            why=item.why[:400],
            effective_at=item.paid_at,
            posting_id=ids.new_id(),
            made_by=item.asked_by,
            approved_by=actor.id,
            recorded_at=at,
        )
        signed = item.amount if item.kind == K.PUT_IN else -item.amount
        draft = rows.firm_funded(currency=item.currency, amount=signed, effective_at=item.paid_at)
        drafts.append(draft._replace(posting_id=row.posting_id))
        fresh.append(row)
    bulk.insert(FloatMovement, fresh)
    ledger.open_accounts(owners=[(uuid.UUID(int=0), row.currency) for row in fresh], kinds=())
    ledger.post(drafts=drafts, at=at)
    events.append(facts=[_fact(row) for row in fresh], actor=actor, at=at)
    for currency in sorted({row.currency for row in fresh if row.kind == K.TAKEN_OUT}):
        taken = sum(row.amount for row in fresh if row.kind == K.TAKEN_OUT and row.currency == currency)
        covered(currency, taken, "Take out less, or recover the advances first.")
    return [Done(row.id, row.kind, 1) for row in fresh]


def line_of(item: Funding) -> str:
    """The line of a statement that shows it already, or nothing. Raises `MovementBooked`."""
    direction = payments.CREDIT if item.kind == K.PUT_IN else payments.DEBIT
    return payments.line_that_shows(
        currency=item.currency, direction=direction, amount=item.amount, bank_reference=item.bank_reference
    )


def covered(currency: str, taken: int, do: str) -> None:
    """After `taken` minor units were posted: raises `FloatTooSmall` if they were not the firm's to use."""
    left = firm.float_of(currency)
    if left.free < 0:
        free = display(left.free + taken, currency)
        raise FloatTooSmall(free=free, needed=display(taken, currency), do=do)


def correct_movement(*, posting_id: uuid.UUID, why: str, actor: Actor, at: datetime) -> None:
    """The posting of a movement of the float is reversed in the same unit of work: its reference is free again."""
    require_atomic()
    row = FloatMovement.objects.get(posting_id=posting_id)
    row.reversed_at = at
    row.save(update_fields=["reversed_at"])
    data = {"amount": row.amount, "currency": row.currency, "bank_reference": row.bank_reference, "reason": why}
    events.append(facts=[events.Fact("movement", row.id, "float.corrected", row.kind, 2, data)], actor=actor, at=at)


def _fact(row: FloatMovement) -> events.Fact:
    data = {"amount": row.amount, "currency": row.currency, "bank_reference": row.bank_reference, "reason": row.why}
    kind = "float.put_in" if row.kind == K.PUT_IN else "float.taken_out"
    return events.Fact("movement", row.id, kind, row.kind, 1, data)
