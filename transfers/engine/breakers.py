"""What one batch of calls learns while it runs: once an institution has fallen silent, the rest is not called."""

from __future__ import annotations

from bridge.kernel.gateway import Outcome, Report

# The institution has spoken, though it does not say what became of the order.
ANSWERS = ("key_reused",)


class Breaker:
    """One institution in one batch. `limit`: calls without an answer, one after the other, after which it is silent.

    Its lists grow from several threads; appending is atomic.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.answers: list[bool] = []

    @property
    def silent(self) -> bool:
        tail = self.answers[-self.limit :]
        return len(tail) == self.limit and not any(tail)

    def heard(self, report: Report) -> None:
        self.answers.append(report.outcome != Outcome.UNKNOWN or report.code in ANSWERS)
