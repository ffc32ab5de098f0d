"""One transfer comes to where its money is: transition, place in the fund, blocker, work and event, each in one breath.

`following` and the legs decide which; nothing here posts but the split of what is a transfer of its own. Needs the
batch's locks on the transfer and, unless said, on its place.

Longer than most modules: the arrivals are one table, and read best as one.
"""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from funds.models import Fund
from transfers import sentences
from transfers.models import BankInstruction, Transfer
from transfers.services import family, orders, splitting
from transfers.services.batch import Batch
from transfers.services.causes import Cause, Why
from transfers.states import NextStep, State, Step

if TYPE_CHECKING:
    from funds.places import Places

# Where nobody has decided otherwise, what arrives after these waits for people, under this blocker.
_ASKS = {
    Why.REFUND_REJECTED: (
        "refund_rejected",
        "The investor's bank rejected the refund: {said}. Check the account, then retry.",
    ),
    Why.REFUND_RETURNED: (
        "refund_returned",
        "The refund came back: {said}. Find another account of the investor, then refund.",
    ),
    Why.UNFROZEN: ("released", "Released from the freeze. Retry the deposit, or refund the investor."),
}
_HELD = {
    Why.DEPOSIT_REJECTED: (
        "deposit_rejected",
        "The fund's bank rejected the deposit: {said}. Retry the deposit or refund the investor.",
    ),
    Why.DEPOSIT_RETURNED: (
        "deposit_returned",
        "The fund's bank returned the deposit: {said}. Retry the deposit or refund the investor.",
    ),
}
_LATE = ("settled_late", "Money arrived after this transfer had ended. Find out why, then refund it.")
_OWED = (
    "advance_open",
    "The firm has advanced money for this family, and the law forbids to set it off against what is frozen. Wait for "
    "the release.",
)
_RECOVERED = (
    "written_off_recovered",
    "Money came back for which the firm had written off an advance. Reverse the write-off, or refund the investor.",
)


def next_for(batch: Batch, row: Transfer, cause: Cause) -> tuple[NextStep, str, str]:
    """What comes after an arrival in clearing, and the blocker's code and message where that is `none`."""
    if cause.next_step is not None and cause.next_step != NextStep.NONE:
        return cause.next_step, "", ""
    if cause.why in _ASKS:
        code, text = _ASKS[cause.why]
    elif family.advanced(batch.books, batch.family_of(row)) > 0:
        code, text = _OWED
    elif family.written_off(batch.books, batch.family_of(row)):
        code, text = _RECOVERED
    elif row.fund.on_deposit_failure == row.fund.OnDepositFailure.REFUND:
        return NextStep.REFUND, "", ""
    else:
        code, text = _HELD.get(cause.why, _LATE)
    return NextStep.NONE, code, text.format(said=cause.said)[:400]


def in_clearing(batch: Batch, row: Transfer, cause: Cause, amount: int) -> None:
    """Its money, `amount` minor units, is with us and nowhere else."""
    if row.state == State.WITHDRAWN:
        _changed_in_clearing(batch, row, cause, amount)
        return
    places, source = _places(batch), State(row.state)
    if source == State.COMPLETED:
        places.unconfirm(row.id)
    row.amount = amount
    _shrink_place(places, row)
    _leave(batch, row, cause, source, *next_for(batch, row, cause))


def decide_next(batch: Batch, row: Transfer, cause: Cause) -> None:
    """What kept it in clearing is over: its next step, or the blocker that asks people for it."""
    row.next_step, code, message = next_for(batch, row, cause)
    if row.next_step == NextStep.NONE:
        row.block(code, message, at=batch.at)
    _go_on(batch, row)


def leave_for_clearing(batch: Batch, row: Transfer, cause: Cause) -> None:
    """The way out of a state whose money is gone leads through `withdrawn`; the next step follows at once."""
    _leave(batch, row, cause, State(row.state), NextStep.REFUND, "", "")


def as_a_child(batch: Batch, row: Transfer, cause: Cause, amount: int) -> None:
    """`amount` in clearing is none of what this transfer is about: it goes on as a transfer of its own."""
    next_step, code, message = next_for(batch, row, cause)
    reason = _SURPLUS.get(cause.why, "More money arrived than this transfer is about.")
    splitting.split_off(batch, row, amount=amount, reason=reason, next_step=next_step, code=code, message=message)


_SURPLUS = {
    Why.WITHDRAWAL_SETTLED_AGAIN: "The investor's bank paid twice, or late.",
    Why.DEPOSIT_RETURNED: sentences.PART_OF_DEPOSIT_RETURNED,
    Why.REFUND_RETURNED: "A refund came back.",
    Why.REFUND_SETTLED: "The refund settled for less than was sent.",
    Why.DEPOSIT_SETTLED: "The deposit settled for less than was sent.",
}


def shrink(batch: Batch, row: Transfer, amount: int, reason: str) -> None:
    """It is about less than before; its place, reserved or confirmed, shrinks with it."""
    before = row.amount
    row.amount = amount
    _shrink_place(_places(batch), row)
    batch.note(row, "transfer.reduced", amount_before=before, reason=reason)


