"""What a bank should have answered by now: shown to operations once, and gone by itself when it answers.

Nothing here moves money or stops the engine, which goes on asking. The outcomes of the bank's next report unblock the
transfer as they unblock one whose outcome was unknown. Time is the database's, the waits are the policy's: minutes
for an answer, business days of the rail for a settlement.
"""

from __future__ import annotations

from datetime import datetime

from bridge.kernel.gateway import InstructionKind
from transfers.models import BankInstruction, Transfer
from transfers.services import orders
from transfers.services.batch import Batch
from transfers.states import UNANSWERED, InstructionState

UNKNOWN, UNANSWERED_TOO_LONG, UNSETTLED_TOO_LONG = (
    "outcome_unknown",
    "acknowledgement_overdue",
    "settlement_overdue",
)
ABOUT_THE_ANSWER = (UNKNOWN, UNANSWERED_TOO_LONG)  # the bank's acknowledgement ends these
_GIVES_WAY = ("", UNKNOWN)  # any other blocker says more than a late bank does


def mind(batch: Batch, transfer: Transfer, order: BankInstruction) -> None:
    """Block a transfer whose bank is late with this instruction, once. Needs the batch's locks on both."""
    if order.kind == InstructionKind.RECALL or transfer.blocker_code not in _GIVES_WAY:
        return  # a recall takes days, and its own blocker shows it all the time
    code = late(transfer, order, batch.at)
    if not code:
        return
    message = _say(order, code)
    transfer.block(code, message, at=batch.at)
    batch.note(transfer, "transfer.blocked", code=code, message=message)


def answered(batch: Batch, transfer: Transfer) -> None:
    """The bank has accepted the order: what was blocked because it had not said so moves again."""
    if transfer.blocker_code not in ABOUT_THE_ANSWER:
        return
    code = transfer.blocker_code
    transfer.unblock()
    batch.note(transfer, "transfer.unblocked", code=code)


def late(transfer: Transfer, order: BankInstruction, at: datetime) -> str:
    """The blocker that this instruction has earned at `at`; nothing while the bank still has time."""
    if order.state in UNANSWERED and answer_by(transfer, order) <= at:
        return UNANSWERED_TOO_LONG
    if order.state == InstructionState.ACKNOWLEDGED and settle_by(transfer, order) <= at:
        return UNSETTLED_TOO_LONG
    return ""


def answer_by(transfer: Transfer, order: BankInstruction) -> datetime:
    """Until when the bank has time to accept or refuse."""
    return orders.terms(order, transfer).after(order.submitted_at or order.created_at, "acknowledge")


def settle_by(transfer: Transfer, order: BankInstruction) -> datetime:
    """Until when the bank has time to settle what it accepted."""
    return orders.terms(order, transfer).after(order.acknowledged_at or order.created_at, "settle_within")


def _say(order: BankInstruction, code: str) -> str:
    bank = order.institution.title()
    if code == UNANSWERED_TOO_LONG:
        return (
            f"{bank} has not said for too long whether it carried out the {order.kind} {order.reference}. "
            "Call them. Bridge keeps asking; nothing is sent twice."
        )
    return (
        f"{bank} accepted the {order.kind} {order.reference} and has not settled it in time. "
        "Ask them to trace it. Bridge keeps asking; pay nothing by hand."
    )
