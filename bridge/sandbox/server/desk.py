"""One bank shared by many threads: a lock around the model, and a commit before every answer.

A call changes the books in memory under the lock and then waits for the commit that holds its changes. Whoever gets
the flush lock first commits the changes of all calls so far, so concurrent calls share one commit. Reads wait too:
nobody is ever told what a crash could still take back.
"""

from __future__ import annotations

import fcntl
import logging
import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Lock
from typing import TypeVar

from bridge.sandbox.model import Bank, Books
from bridge.sandbox.server.store import Store, encoded

T = TypeVar("T")
log = logging.getLogger("bridge.sandbox")
EXIT_STORE_FAILED = 70


class StateInUse(Exception):
    """Another process serves this state directory."""


class Desk:
    """The bank, its store and its clock."""

    def __init__(self, state: Path, *, seed: str = "0") -> None:
        """Open or create the state directory. Raises `StateInUse`."""
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._held = (state / "lock").open("w")
        try:
            fcntl.flock(self._held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StateInUse(f"another sandbox bank serves {state}") from error
        self._store = Store(state / "bank.sqlite3")
        self._seed = seed
        self._lock = Lock()
        self._flush_lock = Lock()
        self._calls = 0
        self._flushed = 0
        self._clear = False
        records = list(self._store.records())
        self._bank = Bank(Books.restored(records, seed=seed) if records else self._new_books())
        self._flush(1)

    def _new_books(self) -> Books:
        return Books(epoch=secrets.token_hex(3), seed=self._seed)

    def _now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self._bank.books.meta.offset_seconds)

    def call(self, work: Callable[[Bank, datetime], T]) -> T:
        """Run `work(bank, now)` alone, and return its result once all it changed is committed.

        `now` is sandbox time. What `work` returns must not change later: it is read outside the lock.
        """
        with self._lock:
            result = work(self._bank, self._now())
            self._calls += 1
            ticket = self._calls
        self._flush(ticket)
        return result

    def reset(self) -> None:
        """A new bank: no accounts, no instructions, default settings, real time, and ids never used before."""
        with self._lock:
            self._bank = Bank(self._new_books())
            self._clear = True
            self._calls += 1
            ticket = self._calls
        self._flush(ticket)

    def _flush(self, ticket: int) -> None:
        with self._flush_lock:
            if self._flushed >= ticket:
                return
            with self._lock:
                flushed = self._calls
                changes = encoded(self._bank.books.drain())
                clear, self._clear = self._clear, False
            if changes or clear:
                try:
                    self._store.write(changes, clear=clear)
                except BaseException:
                    # Memory is now ahead of the store. Only a restart brings back what was promised.
                    log.exception("the store failed; stopping so that nothing is promised that was not kept")
                    os._exit(EXIT_STORE_FAILED)
            self._flushed = flushed

    def close(self) -> None:
        with self._flush_lock:
            self._store.close()
        self._held.close()
