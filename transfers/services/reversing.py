"""X2: our own mistake undone. Every line of a posting is negated, and the state follows the money back.

Only what people alone decided can be reversed: A2, A3, A4, S2 and S3. What a bank reported, or its statement shows, is
not our mistake to undo: when it was wrong, the bank says so, and that is posted. What was paid on since cannot be
reversed either; then the payment itself must come back first. See docs/adr/0015-what-people-may-reverse.md.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.ledger import firm, queries, rows
from accounts.ledger.kinds import Kind
from accounts.ledger.models import Entry, Posting
from accounts.ledger.rows import Draft
from bridge.kernel.errors import BridgeError, NotFound
from bridge.kernel.money import display
from bridge.kernel.results import Actor, Done, Refused, Result
from bridge.kernel.transactions import require_atomic
from transfers.models import FloatMovement, Receipt, Transfer
from transfers.services import following, payments, receipts, treasury
from transfers.services.batch import Batch
from transfers.services.causes import Cause, Why
from transfers.states import State

WORDS = {
    "A2": "write-off of an advance",
    "A3": "movement of the firm's float",
    "A4": "top-up of a short pay",
    "S2": "identification of a receipt",
    "S3": "receipt sent back",
}
_NOT_OURS = {
    "S1": "The bank's statement shows this receipt. Identify it, or send it back.",
    "F1": "The bank's statement shows this charge. If the bank takes it back, it pays it back.",
    "A1": "An advance is repaid by itself from what arrives. Reverse the posting that brought the money.",
    "X1": "A split moves no money. Decide about the part that was split off.",
    "X2": "This is a reversal itself. Do again what it undid.",
    "Z1": "A freeze ends only by a release, which two people of compliance decide.",
    "Z2": "A release ends only by another freeze.",
}
_IN_USE = "Put money into the float first, or recover the advances."


class Irreversible(BridgeError):
    code = "irreversible"
    status = 409
    title = "This posting cannot be reversed"
    message = "{why}"


@dataclass(frozen=True, slots=True)
class Reversal:
    posting_id: uuid.UUID
    why: str


def irreversible(posting: Posting) -> BridgeError | None:
    """Why two people cannot undo this posting, if they cannot, as far as it can be seen without locks."""
    if posting.row not in WORDS or posting.instruction_id is not None:
        bank = "A bank reported what this posting records. What was wrong in it, only the bank can put right."
        return Irreversible(why=_NOT_OURS.get(posting.row, bank))
    if Posting.objects.filter(reverses_id=posting.id).exists():
        return Irreversible(why="It has been reversed already.")
    stated = _stated(posting)
    if stated:
        return Irreversible(why=f"The bank's statement shows this payment ({stated}), so it was made.")
    currency, given = _given(posting)
    if given > 0 and (held := firm.float_of(currency)).free < given:
        free, needed = display(held.free, currency), display(given, currency)
        return treasury.FloatTooSmall(free=free, needed=needed, do=_IN_USE)
    if posting.row in ("A4", "S2") and posting.transfer_id is not None:
        transfer = Transfer.objects.get(pk=posting.transfer_id)
        there = queries.by_transfer([transfer.id]).get(transfer.id, {}).get(Kind.CLEARING, 0)
        return _moved_on(transfer, there, _brought(queries.draft_of(posting)), _children_of(posting))
    return None


def reverse_postings(*, reversals: Sequence[Reversal], actor: Actor, at: datetime) -> list[Result]:
    """X2 for each, inside the decision of two people; `at` is when it counts.

    Refused: `NotFound`, `Irreversible`, `FloatTooSmall`. The money must still be where the posting put it. Raises
    `FloatTooSmall` where several together take what of the float is in use. Locks receipts, families,
    accounts, places, ledger accounts, alone with the settlement account.
    """
    require_atomic()
    payments.alone()
    wanted = [item.posting_id for item in reversals]
    found = Posting.objects.in_bulk(wanted)
    locked = receipts.lock_receipts_closed_by(wanted)
    batch = Batch(actor=actor, at=at)
    batch.lock_families({row.transfer_id for row in found.values() if row.transfer_id is not None})
    batch.lock_accounts({row.source_account_id for row in batch.transfers.values()})
    batch.lock_places_of_families(list(batch.transfers.values()))
    batch.load_books(batch.transfers.values())
    results: list[Result] = []
    taken: dict[str, int] = {}
    for item in reversals:
        posting = found.get(item.posting_id)
        error = NotFound(what="posting") if posting is None else irreversible(posting)
        if error is not None or posting is None:
            results.append(Refused(item.posting_id, error or NotFound(what="posting")))
            continue
        currency, given = _given(posting)
        if given > 0:
            taken[currency] = taken.get(currency, 0) + given
        _undo(batch, posting, item.why, locked.get(posting.id))
        results.append(Done(posting.id))
    batch.save()
    for currency, amount in sorted(taken.items()):
        treasury.covered(currency, amount, _IN_USE)
    return results


def in_words(posting: Posting) -> str:
    """`S2, identification of a receipt: USD 100.00`."""
    draft = queries.draft_of(posting)
    amount = max(abs(line.amount) for line in draft.lines)
    return f"{posting.row}, {WORDS.get(posting.row, 'posting')}: {display(amount, draft.currency)}"


def _undo(batch: Batch, posting: Posting, why: str, receipt: Receipt | None) -> None:
    draft = queries.draft_of(posting)
    for split in _children_of(posting):  # what was split off at once comes back first
        batch.post(rows.reversal(queries.draft_of(split), reverses_id=split.id, effective_at=batch.at))
    batch.post(rows.reversal(draft, reverses_id=posting.id, effective_at=batch.at))
    if posting.row == "A3":
        treasury.correct_movement(posting_id=posting.id, why=why, actor=batch.actor, at=batch.at)
    if receipt is not None:
        receipts.open_again(receipt=receipt, why=why, actor=batch.actor, at=batch.at)
    if posting.transfer_id is not None:
        transfer = batch.transfers[posting.transfer_id]
        amount = max(abs(line.amount) for line in draft.lines)
        batch.note(
            transfer, "transfer.corrected", posting=posting.id, row=posting.row, amount_corrected=amount, reason=why
        )
        following.follow(batch, transfer, Cause(Why.CORRECTED, reason=why))


def _moved_on(transfer: Transfer, there: int, brought: int, splits: Sequence[Posting]) -> BridgeError | None:
    """Why the money that a posting brought is no longer at our disposal, if so."""
    family = {transfer.id: transfer.state}
    available = there
    for split in splits:
        (child, amount) = _child_of(split)
        row = Transfer.objects.get(pk=child)
        held = queries.by_transfer([child]).get(child, {}).get(Kind.CLEARING, 0)
        family[child] = row.state
        available += amount if held >= amount else 0
    if available >= brought and (not brought or State.WITHDRAWN in family.values()):
        return None
    where = State(transfer.state).label
    why = f"Its money is no longer in the settlement account: the transfer is {where}. Bring it back first."
    return Irreversible(why=why)


def _given(posting: Posting) -> tuple[str, int]:
    """What A3, or S2 of the firm's own money, put into the float: its currency and minor units, below zero if taken."""
    draft = queries.draft_of(posting)
    if posting.row not in ("A3", "S2"):
        return draft.currency, 0
    own = (line for line in draft.lines if line.place.kind == Kind.FIRM_ADVANCE and line.transfer_id is None)
    return draft.currency, sum(line.amount for line in own)


def _brought(draft: Draft) -> int:
    return sum(line.amount for line in draft.lines if line.place.kind == Kind.CLEARING)


def _children_of(posting: Posting) -> list[Posting]:
    """The splits (X1) that were posted with it, because its money was more than the transfer is about."""
    if posting.transfer_id is None:
        return []
    return list(
        Posting.objects.filter(row="X1", transfer_id=posting.transfer_id, tx=posting.tx, reversed_by__isnull=True)
    )


def _child_of(split: Posting) -> tuple[uuid.UUID, int]:
    entry = Entry.objects.get(posting_id=split.id, amount__gt=0)
    assert entry.transfer_id is not None
    return entry.transfer_id, entry.amount


def _stated(posting: Posting) -> str:
    """The line of a statement that shows the payment which this posting records, or nothing."""
    if posting.row == "A3":
        return FloatMovement.objects.values_list("shown_by", flat=True).get(posting_id=posting.id)
    if posting.row == "S3":
        return Receipt.objects.values_list("back_shown_by", flat=True).get(closed_by=posting.id)
    return ""
