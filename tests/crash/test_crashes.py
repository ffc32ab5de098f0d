"""Bridge is killed at each crash point, for real, and recovers without a hand.

The usual run takes a sample; `BRIDGE_TEST_FULL=1` (`make test-full`) takes all 258 cases.
"""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from bridge.kernel.crashpoints import Moment, Point
from tests.crash.bugs import BUGS
from tests.crash.cases import ALL, Answer, Case, Kill, sample
from tests.crash.conftest import Nursery

CASES = ALL if os.environ.get("BRIDGE_TEST_FULL") else sample()


def test_there_are_258_and_the_sample_is_spread_over_them() -> None:
    assert (len(ALL), len(set(ALL))) == (258, 258)
    chosen = sample()
    assert 25 <= len(chosen) <= 35
    assert set(chosen) < set(ALL)
    assert {case.point.group for case in chosen} == {point.group for point in Point}
    assert {(case.kill, case.answer) for case in chosen} == {(kill, answer) for kill in Kill for answer in Answer}
    assert {case.point.partition(".")[2] for case in chosen} >= set(Moment)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_no_crash_loses_or_doubles_money(case: Case, recovers: Callable[[Case], list[str]]) -> None:
    assert recovers(case) == []


class TestTheCheckerSees:
    """The same cases, with a mistake planted in Bridge: each is reported, and as what it is."""

    @pytest.mark.parametrize(
        ("bug", "point", "answer", "said"),
        [
            ("blind_retry", Point.WITHDRAW_CALLED, Answer.OK, "moved money 2 times"),
            ("blind_retry", Point.WITHDRAW_CALLED, Answer.OK, "which we do not know"),
            ("not_found_is_failed", Point.WITHDRAW_CALLING, Answer.OK, "ends as 'failed'"),
            ("key_kept_afterwards", Point.SUBMIT_COMMITTED, Answer.OK, "was accepted once and exists 2 times"),
            ("told_afterwards", Point.DEPOSIT_OUTCOME_COMMITTED, Answer.OK, "I7 notifications does not hold"),
        ],
    )
    def test_a_planted_mistake(self, bug: str, point: Point, answer: Answer, said: str, nursery: Nursery) -> None:
        wrong = nursery.run(Case(point, Kill.PROCESS, answer, bug))
        assert any(said in line for line in wrong), wrong

    def test_every_mistake_is_tried(self) -> None:
        assert set(BUGS) == {"blind_retry", "not_found_is_failed", "key_kept_afterwards", "told_afterwards"}
