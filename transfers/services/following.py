"""The state follows the money: what becomes of a family of transfers after a posting that nobody planned.

Banks return, settle late, settle twice. What they report is posted as it happened; then each transfer of the family
goes to the state of the place where its money now is, by legal edges only: what arrives repays an open advance first,
what arrives where this transfer expects nothing becomes a child, and an advance that stays open is shown until it is
repaid or written off. Needs a batch that holds the locks of the whole family, its account and its places, and has
loaded its books.
"""

from __future__ import annotations

import uuid

from accounts.ledger.queries import Whereabouts
from bridge.kernel.money import display
from transfers import sentences
from transfers.models import Transfer
from transfers.services import arriving, family
from transfers.services.batch import Batch
from transfers.services.causes import Cause, Why
from transfers.states import ENDED, RECALL_DUE, RECALL_OPEN, NextStep, State, Step

ADVANCE_OPEN, NO_PLACE = "advance_open", "no_place"
OUTRANK = (RECALL_DUE, RECALL_OPEN, "frozen")  # blockers that stay in front of an open advance
ENDED_WITHOUT_PLACE = (State.REFUNDED, State.RETURNED, State.FAILED)


def follow(batch: Batch, transfer: Transfer, cause: Cause) -> None:
    """Bring the whole family to where its money is, after a row was posted for `transfer`."""
    members = batch.family_of(transfer)
    batch.load_books(members)
    parties = {row.id: batch.parties(row, None, cause.report.at if cause.report else None) for row in members}
    for draft in family.repayments(batch.books, members, parties):
        batch.post(draft)
    for row in members:
        _settle_down(batch, row, cause if row is transfer else Cause(Why.FAMILY, report=cause.report))
    for row in batch.family_of(transfer):
        show_advance(batch, row)


def show_advance(batch: Batch, row: Transfer) -> None:
    """An open advance stays in sight until it is repaid or written off; then it goes away."""
    open_ = batch.books.of(row.id).advanced
    ended = row.state in ENDED
    if open_ > 0 and (row.blocker_code != ADVANCE_OPEN or display(open_, row.currency) not in row.blocker_message):
        if row.blocker_code in OUTRANK or (row.state == State.WITHDRAWN and row.blocker_code):
            return
        message = (
            f"The firm has advanced {display(open_, row.currency)} for it: money left the settlement account that "
            "was not there. Recall the deposit, have the investor pay again, or write it off."
        )
        row.block(ADVANCE_OPEN, message, at=batch.at)
        batch.note(row, "transfer.advance_opened", advance=open_)
        if ended:
            batch.schedule(row, Step.BLOCKED, None)
    elif open_ <= 0 and row.blocker_code == ADVANCE_OPEN:
        row.unblock()
        if row.state == State.WITHDRAWN and row.next_step == NextStep.NONE:
            arriving.decide_next(batch, row, Cause(Why.FAMILY))
        batch.note(row, "transfer.advance_closed", written_off=batch.books.of(row.id).written_off)
        if ended:
            batch.finish(row)


def _settle_down(batch: Batch, row: Transfer, cause: Cause) -> None:
    where = batch.books.of(row.id)
    _split_what_is_too_much(batch, row, where, cause)
    if where.withdrawal_in_transit or where.deposit_in_transit or where.refund_in_transit or where.frozen:
        return  # what is on its way keeps the state until its outcome
    if where.clearing > 0:
        arriving.in_clearing(batch, row, cause, where.clearing)
    elif where.at_fund > 0:
        _at_the_fund(batch, row, where, cause)
    else:
        _nowhere(batch, row, cause)


def _split_what_is_too_much(batch: Batch, row: Transfer, where: Whereabouts, cause: Cause) -> None:
    """Money in clearing where this transfer expects none, or more than it is about, is a transfer of its own."""
    if where.clearing <= 0:
        return
    busy = where.withdrawal_in_transit or where.deposit_in_transit or where.refund_in_transit or where.frozen
    elsewhere = busy or where.at_fund > 0 or cause.why == Why.REFUND_SETTLED
    surplus = where.clearing if elsewhere else 0
    if not elsewhere and row.state == State.WITHDRAWN:
        surplus = where.clearing - _grown(batch, row, cause, where.clearing)
    if surplus > 0:
        arriving.as_a_child(batch, row, cause, surplus)


def _grown(batch: Batch, row: Transfer, cause: Cause, to: int) -> int:
    """What people add to a transfer makes it larger, as far as it was short and if its place can grow with it."""
    assert batch.places is not None
    most = max(row.amount, min(to, cause.grows_to))
    reserved = batch.places.reserved_for(row.id)
    if reserved and not batch.places.has_room(row.fund_id, row.investor_id, most - reserved):
        return row.amount
    return most


def _at_the_fund(batch: Batch, row: Transfer, where: Whereabouts, cause: Cause) -> None:
    """All that is left of it is with the fund, or with one that people had redirected it from."""
    members = batch.family_of(row)
    unpaid = family.advanced(batch.books, members) > 0 or family.written_off(batch.books, members)
    home = _home(row, where)
    there = where.at_funds[home]
    if row.state == State.COMPLETED and home == row.fund_id:
        if cause.why == Why.DEPOSIT_RETURNED and there < row.amount:
            arriving.shrink(batch, row, there, sentences.PART_OF_DEPOSIT_RETURNED)
        return
    if row.state == State.REFUNDING and cause.why == Why.REFUND_SETTLED and unpaid:
        arriving.refunded(batch, row, cause)
        return
    if row.state in ENDED_WITHOUT_PLACE:
        if unpaid or row.blocker_code == NO_PLACE:
            return  # the firm has paid for it twice; it waits for the fund's bank, or for a place
        row.reopen(at=batch.at, next_step=NextStep.DEPOSIT)
        batch.note(row, "transfer.reopened", **cause.instruction, code=cause.code, next_step=NextStep.DEPOSIT)
    elif row.state in (State.REFUNDING, State.FROZEN, State.COMPLETED):
        arriving.leave_for_clearing(batch, row, cause)
    if home != row.fund_id:
        arriving.at_its_former_fund(batch, row, home)
    arriving.kept_by_the_fund(batch, row, cause, there)


def _home(row: Transfer, where: Whereabouts) -> uuid.UUID:
    """The fund that its money is with: its own as long as that has any."""
    if where.at_funds.get(row.fund_id, 0) > 0:
        return row.fund_id
    return max(where.at_funds, key=lambda fund_id: (where.at_funds[fund_id], fund_id))


def _nowhere(batch: Batch, row: Transfer, cause: Cause) -> None:
    """None of its money is with us or with the fund any more."""
    match row.state:
        case State.REFUNDING if cause.why == Why.REFUND_SETTLED:
            arriving.refunded(batch, row, cause)
        case State.DEPOSITING | State.REFUNDING | State.FROZEN:
            arriving.leave_for_clearing(batch, row, cause)
            arriving.returned(batch, row, cause)
        case State.WITHDRAWN | State.COMPLETED:
            arriving.returned(batch, row, cause)
