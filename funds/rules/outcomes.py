"""What a rule may decide. Outcomes worsen in the order `pass`, `hold`, `waitlist`, `fail`."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum


class Outcome(StrEnum):
    """Compares by severity, not by spelling: `Outcome.PASS < Outcome.HOLD < Outcome.WAITLIST < Outcome.FAIL`."""

    PASS = "pass"  # noqa: S105  a decision, not a secret
    HOLD = "hold"  # a person must look
    WAITLIST = "waitlist"  # only a place in the fund is missing
    FAIL = "fail"  # never as it stands

    @property
    def rank(self) -> int:
        return _RANKS[self]

    def __lt__(self, other: str) -> bool:
        return _RANKS[self] < _rank_of(other)

    def __le__(self, other: str) -> bool:
        return _RANKS[self] <= _rank_of(other)

    def __gt__(self, other: str) -> bool:
        return _RANKS[self] > _rank_of(other)

    def __ge__(self, other: str) -> bool:
        return _RANKS[self] >= _rank_of(other)


_RANKS: dict[str, int] = {outcome: rank for rank, outcome in enumerate(Outcome)}


def _rank_of(other: str) -> int:
    try:
        return _RANKS[other]
    except KeyError:
        raise TypeError(f"{other!r} is not an outcome") from None


def worst(outcomes: Iterable[Outcome]) -> Outcome:
    """The worst of them; `pass` when there are none, for then nothing stands in the way."""
    return max(outcomes, key=_RANKS.__getitem__, default=Outcome.PASS)
