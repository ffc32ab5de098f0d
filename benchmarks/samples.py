"""Samples between two runs of the reference, and what is said about them."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

STEADY = 2.0  # times; a reference that swings by more makes ratios of chance


@dataclass
class Paired:
    """Rates per second, each with the mean of the reference before and after it."""

    rates: list[float] = field(default_factory=list)
    references: list[float] = field(default_factory=list)

    @property
    def last(self) -> float:
        """The newest rate; 0 before the first."""
        return self.rates[-1] if self.rates else 0.0

    @property
    def ratios(self) -> list[float]:
        return [rate / reference for rate, reference in zip(self.rates, self.references, strict=True)]

    @property
    def ratio(self) -> float:
        return statistics.median(self.ratios)

    def as_json(self) -> dict[str, Any]:
        return {
            "rate": summary(self.rates),
            "reference": summary(self.references),
            "ratio": summary(self.ratios, digits=4),
        }


class Reference:
    """Runs the reference between samples: every sample has one before and one after, and neighbours share."""

    def __init__(self, run: Callable[[], float]) -> None:
        self._run = run
        self._last: float | None = None
        self.seen: list[float] = []

    def around(self, sample: Callable[[], float], into: Paired) -> float:
        before = self._last if self._last is not None else self._take()
        rate = sample()
        after = self._take()
        into.rates.append(rate)
        into.references.append((before + after) / 2)
        self._last = after
        return rate

    def forget(self) -> None:
        """What follows is too long after the last run to be its neighbour."""
        self._last = None

    def warning(self) -> str:
        """What a reader must know of a run whose reference was not one: nothing where it was steady."""
        least, most = min(self.seen, default=0.0), max(self.seen, default=0.0)
        if most <= STEADY * least:
            return ""
        return (
            f"pgbench itself did between {least:,.0f} and {most:,.0f} transactions a second in this run: the ratios "
            "are of a machine that changed under them. Take them again before you rely on one."
        )

    def _take(self) -> float:
        self.seen.append(self._run())
        return self.seen[-1]


def summary(values: Sequence[float], *, digits: int = 1) -> dict[str, float]:
    """Median and range."""
    return {
        "median": round(statistics.median(values), digits),
        "min": round(min(values), digits),
        "max": round(max(values), digits),
        "samples": len(values),
    }


def percentile(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
