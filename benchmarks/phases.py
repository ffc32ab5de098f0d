"""Where the time of a batch goes: wall time, this process's CPU and statements, per named function.

The functions are wrapped from outside; the engine knows nothing of it. A phase inside another counts in both.
"""

from __future__ import annotations

import functools
import importlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

STEPS = {
    "claim": "transfers.engine.claims:claim",
    "gather balances": "transfers.facts:gather",
    "begin withdrawals": "transfers.services:begin_withdrawals",
    "begin deposits": "transfers.services:begin_deposits",
    "call institutions": "transfers.engine.calls:submit",
    "settle withdrawals": "transfers.engine.steps:SETTLE[withdrawal]",
    "settle deposits": "transfers.engine.steps:SETTLE[deposit]",
}
PARTS = {
    "· rules": "transfers.services.verifying:_judge",
    "· events": "bridge.events.services:append",
    "· ledger": "accounts.ledger.services:post",
    "· notifications": "notifications.receivers:insert_all",
}


class Meter:
    """Totals per phase since the last `take`."""

    def __init__(self) -> None:
        self._totals: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0])
        self._statements = 0

    def watch(self) -> None:
        """Wrap every phase that the code still has."""
        for name, where in (STEPS | PARTS).items():
            module, _, attribute = where.partition(":")
            target = importlib.import_module(module)
            if attribute.endswith("]"):
                table, _, key = attribute[:-1].partition("[")
                mapping = getattr(target, table)
                mapping[key] = self._timed(name, mapping[key])
            elif hasattr(target, attribute):
                setattr(target, attribute, self._timed(name, getattr(target, attribute)))

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Count the statements of this process's connection."""
        from django.db import connection

        def count(execute: Callable[..., Any], *arguments: Any) -> Any:
            self._statements += 1
            return execute(*arguments)

        with connection.execute_wrapper(count):
            yield

    def take(self) -> dict[str, dict[str, float]]:
        taken = {name: dict(zip(("wall", "cpu", "statements"), row, strict=True)) for name, row in self._totals.items()}
        self._totals.clear()
        return taken

    def _timed(self, name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            wall, cpu, statements = time.perf_counter(), time.process_time(), self._statements
            try:
                return function(*arguments, **named)
            finally:
                row = self._totals[name]
                row[0] += time.perf_counter() - wall
                row[1] += time.process_time() - cpu
                row[2] += self._statements - statements

        return timed
