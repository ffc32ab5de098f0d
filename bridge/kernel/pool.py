"""Several calls at a time, in threads; one after the other where that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
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
    return in_lanes(call, items, lane=lambda _: "", at_once={"": at_once})


def in_lanes(
    call: Callable[[T], R], items: Sequence[T], *, lane: Callable[[T], str], at_once: Mapping[str, int]
) -> list[R]:
    """`each`, where every item has a lane and every lane its own `at_once`: a slow lane holds up no other."""
    if len(items) <= 1 or _serial.get():
        return [call(item) for item in items]
    results: list[Any] = [None] * len(items)
    waiting: dict[str, list[tuple[int, T]]] = {}
    for number, item in enumerate(items):
        waiting.setdefault(lane(item), []).append((number, item))

    def work(queue: Iterator[tuple[int, T]]) -> None:
        """Call, and call the next that nobody has taken: a thread costs more than a quick call."""
        for number, item in queue:
            results[number] = call(item)

    queues = [(iter(queue), min(at_once[name], len(queue))) for name, queue in waiting.items()]
    with ThreadPoolExecutor(sum(most for _, most in queues)) as threads:
        for done in [threads.submit(work, queue) for queue, most in queues for _ in range(most)]:
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
