"""Embedded services for tests: a throw-away PostgreSQL and Valkey beside the ones of `make run`.

Several test runs in one checkout take different slots (`.local/test/0`, `1`, …). `BRIDGE_TEST_SLOT` tells the
processes that a test starts which slot they belong to.
"""

from __future__ import annotations

import os
from pathlib import Path

from bridge.embedded.locks import FileLock
from bridge.embedded.paths import CHECKOUT, EmbeddedError, Places, places
from bridge.embedded.postgres import Postgres
from bridge.embedded.valkey import Valkey

_SLOTS = 16
_VARIABLE = "BRIDGE_TEST_SLOT"
_held: list[FileLock] = []


def reserve() -> Places:
    """The slot of this process: its parent's, or the first free one. Raises `EmbeddedError` when all are taken."""
    base = Path(os.environ.get("BRIDGE_STATE_DIR") or CHECKOUT / ".local") / "test"
    slot = os.environ.get(_VARIABLE)
    if slot is not None:
        return places(base / slot)
    for number in range(_SLOTS):
        lock = FileLock(base / str(number) / "lock")
        if lock.acquire():
            _held.append(lock)
            os.environ[_VARIABLE] = str(number)
            return places(base / str(number))
    raise EmbeddedError(f"All {_SLOTS} places for test runs in {base} are taken.")


class TestServices:
    """What `reserve` gave, started where the environment does not name a server."""

    __test__ = False  # not a test case, in spite of its name

    def __init__(self, where: Places, *, postgres: bool, valkey: bool) -> None:
        self._places = where
        self.postgres = Postgres(where, durable=False) if postgres else None
        self.valkey = Valkey(where, durable=False) if valkey else None

    def start(self) -> None:
        if self.postgres or self.valkey:
            self._places.prepare()
        for server in (self.postgres, self.valkey):
            if server is not None:
                server.start()

    def stop(self) -> None:
        for server in (self.valkey, self.postgres):
            if server is not None:
                server.stop()
