"""Why the state of a transfer must follow its money: what was posted, and on whose word."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from bridge.kernel.gateway import Report
from transfers.models import BankInstruction
from transfers.states import NextStep


class Why(StrEnum):
    """What was posted."""

    WITHDRAWAL_RETURNED = "withdrawal_returned"
    WITHDRAWAL_SETTLED_AGAIN = "withdrawal_settled_again"
    DEPOSIT_SETTLED = "deposit_settled"
    DEPOSIT_REJECTED = "deposit_rejected"
    DEPOSIT_RETURNED = "deposit_returned"
    DEPOSIT_SETTLED_AGAIN = "deposit_settled_again"
    REFUND_SETTLED = "refund_settled"
    REFUND_REJECTED = "refund_rejected"
    REFUND_RETURNED = "refund_returned"
    REFUND_SETTLED_AGAIN = "refund_settled_again"
    UNFROZEN = "unfrozen"
    TOPPED_UP = "topped_up"
    IDENTIFIED = "identified"
    WRITTEN_OFF = "written_off"
    CORRECTED = "corrected"
    FAMILY = "family"  # something happened to a relative


@dataclass(frozen=True, slots=True)
class Cause:
    """Why money moved, and on whose word. `next_step` is what people have decided about money that arrives, `grows_to`
    how large (minor units) what they add may make the transfer."""

    why: Why
    order: BankInstruction | None = None
    report: Report | None = None
    next_step: NextStep | None = None
    reason: str = ""
    grows_to: int = 0

    @property
    def code(self) -> str:
        return self.report.code[:20] if self.report else ""

    @property
    def said(self) -> str:
        """In the bank's words."""
        return (self.reason or (self.report and (self.report.reason or self.report.code)) or "no reason given")[:200]

    @property
    def instruction(self) -> dict[str, Any]:
        """For an event's data."""
        return {"instruction": self.order.id} if self.order else {}
