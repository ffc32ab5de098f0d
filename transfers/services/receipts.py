"""Money that comes to the settlement account and that no instruction of ours explains (S1), or that went back to whom
it came from (S3); and charges of the bank on no payment (F1). Whose a receipt is, is found in `identifying`.

Longer than most modules: all that becomes of money under no key of ours.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from accounts.ledger import rows
from accounts.ledger import services as ledger
from bridge.events import services as events
from bridge.kernel import bulk, ids, locking
from bridge.kernel.errors import BridgeError, NotFound
from bridge.kernel.gateway import Activity
from bridge.kernel.results import Actor, Done, Refused, Result
from bridge.kernel.transactions import require_atomic
from transfers.models import FloatMovement, Receipt
from transfers.services import payments

FOUND = [
    "state",
    "transfer",
    "of_the_firm",
    "bank_reference",
    "back_shown_by",
    "closed_by",
    "why",
    "decided_at",
    "version",
]


class LineChanged(BridgeError):
    code = "line_changed"
    status = 409
    title = "The bank states this line differently now"
    message = (
        "Line {line} was booked as {before} and is stated as {now}. Ask the bank which is right; nothing is booked."
    )


class ReceiptClosed(BridgeError):
    code = "receipt_closed"
    status = 409
    title = "Somebody has decided about this receipt"
    message = "This receipt is {state}. Reverse that first, if it was a mistake."


@dataclass(frozen=True, slots=True)
class SentBack:
    """A receipt that went back to its sender, by a payment that Bridge did not make."""

    receipt_id: uuid.UUID
    bank_reference: str
    paid_at: datetime
    why: str


def record_receipts(*, account: str, day: date, lines: Sequence[Activity], actor: Actor, at: datetime) -> list[Receipt]:
    """S1 for each of these credits of the statement of `day`, inside the caller's unit of work, which lets in one
    statement at a time.

    Each line of the bank once: those that are booked already are left out of the result. Amounts are the bank's, in
    minor units; the bank's date counts. Raises `LineChanged`.
    """
    require_atomic()
    known = [
        (row.line, row.received_at, payments.shown(account=account, day=row.stated_on, line=row.line), row)
        for row in Receipt.objects.filter(account=account, line__in=[line.id for line in lines])
    ]
    booked = _booked(lines, known, account=account, day=day)
    fresh = [
        Receipt(
            id=ids.new_id(),
            account=account,
            stated_on=day,
            line=line.id,
            institution_reference=line.institution_reference[:200],
            currency=line.currency,
            amount=line.amount,
            sender=line.sender[:200],
            reference=(line.reference or line.key)[:200],
            received_at=line.at,
            recorded_at=at,
            opened_by=ids.new_id(),
        )
        for line in lines
        if line.id not in booked
    ]
    drafts = [
        rows.receipt_unidentified(currency=row.currency, amount=row.amount, effective_at=row.received_at)
        for row in fresh
    ]
    bulk.insert(Receipt, fresh)
    _post([draft._replace(posting_id=row.opened_by) for draft, row in zip(drafts, fresh, strict=True)], at=at)
    events.append(facts=[receipt_fact(row, "receipt.recorded") for row in fresh], actor=actor, at=at)
    return fresh


def record_charges(
    *, account: str, day: date, lines: Sequence[Activity], actor: Actor, at: datetime
) -> list[FloatMovement]:
    """F1 for each of these charges, as `record_receipts` does for credits: out of the firm's own money."""
    require_atomic()
    charges = FloatMovement.objects.filter(kind=FloatMovement.Kind.CHARGE, account=account)
    known = [
        (row.bank_reference, row.effective_at, row.shown_by, row)
        for row in charges.filter(bank_reference__in=[line.id for line in lines])
    ]
    booked = _booked(lines, known, account=account, day=day)
    fresh = [
        FloatMovement(
            id=ids.new_id(),
            kind=FloatMovement.Kind.CHARGE,
            account=account,
            currency=line.currency,
            amount=line.amount,
            bank_reference=line.id,
            shown_by=payments.shown(account=account, day=day, line=line.id),
            why=line.reference[:400],
            effective_at=line.at,
            posting_id=ids.new_id(),
            made_by=actor.id,
            recorded_at=at,
        )
        for line in lines
        if line.id not in booked
    ]
    drafts = [rows.bank_charge(currency=r.currency, amount=r.amount, effective_at=r.effective_at) for r in fresh]
    bulk.insert(FloatMovement, fresh)
    _post([draft._replace(posting_id=row.posting_id) for draft, row in zip(drafts, fresh, strict=True)], at=at)
    events.append(facts=[charge_fact(row) for row in fresh], actor=actor, at=at)
    return fresh


def send_back_receipts(*, sent: Sequence[SentBack], actor: Actor, at: datetime) -> list[Result]:
    """S3, inside the decision of two people who saw the bank's payment. Refused: `NotFound`, `ReceiptClosed`,
    `MovementBooked`. Raises `MovementBooked` where the line that shows the payment is something else of ours. Alone
    with the settlement account; locks the receipts."""
    require_atomic()
    payments.alone()
    locked = lock_receipts(item.receipt_id for item in sent)
    results: list[Result] = []
    drafts, done = [], []
    named: set[tuple[str, str]] = set()
    for item in sent:
        receipt = locked.get(item.receipt_id)
        error = closed(receipt) or _used(receipt, item.bank_reference, named)
        if error is not None or receipt is None:
            results.append(Refused(item.receipt_id, error or NotFound(what="receipt")))
            continue
        receipt.state, receipt.closed_by = Receipt.State.SENT_BACK, ids.new_id()
        receipt.bank_reference, receipt.back_shown_by = item.bank_reference, line_of(receipt, item.bank_reference)
        named.add((receipt.currency, item.bank_reference))
        decide(receipt, item.why, at)
        draft = rows.receipt_sent_back(currency=receipt.currency, amount=receipt.amount, effective_at=item.paid_at)
        drafts.append(draft._replace(posting_id=receipt.closed_by))
        done.append(receipt)
        results.append(Done(receipt.id, receipt.state, receipt.version))
    bulk.update(Receipt, done, fields=FOUND)
    events.append(facts=[receipt_fact(row, "receipt.sent_back") for row in done], actor=actor, at=at)
    ledger.post(drafts=drafts, at=at)
    return results


