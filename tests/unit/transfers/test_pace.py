from __future__ import annotations

import pytest

from transfers.engine.pace import Pace


def sizes(*rounds: tuple[float, int]) -> list[int]:
    """The size of the batch after each round of (seconds, pieces of work)."""
    pace, seen = Pace(least=200, most=2_000, bound=2.0), []
    for seconds, moved in rounds:
        pace.took(seconds, moved=moved)
        seen.append(pace.size)
    return seen


def test_it_grows_while_the_queue_is_deep_and_rounds_are_quick() -> None:
    assert sizes((0.1, 200), (0.2, 400), (0.4, 800), (0.8, 1_600), (0.9, 2_000)) == [400, 800, 1_600, 2_000, 2_000]


def test_a_queue_that_is_nearly_empty_lets_it_be() -> None:
    assert sizes((0.1, 199), (0.1, 0)) == [200, 200]


@pytest.mark.parametrize("seconds", [1.0, 1.5, 2.0])
def test_it_does_not_grow_past_what_a_round_may_take(seconds: float) -> None:
    assert sizes((seconds, 200)) == [200]


def test_a_slow_round_halves_it_down_to_the_least() -> None:
    assert sizes((0.1, 200), (0.1, 400), (2.1, 800), (5.0, 400), (5.0, 200)) == [400, 800, 400, 200, 200]
