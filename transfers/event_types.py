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
    SETTLED_AGAIN = "transfer.settled_again"
    ADVANCE_OPENED = "transfer.advance_opened"
    ADVANCE_CLOSED = "transfer.advance_closed"
    TOPPED_UP = "transfer.topped_up"
    SPLIT = "transfer.split"
    SPLIT_OFF = "transfer.split_off"
    REDUCED = "transfer.reduced"
    RECALL_DUE = "transfer.recall_due"
    RECALLING = "transfer.recalling"
    RECALL_REJECTED = "transfer.recall_rejected"
    IDENTIFIED = "transfer.identified"
    WRITTEN_OFF = "transfer.written_off"
    CORRECTED = "transfer.corrected"
    REDIRECTED = "transfer.redirected"
    REFUND_REDIRECTED = "transfer.refund_redirected"
    RECEIPT_RECORDED = "receipt.recorded"
    RECEIPT_IDENTIFIED = "receipt.identified"
    RECEIPT_SENT_BACK = "receipt.sent_back"
    RECEIPT_REOPENED = "receipt.reopened"
    FLOAT_PUT_IN = "float.put_in"
    FLOAT_TAKEN_OUT = "float.taken_out"
    FLOAT_CHARGED = "float.charged"
    FLOAT_CORRECTED = "float.corrected"
    PARAMETERS_CHANGED = "parameters.changed"
    STOP_SET = "stop.set"
    STOP_WIDENED = "stop.widened"
    STOP_LIFTED = "stop.lifted"
    ALARM_RAISED = "alarm.raised"
    ALARM_CLEARED = "alarm.cleared"
    CIRCUIT_OPENED = "circuit.opened"
    CIRCUIT_CLOSED = "circuit.closed"
    BREAK_FOUND = "break.found"
    BREAK_CHANGED = "break.changed"
    BREAK_RESOLVED = "break.resolved"


TRANSFER_EVENTS = tuple(kind for kind in EventType if kind.startswith("transfer."))
BREAK_EVENTS = tuple(kind for kind in EventType if kind.startswith("break."))

# What the apps below write. It stands in the same log.
OTHER_EVENTS = (
    "account.details_changed",
    "account.edited",
    "account.opened",
    "approval.approved",
    "approval.expired",
    "approval.refused",
    "approval.rejected",
    "approval.requested",
    "approval.void",
    "approval.withdrawn",
    "compliance.recorded",
    "credential.revoked",
    "credential.stored",
    "fund.closing_begun",
    "fund.closing_ended",
    "fund.edited",
    "fund.limits_changed",
    "fund.opened",
    "fund.status_changed",
    "investor.edited",
    "investor.opened",
    "rule.activated",
    "rule.discarded",
    "rule.drafted",
    "rule.edited",
    "rule.ended",
    "subscription.recorded",
)
EVERY_EVENT = frozenset((*map(str, EventType), *OTHER_EVENTS))
