"""What the firm pays out of its own float for a transfer: an open advance that it gives up (A2), what a short pay
lacks (A4). Only what is the firm's and not out already; judged after posting, when the ledger's row is locked."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Q

from accounts.ledger import firm, rows
from accounts.ledger.kinds import Kind
from accounts.ledger.models import Entry
from bridge.kernel.errors import BridgeError, NotFound, StaleVersion
from bridge.kernel.gateway import InstructionKind
from bridge.kernel.money import display
from bridge.kernel.results import Actor, Done, Refused, Result
from bridge.kernel.transactions import require_atomic, retried, unit_of_work
from transfers.blockers import Deed
from transfers.models import BankInstruction, Transfer
from transfers.policy import policy
from transfers.services import following, permitting, treasury
from transfers.services.batch import Batch
from transfers.services.causes import Cause, Why
from transfers.states import NextStep

ADDING = ("A4", "S2")  # rows by which people add to what a bank has paid


class NoOpenAdvance(BridgeError):
    code = "no_open_advance"
    status = 409
    title = "Nothing is advanced"
    message = "The firm has advanced nothing for this transfer that is still open."


class NotShort(BridgeError):
    code = "not_short"
    status = 409
    title = "Not that much is missing"
    message = "{why}"


class SecondPersonNeeded(BridgeError):
    code = "second_person_needed"
    status = 409
    title = "A second person is needed"
    message = "{amount} is more than one person may add, {limit}. Ask for a second person's approval."


@dataclass(frozen=True, slots=True)
class WriteOff:
    """The whole open claim of one transfer."""

    transfer_id: uuid.UUID
    why: str


@dataclass(frozen=True, slots=True)
class TopUp:
    """`amount` in minor units, at most what is missing."""

    transfer_id: uuid.UUID
    amount: int
    why: str
    expected_version: int | None = None


def missing(transfer: Transfer) -> int:
    """What its withdrawal brought less than it was ordered for and nobody has added since, in minor units."""
    orders = BankInstruction.objects.filter(
        transfer_id=transfer.id, kind=InstructionKind.WITHDRAWAL, settled_amount__gt=0
    )
    short = sum(order.amount - order.settled_amount + order.returned_amount for order in orders)
    adds = Q(posting__row__in=ADDING) | Q(posting__reverses__row__in=ADDING)
    added = Entry.objects.filter(adds, transfer_id=transfer.id, account__kind=Kind.CLEARING)
    return max(short - sum(added.values_list("amount", flat=True)), 0)


def one_person_limit(transfer: Transfer) -> int:
    """Up to how much one person may add alone: what the policy tolerates of a short pay anyway, in minor units."""
    return policy(fund_id=transfer.fund_id).short_pay_tolerance.get(transfer.currency, 0)


@retried
def top_up_transfers(*, top_ups: Sequence[TopUp], actor: Actor) -> list[Result]:
    """A4 by one person, up to `one_person_limit`.

    Refused: `NotFound`, `StaleVersion`, `NotAllowed`, `NotSafe`, `NotShort`, `SecondPersonNeeded`. Raises
    `FloatTooSmall`, and then nothing is posted. Locks families, accounts, places, ledger accounts.
    """
    with unit_of_work() as moment:
        return _top_up(top_ups, actor, moment, alone=True)


def top_up_by_two(*, top_ups: Sequence[TopUp], actor: Actor, at: datetime) -> list[Result]:
    """A4 of any amount that is missing, inside the decision of two people. Otherwise as `top_up_transfers`."""
    require_atomic()
    return _top_up(top_ups, actor, at, alone=False)


def write_off_advances(*, write_offs: Sequence[WriteOff], actor: Actor, at: datetime) -> list[Result]:
    """A2, inside the decision of two people: the open claim becomes the firm's loss.

    Refused: `NotFound`, `NotAllowed`, `NotSafe`, `NoOpenAdvance`. Raises `FloatTooSmall` where the firm's funding does
    not bear the loss: it is put in first. Locks families, accounts, places, ledger accounts.
    """
    require_atomic()
    batch = _batch([item.transfer_id for item in write_offs], actor, at)
    results: list[Result] = []
    given_up: dict[str, int] = {}
    for item in write_offs:
        row = batch.transfers.get(item.transfer_id)
        error: BridgeError | None = (
            NotFound(what="transfer") if row is None else permitting.refusal(row, actor, Deed.WRITE_OFF)
        )
        claim = batch.books.of(row.id).advanced if row is not None else 0
        if error is None and claim <= 0:
            error = NoOpenAdvance()
        if error is not None or row is None:
            results.append(Refused(item.transfer_id, error or NotFound(what="transfer")))
            continue
        batch.post(rows.advance_written_off(batch.parties(row, None), amount=claim))
        batch.note(row, "transfer.written_off", amount_written_off=claim, reason=item.why)
        following.follow(batch, row, Cause(Why.WRITTEN_OFF, reason=item.why))
        given_up[row.currency] = given_up.get(row.currency, 0) + claim
        results.append(Done(row.id, str(row.state), row.version))
    batch.save()
    for currency, amount in given_up.items():
        _borne(currency, amount)
    return results


def _top_up(top_ups: Sequence[TopUp], actor: Actor, at: datetime, *, alone: bool) -> list[Result]:
    batch = _batch([item.transfer_id for item in top_ups], actor, at)
    results: list[Result] = []
    taken: dict[str, int] = {}
    for item in top_ups:
        row = batch.transfers.get(item.transfer_id)
        error = _no_top_up(item, row, actor, alone=alone)
        if error is not None or row is None:
            results.append(Refused(item.transfer_id, error or NotFound(what="transfer")))
            continue
        batch.post(rows.short_pay_topped_up(batch.parties(row, None), amount=item.amount))
        whole = row.blocker_code == "short_paid" and item.amount == missing(row)
        cause = Cause(
            Why.TOPPED_UP,
            next_step=NextStep.DEPOSIT if whole else None,
            reason=item.why,
            grows_to=row.amount + item.amount,
        )
        following.follow(batch, row, cause)
        taken[row.currency] = taken.get(row.currency, 0) + item.amount
        results.append(Done(row.id, str(row.state), row.version))
    batch.save()
    for currency, amount in taken.items():
        treasury.covered(currency, amount, "Put money into the float first, or go on with what arrived.")
    return results


def _no_top_up(item: TopUp, row: Transfer | None, actor: Actor, *, alone: bool) -> BridgeError | None:
    if row is None:
        return NotFound(what="transfer")
    if item.expected_version not in (None, row.version):
        return StaleVersion(expected=item.expected_version, actual=row.version)
    error = permitting.refusal(row, actor, Deed.TOP_UP)
    if error is not None:
        return error
    short = missing(row)
    if not 0 < item.amount <= short:
        lacks = f"{display(short, row.currency)} is missing." if short else "What was ordered has arrived."
        return NotShort(why=f"{display(item.amount, row.currency)} cannot be added. {lacks}")
    limit = one_person_limit(row)
    if alone and item.amount > limit:
        return SecondPersonNeeded(amount=display(item.amount, row.currency), limit=display(limit, row.currency))
    return None


def _batch(transfer_ids: Sequence[uuid.UUID], actor: Actor, at: datetime) -> Batch:
    """With everything locked and loaded that following the money needs."""
    batch = Batch(actor=actor, at=at)
    batch.lock_families(transfer_ids)
    batch.lock_accounts({row.source_account_id for row in batch.transfers.values()})
    batch.lock_places_of_families(list(batch.transfers.values()))
    batch.load_books(batch.transfers.values())
    return batch


def _borne(currency: str, loss: int) -> None:
    """After a loss was posted: whether the firm had put in that much."""
    own = firm.float_of(currency).own
    if own < 0:
        raise treasury.FloatTooSmall(
            free=display(own + loss, currency), needed=display(loss, currency), do="Put money into the float first."
        )
