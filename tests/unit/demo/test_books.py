"""Our books beside the bank's: every kind of difference is named, and agreement is silent."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bridge.management.demo.books import Ours, compare

MINE = Ours("k1", "deposit", "settled", 500, "USD", 500, 0, live=False)
THEIRS = {
    "key": "k1", "kind": "deposit", "status": "settled", "amount": 500, "currency": "USD",
    "settled_amount": 500, "returned_amount": 0,
}  # fmt: skip


def _why(ours: Ours | None, theirs: dict[str, Any] | None) -> list[str]:
    return [item.why for item in compare(ours=[ours] if ours else [], theirs=[theirs] if theirs else [])]


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (MINE, THEIRS),
        (replace(MINE, state="rejected", settled_amount=0), None),
        (replace(MINE, state="rejected", settled_amount=0), THEIRS | {"status": "rejected", "settled_amount": 0}),
        (replace(MINE, state="unknown", settled_amount=0, live=True), None),
        (replace(MINE, state="unknown", settled_amount=0, live=True), THEIRS | {"status": "acknowledged"}),
        (None, None),
    ],
)
def test_what_agrees_is_not_named(ours: Ours | None, theirs: dict[str, Any] | None) -> None:
    assert _why(ours, theirs) == []


@pytest.mark.parametrize(
    ("ours", "theirs", "why"),
    [
        (MINE, None, "the bank does not"),
        (None, THEIRS, "do not know its key"),
        (None, THEIRS | {"status": "rejected"}, "do not know its key"),
        (replace(MINE, amount=501), THEIRS, "amount"),
        (replace(MINE, currency="EUR"), THEIRS, "currency"),
        (replace(MINE, kind="refund"), THEIRS, "Kind"),
        (replace(MINE, settled_amount=499), THEIRS, "moved"),
        (MINE, THEIRS | {"returned_amount": 1}, "moved"),
        (MINE, THEIRS | {"status": "returned"}, "states"),
        (replace(MINE, state="rejected", settled_amount=0), THEIRS, "states"),
        (replace(MINE, state="unknown", live=True), THEIRS, "still wait"),
    ],
)
def test_every_difference_is_named(ours: Ours | None, theirs: dict[str, Any] | None, why: str) -> None:
    (found,) = _why(ours, theirs)
    assert why in found