def kept_by_the_fund(batch: Batch, row: Transfer, cause: Cause, credited: int) -> None:
    """A deposit taken for rejected has settled: it is complete if there is a place for it, else it waits for one."""
    places = _places(batch)
    place = places.reserved_for(row.id)
    if not place and not places.has_room(row.fund_id, row.investor_id, row.amount):
        returned(batch, row, cause)
        message = (
            "Its money is with the fund, which has no place for it. Recall the deposit, or free a place and retry."
        )
        row.block("no_place", message, at=batch.at)
        batch.note(row, "transfer.blocked", code="no_place", message=message)
        batch.schedule(row, Step.BLOCKED, None)
        return
    if not place:
        places.reserve(
            transfer_id=row.id,
            fund_id=row.fund_id,
            investor_id=row.investor_id,
            amount=row.amount,
            expires_at=None,
            at=batch.at,
        )
    elif place > row.amount:
        places.resize(row.id, row.amount)
    else:
        row.amount = place
    brought_it = cause.order is not None and cause.order.fund_id == row.fund_id
    completed(batch, row, cause.order if brought_it else None, settled=credited, fee=0)


def at_its_former_fund(batch: Batch, row: Transfer, fund_id: uuid.UUID) -> None:
    """A deposit to the fund that people redirected it from has settled after all: it is that fund's again. Needs the
    locks of `Batch.lock_places_of_families`."""
    places, before = _places(batch), row.fund_id
    places.release(row.id)
    row.fund = Fund.objects.get(pk=fund_id)
    batch.note(row, "transfer.redirected", from_fund=before, reason=sentences.FORMER_FUND_SETTLED)


def completed(batch: Batch, row: Transfer, order: BankInstruction | None, *, settled: int, fee: int) -> None:
    """With the fund: the reservation is confirmed."""
    _places(batch).confirm(row.id)
    waits = orders.terms(order, row) if order else orders.waits(batch, row)
    row.complete(at=batch.at, final_at=waits.after(batch.at, "return_window"))
    batch.note(
        row, "transfer.completed", **({"instruction": order.id} if order else {}), settled_amount=settled, fee=fee
    )
    batch.finish(row)


def returned(batch: Batch, row: Transfer, cause: Cause) -> None:
    """Nothing of it is left in Bridge: the place is free again."""
    _places(batch).release(row.id)
    if row.state == State.COMPLETED:
        row.return_both(at=batch.at)
    else:
        row.return_withdrawal(at=batch.at)
    batch.note(row, "transfer.returned", **cause.instruction, amount_returned=row.amount, code=cause.code)
    batch.finish(row)


def refunded(batch: Batch, row: Transfer, cause: Cause) -> None:
    row.settle_refund(at=batch.at)
    order = cause.order
    batch.note(
        row,
        "transfer.refunded",
        **cause.instruction,
        settled_amount=order.settled_amount if order else row.amount,
        fee=order.fee if order else 0,
    )
    batch.finish(row)


def _leave(
    batch: Batch, row: Transfer, cause: Cause, source: State, next_step: NextStep, code: str, message: str
) -> None:
    """From `source` into `withdrawn`, with the event of how it came there."""
    data: dict[str, object] = {**cause.instruction, "next_step": next_step}
    more: dict[str, object]
    match source:
        case State.DEPOSITING:
            row.reject_deposit(at=batch.at, next_step=next_step)
            event, more = "transfer.deposit_rejected", {"code": cause.code, "reason": cause.said}
        case State.COMPLETED:
            row.return_deposit(at=batch.at, next_step=next_step)
            event, more = "transfer.deposit_returned", {"amount_returned": row.amount, "code": cause.code}
        case State.REFUNDING:
            row.reject_refund(at=batch.at, next_step=next_step)
            event, more = "transfer.refund_rejected", {"code": cause.code, "reason": cause.said}
        case State.FROZEN:
            row.unfreeze(at=batch.at, next_step=next_step)
            event, more, data = "transfer.unfrozen", {"reason": cause.said}, {"next_step": next_step}
        case _:
            row.reopen(at=batch.at, next_step=next_step)
            event, more = "transfer.reopened", {"amount_returned": row.amount, "code": cause.code}
    if next_step == NextStep.NONE:
        row.block(code, message, at=batch.at)
    batch.note(row, event, **data, **more)
    _go_on(batch, row)


def _changed_in_clearing(batch: Batch, row: Transfer, cause: Cause, amount: int) -> None:
    places, before = _places(batch), row.amount
    row.amount = amount
    if amount > before and places.reserved_for(row.id):
        places.resize(row.id, amount)
    _shrink_place(places, row)
    if cause.next_step is not None and cause.next_step != NextStep.NONE:
        row.next_step = cause.next_step
        row.unblock()
        _go_on(batch, row)
    elif amount == before:
        return
    reason = cause.reason or sentences.PART_OF_WITHDRAWAL_RETURNED
    event = "transfer.topped_up" if amount >= before else "transfer.reduced"
    batch.note(row, event, amount_before=before, reason=reason)


def _go_on(batch: Batch, row: Transfer) -> None:
    step = {NextStep.DEPOSIT: Step.DEPOSIT, NextStep.REFUND: Step.REFUND}.get(NextStep(row.next_step), Step.BLOCKED)
    batch.schedule(row, step, None if step == Step.BLOCKED else batch.at)


def _shrink_place(places: Places, row: Transfer) -> None:
    if places.taken_by(row.id) > row.amount:
        places.resize(row.id, row.amount)


def _places(batch: Batch) -> Places:
    assert batch.places is not None
    return batch.places
