"""D4: the fund's bank sends a deposit back, whole or in part, asked or not.

After a split several transfers of a family share one deposit. What comes back belongs first to those who recalled it,
then to the transfer that made the deposit, then to its other children; each gets at most what it has at the fund.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace

from accounts.ledger import rows
from accounts.ledger.queries import interest_of
from bridge.kernel.gateway import InstructionKind, Report
from transfers.models import BankInstruction, Transfer
from transfers.services import outcomes
from transfers.services.batch import Batch
from transfers.services.causes import Cause, Why
from transfers.services.following import follow, show_advance
from transfers.states import ENDED, RECALL_DUE, RECALL_OPEN, InstructionState, NextStep


@dataclass(frozen=True, slots=True)
class Holder:
    """A transfer with money of the deposit at the fund, in minor units, and whether it asked for it."""

    transfer_id: uuid.UUID
    there: int
    recalled: bool


@dataclass(frozen=True, slots=True)
class Part:
    """What one transfer gets back: `given_up` leaves the fund's cash, `fee` of it was kept on the way, `interest` came
    on top."""

    transfer_id: uuid.UUID
    given_up: int
    fee: int = 0
    interest: int = 0


def share_out(back: int, fee: int, holders: Sequence[Holder], *, interest: int = 0) -> list[Part]:
    """Whose money came back: those who recalled it, in the order of their right to it, then the others. Pure.

    `fee` and `interest` are what the bank says that it kept of it and that came on top. What is more than they all have
    there is interest too; it belongs to the first. The parts come to `back`. [] where nobody has anything there.
    """
    ranked = sorted(holders, key=lambda holder: not holder.recalled)
    left, parts = back + fee - interest, []
    for holder in ranked:
        take = min(left, holder.there)
        if take:
            parts.append(Part(holder.transfer_id, take))
            left -= take
    if not parts:
        return []
    for number, part in enumerate(parts):
        parts[number] = replace(part, fee=min(fee, part.given_up))
        fee -= parts[number].fee
    parts[0] = replace(parts[0], interest=interest + left - fee)
    return parts


def returned(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report, back: int, fee: int) -> None:
    """Post D4 for each transfer whose money came back; what was recalled is refunded, else the fund's policy says."""
    parts = share_out(back, fee, _holders(batch, transfer, order), interest=_interest(order, report))
    if not parts:
        raise outcomes.UnexpectedEvidence(reported="returned", state=order.get_state_display())
    for part in parts:
        holder = batch.transfers[part.transfer_id]
        who = batch.parties(holder, order, report.at)
        batch.post(rows.deposit_returned(who, amount=part.given_up, fee=part.fee, interest=part.interest))
        recalled = _answer_recall(batch, holder, order, report, part)
        next_step = NextStep.REFUND if recalled else None
        follow(batch, holder, Cause(Why.DEPOSIT_RETURNED, order, report, next_step=next_step))
        if recalled and holder.blocker_code in (RECALL_DUE, RECALL_OPEN):
            _close_recall(batch, holder)


def _interest(order: BankInstruction, report: Report) -> int:
    """What of this return is interest, where the institution itemises it: its figure is of all returns so far."""
    return max(report.interest - interest_of(order.id), 0) if report.interest else 0


def _holders(batch: Batch, transfer: Transfer, order: BankInstruction) -> list[Holder]:
    """Those of the family with money at the deposit's fund: who made this deposit first, then the others by age."""
    members = batch.family_of(transfer)
    books = batch.load_books(members)
    asked = {recall.transfer_id for recall in _recalls(batch, order)}
    asked |= {row.id for row in members if row.blocker_code == RECALL_DUE}
    ranked = sorted(members, key=lambda row: (row.id != transfer.id, row.id))
    assert order.fund_id is not None
    there = {row.id: books.of(row.id).at_funds.get(order.fund_id, 0) for row in ranked}
    return [Holder(row.id, there[row.id], row.id in asked) for row in ranked if there[row.id] > 0]


def _recalls(batch: Batch, deposit: BankInstruction) -> list[BankInstruction]:
    return [
        row
        for row in batch.instructions.values()
        if row.kind == InstructionKind.RECALL and row.recalls_id == deposit.id and not row.returned_amount
    ]


def _answer_recall(batch: Batch, holder: Transfer, order: BankInstruction, report: Report, part: Part) -> bool:
    """The money says more than the bank's word: a recall whose deposit came back has succeeded."""
    due = holder.blocker_code == RECALL_DUE  # people have decided, and the bank was faster
    answered = [row for row in _recalls(batch, order) if row.transfer_id == holder.id]
    for recall in answered:
        recall.returned_amount = part.given_up - part.fee + part.interest
        if recall.is_live:
            recall.state = InstructionState.SETTLED
            recall.settled_at, recall.ended_at = report.at or batch.at, batch.at
        batch.answered(recall)
    return due or bool(answered)


def _close_recall(batch: Batch, holder: Transfer) -> None:
    """What came back did not move the holder itself: it repaid the firm, or went on as a child."""
    code = holder.blocker_code
    holder.unblock()
    batch.note(holder, "transfer.unblocked", code=code, reason="The fund's bank sent the money back.")
    if holder.state in ENDED:
        batch.finish(holder)
    show_advance(batch, holder)
