"""Many threads at one gate: each with its own connection, all let go at once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from django.db import connections

T = TypeVar("T")
PATIENCE = 60  # seconds until a thread that never comes is given up


def at_once(calls: Sequence[Callable[[], T]]) -> list[T | Exception]:
    """Run all calls at the same moment, one thread each; their results or errors, in order."""
    gate = threading.Barrier(len(calls))

    def one(call: Callable[[], T]) -> T | Exception:
        try:
            connections["default"].ensure_connection()
            gate.wait(PATIENCE)
            return call()
        except Exception as error:
            return error
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(one, calls))


def errors(results: Sequence[object]) -> list[Exception]:
    return [result for result in results if isinstance(result, Exception)]
