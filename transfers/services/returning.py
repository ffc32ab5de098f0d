"""D4: the fund's bank sends a deposit back, whole or in part, asked or not.

After a split several transfers of a family share one deposit. What comes back belongs first to those who recalled it,
then to the transfer that made the deposit, then to its other children; each gets at most what it has at the fund.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from accounts.ledger import rows
from accounts.ledger.queries import at_the_fund
from bridge.kernel.gateway import InstructionKind, Report
from funds.models import Fund
from transfers.models import BankInstruction, Transfer
from transfers.services import outcomes, recalling, splitting
from transfers.services.batch import Batch
from transfers.states import RECALL_DUE, InstructionState, NextStep, State, Step


@dataclass(frozen=True, slots=True)
class Holder:
    """A transfer with money of the deposit at the fund, in minor units, and whether it asked for it."""

    transfer_id: uuid.UUID
    there: int
    recalled: bool


@dataclass(frozen=True, slots=True)
class Part:
    """What one transfer gets back. `given_up` leaves the fund's cash; what of it does not come `back` is a fee."""

    transfer_id: uuid.UUID
    given_up: int
    back: int


def share_out(back: int, holders: Sequence[Holder]) -> list[Part]:
    """Whose money came back: holders in the order of their right to it. Pure. [] where there is more than they have.

    Less than the one holder has, or than the one who recalled it asked for, is read as the whole less a fee. Less
    than several have is a partial return to the last of them.
    """
    if back <= 0 or back > sum(holder.there for holder in holders):
        return []
    asked = [holder for holder in holders if holder.recalled] or list(holders[: 1 if len(holders) == 1 else 0])
    if len(asked) == 1 and back < asked[0].there:
        return [Part(asked[0].transfer_id, asked[0].there, back)]
    parts = []
    for holder in sorted(holders, key=lambda holder: not holder.recalled):
        take = min(back, holder.there)
        if take:
            parts.append(Part(holder.transfer_id, take, take))
            back -= take
    return parts


def returned(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report) -> None:
    """Post D4 for each transfer whose money came back; what was recalled is refunded, else the fund's policy says."""
    back = report.returned_amount - order.returned_amount
    holders = _holders(batch, transfer, order)
    parts = share_out(back, holders)
    if not parts:
        raise outcomes.UnexpectedEvidence(reported="returned", state=order.get_state_display())
    there = {holder.transfer_id: holder.there for holder in holders}
    for part in parts:
        holder = batch.transfers[part.transfer_id]
        if part.given_up < there[part.transfer_id] and part.given_up < holder.amount:
            holder = splitting.split(
                batch, holder, amount=part.given_up, reason="The fund's bank sent back a part of the deposit."
            )
        _take_back(batch, holder, order, report, part)


def after_failure(transfer: Transfer) -> NextStep:
    """What the fund's policy says about money that the fund did not keep."""
    if transfer.fund.on_deposit_failure == Fund.OnDepositFailure.REFUND:
        return NextStep.REFUND
    return NextStep.NONE


def go_on(batch: Batch, transfer: Transfer, next_step: NextStep, why: str) -> None:
    """In clearing again: a refund is due at once, else people are told why nothing happens."""
    if next_step == NextStep.REFUND:
        batch.schedule(transfer, Step.REFUND, batch.at)
        return
    transfer.block("deposit_rejected", f"{why} Retry the deposit or refund the investor."[:400], at=batch.at)
    batch.schedule(transfer, Step.BLOCKED, None)


def _holders(batch: Batch, transfer: Transfer, order: BankInstruction) -> list[Holder]:
    """Those with money of this deposit at the fund: who recalled it, who made it, then the others by age."""
    family = [
        row for row in batch.transfers.values() if row.family_id == transfer.family_id and row.state == State.COMPLETED
    ]
    if [row.id for row in family] == [transfer.id] and not order.returned_amount:
        there = {transfer.id: order.settled_amount}  # also where it settled in this very unit of work
    else:
        there = at_the_fund([row.id for row in family])
    brought = recalling.deposits_of([row for row in family if row.id != transfer.id])
    own = [transfer] if transfer in family and there.get(transfer.id, 0) > 0 else []
    if own and recalling.deposits_of(own).get(transfer.id, order).id != order.id:
        own = []  # it was paid again by a later deposit
    others = [row for row in family if row.id in brought and brought[row.id].id == order.id]
    asked = {recall.transfer_id for recall in _recalls(batch, order)}
    asked |= {row.id for row in family if row.blocker_code == RECALL_DUE}
    rows_ = [*own, *sorted(others, key=lambda row: row.id)]
    return [Holder(row.id, there[row.id], row.id in asked) for row in rows_ if there.get(row.id, 0) > 0]


def _recalls(batch: Batch, deposit: BankInstruction) -> list[BankInstruction]:
    return [
        row
        for row in batch.instructions.values()
        if row.kind == InstructionKind.RECALL and row.recalls_id == deposit.id and not row.returned_amount
    ]


def _take_back(batch: Batch, holder: Transfer, order: BankInstruction, report: Report, part: Part) -> None:
    assert batch.places is not None
    batch.post(
        rows.deposit_returned(
            batch.parties(holder, order, report.at), amount=part.given_up, fee=part.given_up - part.back
        )
    )
    batch.places.unconfirm(holder.id)
    batch.places.resize(holder.id, part.back)
    holder.amount = part.back
    recalled = _answer_recall(batch, holder, order, report, part)
    next_step = NextStep.REFUND if recalled else after_failure(holder)
    holder.return_deposit(at=batch.at, next_step=next_step)
    go_on(batch, holder, next_step, f"The fund's bank returned the deposit: {report.reason or report.code}.")
    batch.note(
        holder,
        "transfer.deposit_returned",
        instruction=order.id,
        amount_returned=part.back,
        code=report.code,
        next_step=next_step,
    )


def _answer_recall(batch: Batch, holder: Transfer, order: BankInstruction, report: Report, part: Part) -> bool:
    """The money says more than the bank's word: a recall whose deposit came back has succeeded."""
    if holder.blocker_code == RECALL_DUE:
        return True  # people have decided, and the bank was faster
    answered = [row for row in _recalls(batch, order) if row.transfer_id == holder.id]
    for recall in answered:
        recall.returned_amount = part.back
        if recall.is_live:
            recall.state = InstructionState.SETTLED
            recall.settled_at, recall.ended_at = report.at or batch.at, batch.at
        batch.answered(recall)
    return bool(answered)