def open_again(*, receipt: Receipt, why: str, actor: Actor, at: datetime) -> None:
    """What was found out about a locked receipt was a mistake: its posting is reversed in the same unit of work."""
    require_atomic()
    receipt.state, receipt.transfer_id, receipt.of_the_firm = Receipt.State.UNIDENTIFIED, None, False
    receipt.bank_reference, receipt.closed_by, receipt.decided_at = "", None, None
    receipt.why = why[:400]
    receipt.version += 1
    bulk.update(Receipt, [receipt], fields=FOUND)
    events.append(facts=[receipt_fact(receipt, "receipt.reopened")], actor=actor, at=at)


def lock_receipts_closed_by(posting_ids: Sequence[uuid.UUID]) -> dict[uuid.UUID, Receipt]:
    """Receipts by the posting that closed them, locked."""
    wanted = Receipt.objects.filter(closed_by__in=list(posting_ids)).values_list("pk", flat=True)
    found = lock_receipts(wanted).values()
    return {row.closed_by: row for row in found if row.closed_by is not None}


def lock_receipts(receipt_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, Receipt]:
    """First in the global order of locks."""
    return {row.id: row for row in locking.lock(Receipt.objects.all(), receipt_ids)}


def closed(receipt: Receipt | None) -> BridgeError | None:
    """Why nothing can be decided about it, if so."""
    if receipt is None:
        return NotFound(what="receipt")
    if receipt.state != Receipt.State.UNIDENTIFIED:
        return ReceiptClosed(state=receipt.get_state_display())  # type: ignore[attr-defined]
    return None


def _used(receipt: Receipt | None, bank_reference: str, named: set[tuple[str, str]]) -> BridgeError | None:
    """Why this payment cannot have sent the receipt back: it is booked already, or `named` in the same decision."""
    if receipt is None:
        return None
    if (receipt.currency, bank_reference) in named:
        return payments.MovementBooked(reference=bank_reference)
    return payments.booked(currency=receipt.currency, bank_reference=bank_reference)


def decide(receipt: Receipt, why: str, at: datetime) -> None:
    """Stamp a locked receipt with the decision."""
    receipt.why, receipt.decided_at = why[:400], at
    receipt.version += 1


def line_of(receipt: Receipt, bank_reference: str) -> str:
    """The line of a statement that shows this payment back already, or nothing. Raises `MovementBooked`."""
    return payments.line_that_shows(
        currency=receipt.currency, direction=payments.DEBIT, amount=receipt.amount, bank_reference=bank_reference
    )


def refuse_changed(line: Activity, booked: Receipt | FloatMovement) -> None:
    """Raises `LineChanged` where the bank states a line that we booked with other figures."""
    if (booked.amount, booked.currency) != (line.amount, line.currency):
        before, now = f"{booked.amount} {booked.currency}", f"{line.amount} {line.currency}"
        raise LineChanged(line=line.id, before=before, now=now)


def _booked(
    lines: Sequence[Activity],
    known: Sequence[tuple[str, datetime, str, Receipt | FloatMovement]],
    *,
    account: str,
    day: date,
) -> set[str]:
    """Ids of the lines that are booked already; `known` are rows with their line's id, its moment and what shows them.

    Banks number the lines of each day anew, so the same id on another day is another line. At the very same moment it
    is the same one, and two statements cannot both have it. Raises `LineChanged`.
    """
    here = {shown: row for _, _, shown, row in known}
    moments = {(id_, moment): (shown, row) for id_, moment, shown, row in known}
    found = set()
    for line in lines:
        key = payments.shown(account=account, day=day, line=line.id)
        if key in here:
            refuse_changed(line, here[key])
            found.add(line.id)
        elif (line.id, line.at) in moments:
            shown, row = moments[line.id, line.at]
            before, now = f"{row.amount} {row.currency} in {shown}", f"{line.amount} {line.currency} in {key}"
            raise LineChanged(line=line.id, before=before, now=now)
    return found


def _post(drafts: Sequence[rows.Draft], *, at: datetime) -> None:
    """A currency's own accounts may be younger than its first stray line."""
    nobody = uuid.UUID(int=0)
    ledger.open_accounts(owners=[(nobody, currency) for currency in {draft.currency for draft in drafts}], kinds=())
    ledger.post(drafts=drafts, at=at)


def receipt_fact(row: Receipt, type: str) -> events.Fact:
    data = {
        "amount": row.amount,
        "currency": row.currency,
        "account": row.account,
        "line": row.line,
        "received_at": row.received_at,
    }
    if type != "receipt.recorded":
        data |= {"transfer": row.transfer_id, "of_the_firm": row.of_the_firm, "reason": row.why}
    if type == "receipt.sent_back":
        data["bank_reference"] = row.bank_reference
    return events.Fact("receipt", row.id, type, row.state, row.version, data)


def charge_fact(row: FloatMovement) -> events.Fact:
    data = {"amount": row.amount, "currency": row.currency, "bank_reference": row.bank_reference, "reason": row.why}
    return events.Fact("movement", row.id, "float.charged", row.kind, 1, data)
