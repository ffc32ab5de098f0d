"""Our instructions beside the sandbox bank's own books, per reference, in both directions. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Ours:
    """One bank instruction of ours. Amounts in minor units; `ended` is false while we wait for its outcome."""

    key: str
    kind: str
    state: str
    amount: int
    currency: str
    settled_amount: int
    returned_amount: int
    live: bool


@dataclass(frozen=True, slots=True)
class Difference:
    reference: str
    ours: str
    theirs: str
    why: str


def compare(*, ours: Iterable[Ours], theirs: Iterable[Mapping[str, Any]]) -> list[Difference]:
    """Every difference. `theirs` must have been read before `ours`: we commit an intent before we send it."""
    there = {str(row["key"]): row for row in theirs}
    found = []
    for mine in ours:
        row = there.pop(mine.key, None)
        why = _difference(mine, row)
        if why:
            found.append(Difference(mine.key, _said(mine), _told(row), why))
    for key, row in there.items():
        found.append(Difference(key, "–", _told(row), "The bank has it, and we do not know its key."))
    return found


def _difference(mine: Ours, row: Mapping[str, Any] | None) -> str:
    if row is None:
        done = mine.state in ("settled", "returned", "acknowledged")
        return "We say that the bank has it; the bank does not." if done else ""
    if (row["kind"], row["amount"], row["currency"]) != (mine.kind, mine.amount, mine.currency):
        return "Kind, amount or currency differ."
    status = str(row["status"])
    if mine.live:
        return "" if status == "acknowledged" else f"The bank says {status}; we still wait."
    if status != mine.state:
        return "The states differ."
    if row["settled_amount"] != mine.settled_amount or row["returned_amount"] != mine.returned_amount:
        return "The amounts that moved differ."
    return ""


def _said(mine: Ours) -> str:
    return f"{mine.kind} {mine.state} {mine.settled_amount}/{mine.amount} {mine.currency}"


def _told(row: Mapping[str, Any] | None) -> str:
    if row is None:
        return "–"
    return f"{row['kind']} {row['status']} {row['settled_amount']}/{row['amount']} {row['currency']}"
