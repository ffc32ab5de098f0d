"""What must always be true, as SQL with names. Each app registers its own; `manage.py check_ledger` runs them all.

A query returns the rows that break the invariant: none means that it holds. Its first column names the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from django.db import connection

SHOWN = 20


@dataclass(frozen=True, slots=True)
class Invariant:
    name: str
    promise: str
    sql: str = ""
    check: Callable[[], list[dict[str, Any]]] | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    name: str
    promise: str
    rows: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False

    @property
    def holds(self) -> bool:
        return not self.rows


_registry: dict[str, Invariant] = {}


def register(*invariants: Invariant) -> None:
    """Called from an app's `ready()`. A name is taken once."""
    for invariant in invariants:
        if _registry.get(invariant.name, invariant) != invariant:
            raise ValueError(f"The invariant {invariant.name} is registered twice.")
        _registry[invariant.name] = invariant


def all_invariants() -> list[Invariant]:
    return [_registry[name] for name in sorted(_registry, key=_natural)]


def _natural(name: str) -> tuple[int, str]:
    digits = "".join(letter for letter in name.split(" ", maxsplit=1)[0] if letter.isdigit())
    return int(digits or 0), name


def verify(invariant: Invariant) -> Verdict:
    """Run one. Shows at most `SHOWN` rows and says whether there are more."""
    if invariant.check is not None:
        rows = invariant.check()
    else:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT * FROM ({invariant.sql}) AS broken LIMIT {SHOWN + 1}")  # noqa: S608 our own text
            names = [column.name for column in cursor.description]
            rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return Verdict(invariant.name, invariant.promise, rows[:SHOWN], more=len(rows) > SHOWN)


def verify_all() -> Iterable[Verdict]:
    return (verify(invariant) for invariant in all_invariants())
