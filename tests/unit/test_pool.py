"""Calls in threads: each lane its own number at a time, and results in the order of the items."""

from __future__ import annotations

import threading
from collections import Counter

import pytest

from bridge.kernel import pool

PATIENCE = 30  # seconds, for what must not hang


def test_results_come_in_the_order_of_the_items() -> None:
    items = [(name, number) for number in range(50) for name in ("harbor", "meridian")]
    found = pool.in_lanes(lambda item: item, items, lane=lambda item: item[0], at_once={"harbor": 1, "meridian": 7})
    assert found == items


def test_a_slow_lane_holds_up_no_other() -> None:
    """The slow one answers only when all of the other's calls are through."""
    done, left = threading.Event(), iter(range(40, -1, -1))

    def call(name: str) -> bool:
        if name == "slow":
            return done.wait(PATIENCE)
        if next(left) == 1:
            done.set()
        return True

    names = ["slow"] * 40 + ["quick"] * 40
    assert all(pool.in_lanes(call, names, lane=lambda name: name, at_once={"slow": 3, "quick": 1}))


def test_no_lane_has_more_than_its_number_at_a_time() -> None:
    now, most, lock = Counter[str](), Counter[str](), threading.Lock()
    together = {"two": threading.Barrier(2, timeout=PATIENCE), "three": threading.Barrier(3, timeout=PATIENCE)}

    def call(name: str) -> None:
        with lock:
            now[name] += 1
            most[name] = max(most[name], now[name])
        together[name].wait()
        with lock:
            now[name] -= 1

    pool.in_lanes(call, ["two", "three"] * 12, lane=lambda name: name, at_once={"two": 2, "three": 3})
    assert most == {"two": 2, "three": 3}


def test_what_a_call_raises_is_raised() -> None:
    def call(number: int) -> int:
        return 1 // number

    with pytest.raises(ZeroDivisionError):
        pool.each(call, [1, 2, 0, 4], at_once=2)


def test_serially_they_follow_one_another_here() -> None:
    with pool.serially():
        threads = set(pool.each(lambda _: threading.get_ident(), list(range(9)), at_once=4))
    assert threads == {threading.get_ident()}
