"""Every type of event that this app writes to the log. `docs/events/` has one JSON Schema for each."""

from __future__ import annotations

from enum import StrEnum


class EventType(StrEnum):
    REQUESTED = "transfer.requested"
    APPROVED = "transfer.approved"
    HELD = "transfer.held"
    WAITLISTED = "transfer.waitlisted"
    REJECTED = "transfer.rejected"
    CANCELLED = "transfer.cancelled"
    EXPIRED = "transfer.expired"
    WITHDRAWING = "transfer.withdrawing"
    WITHDRAWN = "transfer.withdrawn"
    FAILED = "transfer.failed"
    DEPOSITING = "transfer.depositing"
    COMPLETED = "transfer.completed"
    DEPOSIT_REJECTED = "transfer.deposit_rejected"
    DEPOSIT_RETURNED = "transfer.deposit_returned"
    REFUND_DUE = "transfer.refund_due"
    REFUNDING = "transfer.refunding"
    REFUNDED = "transfer.refunded"
    REFUND_REJECTED = "transfer.refund_rejected"
    RETURNED = "transfer.returned"
    REOPENED = "transfer.reopened"
    FROZEN = "transfer.frozen"
    UNFROZEN = "transfer.unfrozen"
    BLOCKED = "transfer.blocked"
    UNBLOCKED = "transfer.unblocked"
    SPLIT = "transfer.split"
    SPLIT_OFF = "transfer.split_off"
    REDUCED = "transfer.reduced"
    RECALL_DUE = "transfer.recall_due"
    RECALLING = "transfer.recalling"
    RECALL_REJECTED = "transfer.recall_rejected"
    BREAK_FOUND = "break.found"
    BREAK_CHANGED = "break.changed"
    BREAK_RESOLVED = "break.resolved"


TRANSFER_EVENTS = tuple(kind for kind in EventType if kind.startswith("transfer."))
BREAK_EVENTS = tuple(kind for kind in EventType if kind.startswith("break."))
