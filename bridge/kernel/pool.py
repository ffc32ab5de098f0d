"""Several calls at a time, in threads; one after the other where that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_serial: ContextVar[bool] = ContextVar("calls_are_serial", default=False)


def each(call: Callable[[T], R], items: Sequence[T], *, at_once: int) -> list[R]:
    """`call` of every item, at most `at_once` at a time; the results in the order of the items.

    Raises what the first call that failed raised.
    """
    if len(items) <= 1 or _serial.get():
        return [call(item) for item in items]
    results: list[Any] = [None] * len(items)
    waiting = iter(enumerate(items))

    def work() -> None:
        """Call, and call the next that nobody has taken: a thread costs more than a quick call."""
        for number, item in waiting:
            results[number] = call(item)

    with ThreadPoolExecutor(at_once) as threads:
        for done in [threads.submit(work) for _ in range(min(at_once, len(items)))]:
            done.result()
    return results


@contextmanager
def serially() -> Iterator[None]:
    """Inside the block calls follow one another in this very thread: a simulation repeats itself only so."""
    token = _serial.set(True)
    try:
        yield
    finally:
        _serial.reset(token)
