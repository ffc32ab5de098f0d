"""The states of a transfer and of a bank instruction, and the edges between them. Pure.

`EDGES` is the whole lifecycle: the transitions of the model, the trigger in the database and the graph in
`docs/LIFECYCLE.md` all come from it or are tested against it.
"""

from __future__ import annotations

from django.db import models


class State(models.TextChoices):
    REQUESTED = "requested", "requested"
    IN_REVIEW = "in_review", "in review"
    WAITLISTED = "waitlisted", "waitlisted"
    APPROVED = "approved", "approved"
    WITHDRAWING = "withdrawing", "withdrawing"
    WITHDRAWN = "withdrawn", "withdrawn"
    DEPOSITING = "depositing", "depositing"
    COMPLETED = "completed", "completed"
    REFUNDING = "refunding", "refunding"
    FROZEN = "frozen", "frozen"
    FAILED = "failed", "failed"
    REFUNDED = "refunded", "refunded"
    RETURNED = "returned", "returned"
    REJECTED = "rejected", "rejected"
    CANCELLED = "cancelled", "cancelled"
    EXPIRED = "expired", "expired"


S = State
EDGES: dict[State, tuple[State, ...]] = {
    S.REQUESTED: (S.APPROVED, S.IN_REVIEW, S.WAITLISTED, S.REJECTED),
    S.IN_REVIEW: (S.APPROVED, S.WAITLISTED, S.REJECTED, S.CANCELLED, S.EXPIRED),
    S.WAITLISTED: (S.APPROVED, S.IN_REVIEW, S.REJECTED, S.CANCELLED, S.EXPIRED),
    S.APPROVED: (S.WITHDRAWING, S.IN_REVIEW, S.REJECTED, S.CANCELLED, S.EXPIRED),
    S.WITHDRAWING: (S.WITHDRAWN, S.FAILED),
    S.WITHDRAWN: (S.DEPOSITING, S.REFUNDING, S.FROZEN, S.RETURNED, S.COMPLETED),
    S.DEPOSITING: (S.COMPLETED, S.WITHDRAWN),
    S.COMPLETED: (S.WITHDRAWN, S.RETURNED),
    S.REFUNDING: (S.REFUNDED, S.WITHDRAWN),
    S.FROZEN: (S.WITHDRAWN,),
    S.FAILED: (S.WITHDRAWN,),
    S.REFUNDED: (S.WITHDRAWN,),
    S.RETURNED: (S.WITHDRAWN,),
    S.REJECTED: (),
    S.CANCELLED: (),
    S.EXPIRED: (),
}

HELD = (S.IN_REVIEW, S.APPROVED)  # the investor's money is set aside
RESERVING = (S.IN_REVIEW, S.APPROVED, S.WITHDRAWING, S.WITHDRAWN, S.DEPOSITING)  # a place in the fund is reserved
ON_THE_BRIDGE = (S.WITHDRAWING, S.WITHDRAWN, S.DEPOSITING, S.REFUNDING, S.FROZEN)
ENDED = (S.COMPLETED, S.FAILED, S.REFUNDED, S.RETURNED, S.REJECTED, S.CANCELLED, S.EXPIRED)
OPEN = tuple(state for state in State if state not in ENDED)
CANCELLABLE = (S.IN_REVIEW, S.WAITLISTED, S.APPROVED)

# Where money of a transfer can be at the fund: a late deposit leaves even one that had ended with some there.
AT_THE_FUND = (S.COMPLETED, S.REFUNDED, S.RETURNED, S.FAILED)


# Blockers of a completed transfer: the recall is to be sent, is open, was refused.
RECALL_DUE, RECALL_OPEN, RECALL_REJECTED = "recall_due", "recall_open", "recall_rejected"


class InstructionState(models.TextChoices):
    PENDING = "pending", "pending"
    SUBMITTED = "submitted", "submitted"
    ACKNOWLEDGED = "acknowledged", "acknowledged"
    SETTLED = "settled", "settled"
    REJECTED = "rejected", "rejected"
    RETURNED = "returned", "returned"
    UNKNOWN = "unknown", "outcome unknown"


LIVE = (
    InstructionState.PENDING,
    InstructionState.SUBMITTED,
    InstructionState.ACKNOWLEDGED,
    InstructionState.UNKNOWN,
)
UNANSWERED = (InstructionState.SUBMITTED, InstructionState.UNKNOWN)


class Step(models.TextChoices):
    """What moves an open transfer next. One row of `Work` per open transfer says it."""

    DECIDE = "decide", "waits for a person, expires when due"
    PROMOTE = "promote", "waits for a place in the fund, expires when due"
    WITHDRAW = "withdraw", "withdrawal to be sent"
    ASK_WITHDRAWAL = "ask_withdrawal", "withdrawal sent, answer awaited"
    SETTLE_WITHDRAWAL = "settle_withdrawal", "withdrawal accepted, settlement awaited"
    DEPOSIT = "deposit", "deposit to be sent"
    ASK_DEPOSIT = "ask_deposit", "deposit sent, answer awaited"
    SETTLE_DEPOSIT = "settle_deposit", "deposit accepted, settlement awaited"
    REFUND = "refund", "refund to be sent"
    ASK_REFUND = "ask_refund", "refund sent, answer awaited"
    SETTLE_REFUND = "settle_refund", "refund accepted, settlement awaited"
    RECALL = "recall", "recall to be sent"
    ASK_RECALL = "ask_recall", "recall sent, answer awaited"
    SETTLE_RECALL = "settle_recall", "recall accepted, the money awaited"
    BLOCKED = "blocked", "cannot move by itself"


# The blocker of a transfer on which the engine itself failed, and where it goes on once people say so.
ENGINE_FAULT = "engine_fault"
RESUMES_AT = {
    State.IN_REVIEW: Step.DECIDE,
    State.WAITLISTED: Step.PROMOTE,
    State.APPROVED: Step.WITHDRAW,
    State.WITHDRAWING: Step.ASK_WITHDRAWAL,
    State.DEPOSITING: Step.ASK_DEPOSIT,
    State.REFUNDING: Step.ASK_REFUND,
}


class NextStep(models.TextChoices):
    """What comes after `withdrawn`; `none` requires a blocker."""

    DEPOSIT = "deposit", "deposit"
    REFUND = "refund", "refund"
    NONE = "none", "none"
