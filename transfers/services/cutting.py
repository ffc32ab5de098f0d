"""One step of a closing plan for one transfer: bring what it keeps down to what the plan says, where its money is now.

The plan says how much stays, not how: a transfer that moved on since is treated as it stands. Every function works
inside somebody's unit of work that has locked the transfer, its account and its place.
"""

from __future__ import annotations

from dataclasses import dataclass

from accounts import holds
from bridge.approvals.models import Approval
from transfers.blockers import Closing, closing_codes
from transfers.closing import GOES_BACK
from transfers.models import Transfer
from transfers.services import recalling, requesting, splitting, unwinding
from transfers.services.batch import Batch
from transfers.states import CANCELLABLE, ENDED, HELD, RECALL_DUE, RECALL_OPEN, NextStep, State

# Money in clearing that waits for people for one of these reasons may go back at once. Other reasons mean that
# somebody first has to find out where the money is.
SAFE_TO_REFUND = ("", *closing_codes(Closing.REFUNDS))


@dataclass(frozen=True, slots=True)
class Cut:
    """What became of a step, in plain words, and the transfer that was split off."""

    result: str
    child: Transfer | None = None


def cut(batch: Batch, transfer: Transfer, *, keep: int, reason: str, only_unmoved: bool = False) -> Cut | None:
    """Let the transfer keep `keep` minor units and give the rest back. `None`: not now, its money is on its way.

    With `only_unmoved`, what has begun to move is left to settle.
    """
    if transfer.state in CANCELLABLE:
        return _unmoved(batch, transfer, keep, reason)
    if only_unmoved:
        return Cut("It had begun to move and settles.")
    if transfer.state == State.WITHDRAWN:
        return _withdrawn(batch, transfer, keep, reason)
    if transfer.state == State.COMPLETED:
        return _completed(batch, transfer, keep, reason)
    rests = transfer.state in ENDED or transfer.state == State.FROZEN
    return Cut(f"Nothing could be done: it is {transfer.state}.") if rests else None


def _unmoved(batch: Batch, transfer: Transfer, keep: int, reason: str) -> Cut:
    if keep >= transfer.amount:
        return Cut("It kept its amount.")
    if keep and transfer.state in HELD:
        reduce(batch, transfer, amount=keep, reason=reason)
        return Cut("Reduced before its money moved.")
    if transfer.state in HELD:
        requesting.give_back(batch, transfer)
    if transfer.state == State.IN_REVIEW:
        batch.decided(transfer, Approval.State.WITHDRAWN, reason)
    transfer.cancel(at=batch.at)
    batch.note(transfer, "transfer.cancelled", reason=reason)
    batch.finish(transfer)
    return Cut("Cancelled before its money moved.")


def reduce(batch: Batch, transfer: Transfer, *, amount: int, reason: str) -> None:
    """Less is to be moved: hold and place shrink with the amount. A review in course begins anew, since an approval
    binds the amount that was seen."""
    assert batch.places is not None
    before = transfer.amount
    if not 0 < amount < before or transfer.state not in HELD:
        raise ValueError(f"{amount} is no part of {before}, or nothing is held")
    transfer.amount = amount
    transfer.cut_back += before - amount
    batch.places.resize(transfer.id, amount)
    batch.move(holds.released(transfer.source_account_id, before - amount))
    batch.note(transfer, "transfer.reduced", amount_before=before, reason=reason)
    if transfer.state == State.IN_REVIEW:
        batch.decided(transfer, Approval.State.VOID, reason)
        requesting.ask_for_review(batch, transfer)


def _withdrawn(batch: Batch, transfer: Transfer, keep: int, reason: str) -> Cut | None:
    if transfer.next_step == NextStep.REFUND or transfer.blocker_code in GOES_BACK:
        return Cut("It is going back already.")
    if keep >= transfer.amount:
        return Cut("It kept its amount.")
    if transfer.blocker_code not in SAFE_TO_REFUND:
        return None  # people look into it; the step waits for them
    if keep:
        child = splitting.split(batch, transfer, amount=transfer.amount - keep, reason=reason)
        return Cut("Split in clearing; the part is refunded.", child)
    unwinding.turn_back(batch, transfer, [{"rule": "closing", "reason": reason}])
    return Cut("Refund decided.")


def _completed(batch: Batch, transfer: Transfer, keep: int, reason: str) -> Cut | None:
    if transfer.blocker_code in (RECALL_DUE, RECALL_OPEN):
        return Cut("It was recalled already.") if not keep else None
    if keep >= transfer.amount:
        return Cut("It kept its amount.")
    if not keep:
        recalling.ask_back(batch, transfer, reason)
        return Cut("Recalled from the fund's bank.")
    child = splitting.split(batch, transfer, amount=transfer.amount - keep, reason=reason)
    recalling.ask_back(batch, child, reason)
    return Cut("Split at the fund; the part is recalled.", child)
