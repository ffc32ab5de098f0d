"""Which values of a rule are in force when: rows with a beginning, for one fund or for all.

A fund's own row stands alone: what it leaves out has the rule's default, not the value of the row for all funds, so
that one row and its version explain a decision.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from funds.rules.registry import VERSION, Values


@dataclass(frozen=True, slots=True)
class ParameterRow:
    """Values of one rule from `effective_from` on, up to but without `effective_until`. `fund` None: all funds."""

    rule: str
    version: int
    values: Values
    effective_from: datetime
    effective_until: datetime | None = None
    fund: str | None = None

    def covers(self, at: datetime) -> bool:
        return self.effective_from <= at and (self.effective_until is None or at < self.effective_until)


@dataclass(frozen=True, slots=True)
class Span:
    """One stretch of a timeline; `row` None: the rule's defaults are in force."""

    begins: datetime
    ends: datetime | None
    row: ParameterRow | None


def in_force(*, rows: Iterable[ParameterRow], fund: str, at: datetime) -> dict[str, Values]:
    """What `verify` takes as `parameters`: rule → values with their version.

    A fund's own row goes before one for all funds; among equals the one that began last, then the higher version.
    """
    best: dict[str, ParameterRow] = {}
    for row in rows:
        if row.fund in (None, fund) and row.covers(at) and _precedes(row, best.get(row.rule)):
            best[row.rule] = row
    return {rule: {**row.values, VERSION: row.version} for rule, row in best.items()}


def timeline(*, rows: Iterable[ParameterRow], rule: str, fund: str) -> list[Span]:
    """Which row is in force from when to when, from the first beginning on; neighbours with one row are one span."""
    own = [row for row in rows if row.rule == rule and row.fund in (None, fund)]
    moments = sorted({row.effective_from for row in own} | {row.effective_until for row in own if row.effective_until})
    spans: list[Span] = []
    for begins, ends in zip(moments, [*moments, None][1:], strict=True):
        row: ParameterRow | None = None
        for candidate in own:
            if candidate.covers(begins) and _precedes(candidate, row):
                row = candidate
        if spans and spans[-1].row == row:
            spans[-1] = Span(spans[-1].begins, ends, row)
        else:
            spans.append(Span(begins, ends, row))
    return spans


def _precedes(row: ParameterRow, other: ParameterRow | None) -> bool:
    return other is None or _weight(row) > _weight(other)


def _weight(row: ParameterRow) -> tuple[bool, datetime, int]:
    return row.fund is not None, row.effective_from, row.version
