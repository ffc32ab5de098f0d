"""The cases: every crash point, killed in two ways, with the bank answering in three; and what must come of each."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from bridge.kernel.crashpoints import Point


class Kill(StrEnum):
    """Who is killed with SIGKILL when the point is reached."""

    PROCESS = "process"  # Bridge: its web server and its worker at once
    POSTGRES = "postgres"  # the postmaster and all its children; the process goes on and fails by itself


class Answer(StrEnum):
    """What the bank says to the two orders of the leg that the case is about: each kind of answer in two ways."""

    OK = "ok"  # acknowledged, settled a second later
    DECLINED = "declined"  # one in the reply, one only when it should settle
    UNKNOWN = "unknown"  # one was carried out and the reply is lost, one failed with a 500 and was not


@dataclass(frozen=True, slots=True)
class Case:
    point: Point
    kill: Kill
    answer: Answer
    bug: str = ""  # a mistake to plant in Bridge, of `tests.crash.bugs`

    @property
    def name(self) -> str:
        return "-".join(filter(None, (self.point, self.kill, self.answer, self.bug)))

    @property
    def leg(self) -> str:
        """The kind of instruction that the bank answers in this way."""
        return {"deposit": "deposit", "refund": "refund"}.get(self.point.group, "withdrawal")

    @property
    def ends(self) -> tuple[str, str]:
        """The state in which each of the two transfers must end, with its blocker where it has one."""
        declined = {"withdrawal": "failed", "deposit": "refunded", "refund": "withdrawn refund_rejected"}[self.leg]
        usual = "refunded" if self.leg == "refund" else "completed"
        state = declined if self.answer is Answer.DECLINED else usual
        return state, ("expired" if self.point.group == "expire" else state)


ALL = [Case(point, kill, answer) for point in Point for kill in Kill for answer in Answer]


def sample() -> list[Case]:
    """About thirty that differ as much as they can: every third point or so, with kills and answers in turn; each
    group, each moment of a leg, each kill and each answer is among them."""
    turns = [(kill, answer) for answer in Answer for kill in Kill]
    chosen = [Case(point, *turns[number % len(turns)]) for number, point in enumerate(Point)]
    return [case for number, case in enumerate(chosen) if number % 10 not in (3, 6, 8)]
