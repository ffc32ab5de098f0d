"""Garbage collection at a time of our own choosing.

Python looks for cycles every seven hundred new objects, at last among everything that the process has loaded.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def collected_between() -> Iterator[Callable[[], None]]:
    """Inside the block nothing is looked for but when the caller says so: call what this gives between two batches.

    A batch makes some hundred thousand objects that all go when it ends, without cycles. Looking for some took a
    fifth of the engine's time, and a third of a bulk request's.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield _collect_young
    finally:
        if was:
            gc.enable()


def settled() -> None:
    """What a process has loaded by now stays for as long as it lives: it is not looked through again."""
    gc.collect()
    gc.freeze()


def _collect_young() -> None:
    gc.collect(1)
