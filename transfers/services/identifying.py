"""Whose money a receipt is (S2): a transfer's, or the firm's own. Two people decide it, once per receipt.

It repays the firm's open advances for the transfer's family first, unless any of the family is frozen; the rest reaches
clearing, and the state follows the money.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.ledger import rows
from accounts.ledger.kinds import Kind
from accounts.ledger.rows import Line
from bridge.events import services as events
from bridge.kernel import bulk, ids
from bridge.kernel.errors import BridgeError, NotFound
from bridge.kernel.results import Actor, Done, Refused, Result
from bridge.kernel.transactions import require_atomic
from transfers.models import Receipt, Transfer
from transfers.services import covering, following
from transfers.services.batch import Batch
from transfers.services.causes import Cause, Why
from transfers.services.receipts import FOUND, closed, decide, lock_receipts, receipt_fact
from transfers.states import NextStep, State

TAKES_MONEY = (
    State.WITHDRAWN,
    State.DEPOSITING,
    State.COMPLETED,
    State.REFUNDING,
    State.FROZEN,
    State.FAILED,
    State.REFUNDED,
    State.RETURNED,
)


class ReceiptDoesNotFit(BridgeError):
    code = "receipt_does_not_fit"
    status = 409
    title = "The receipt cannot belong to this transfer"
    message = "{why}"


@dataclass(frozen=True, slots=True)
class Identification:
    """Whose money a receipt is: a transfer's, or without one the firm's own."""

    receipt_id: uuid.UUID
    transfer_id: uuid.UUID | None
    why: str


def identify_receipts(*, found: Sequence[Identification], actor: Actor, at: datetime) -> list[Result]:
    """S2, inside the decision of two people. It repays the family's open advances first, unless any of the family is
    frozen; the rest reaches clearing, and the state follows the money: a short pay grows, what more there is becomes a
    child, an ended transfer opens again.

    Refused: `NotFound`, `ReceiptClosed`, `ReceiptDoesNotFit`. Locks receipts, families, accounts, places.
    """
    require_atomic()
    locked = lock_receipts(item.receipt_id for item in found)
    batch = Batch(actor=actor, at=at)
    batch.lock_families({item.transfer_id for item in found if item.transfer_id is not None})
    batch.lock_accounts({row.source_account_id for row in batch.transfers.values()})
    batch.lock_places_of_families(list(batch.transfers.values()))
    batch.load_books(batch.transfers.values())
    results: list[Result] = []
    for item in found:
        receipt = locked.get(item.receipt_id)
        transfer = batch.transfers.get(item.transfer_id) if item.transfer_id else None
        error = closed(receipt)
        if error is None and receipt is not None and item.transfer_id is not None:
            error = misfit(receipt, transfer)
        if error is not None or receipt is None:
            results.append(Refused(item.receipt_id, error or NotFound(what="receipt")))
            continue
        receipt.state, receipt.closed_by = Receipt.State.IDENTIFIED, ids.new_id()
        receipt.transfer_id, receipt.of_the_firm = item.transfer_id, transfer is None
        decide(receipt, item.why, at)
        if transfer is None:
            own = rows.receipt_of_the_firm(currency=receipt.currency, amount=receipt.amount, effective_at=at)
            batch.post(own._replace(posting_id=receipt.closed_by))
        else:
            _give(batch, receipt, transfer)
        results.append(Done(receipt.id, receipt.state, receipt.version))
    done = [locked[result.id] for result in results if isinstance(result, Done)]
    bulk.update(Receipt, done, fields=FOUND)
    events.append(facts=[receipt_fact(row, "receipt.identified") for row in done], actor=actor, at=at)
    batch.save()
    return results


def misfit(receipt: Receipt, transfer: Transfer | None) -> BridgeError | None:
    """Why this receipt cannot be this transfer's, if it cannot."""
    if transfer is None:
        return NotFound(what="transfer")
    if transfer.currency != receipt.currency:
        return ReceiptDoesNotFit(why=f"The transfer is in {transfer.currency}, the receipt in {receipt.currency}.")
    if transfer.state == State.WITHDRAWING:
        why = "Its withdrawal is on the way: wait for the bank's answer, which may explain this very money."
        return ReceiptDoesNotFit(why=why)
    if transfer.state not in TAKES_MONEY:
        why = f"No money of it has ever moved: it is {State(transfer.state).label}. Choose another, or send it back."
        return ReceiptDoesNotFit(why=why)
    return None


def _give(batch: Batch, receipt: Receipt, transfer: Transfer) -> None:
    family = batch.family_of(transfer)
    repaid = _repaid(batch, receipt.amount, transfer, family)
    back = sum(line.amount for line in repaid)
    draft = rows.receipt_identified(batch.parties(transfer, None), amount=receipt.amount, repaid=repaid)
    batch.post(draft._replace(posting_id=receipt.closed_by))
    batch.note(
        transfer,
        "transfer.identified",
        receipt=receipt.id,
        amount_received=receipt.amount,
        repaid=back,
        reason=receipt.why,
    )
    short = covering.missing(transfer)
    rest = receipt.amount - back
    fits = transfer.state == State.WITHDRAWN and transfer.blocker_code == "short_paid" and rest == short
    cause = Cause(
        Why.IDENTIFIED,
        next_step=NextStep.DEPOSIT if fits else None,
        reason=receipt.why,
        grows_to=transfer.amount + short,
    )
    following.follow(batch, transfer, cause)


def _repaid(batch: Batch, amount: int, transfer: Transfer, family: Sequence[Transfer]) -> list[Line]:
    """What of it repays open advances of the family: this transfer's first. Blocked property is not set off."""
    if any(row.state == State.FROZEN for row in family):
        return []
    lines = []
    for row in sorted(family, key=lambda row: (row.id != transfer.id, row.id)):
        part = min(batch.books.of(row.id).advanced, amount)
        if part > 0:
            lines.append(batch.parties(row, None).shared(Kind.FIRM_ADVANCE, part))
            amount -= part
    return lines
