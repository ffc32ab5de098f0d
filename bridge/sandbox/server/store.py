"""The store: one SQLite file in WAL mode, one row per record. A commit survives the death of the process."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from pathlib import Path

from bridge.sandbox.model.records import Record
from bridge.sandbox.server.codec import dump, load

SCHEMA = """
CREATE TABLE IF NOT EXISTS records (
    kind TEXT NOT NULL, id TEXT NOT NULL, body TEXT NOT NULL, PRIMARY KEY (kind, id)
) WITHOUT ROWID
"""
Change = tuple[str, str, str | None]


class Store:
    """Not thread-safe: whoever flushes holds the flush lock."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        # NORMAL loses the last commits with the machine's power, never with the process: enough for a sandbox.
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.execute(SCHEMA)

    def records(self) -> Iterator[Record]:
        for kind, body in self._db.execute("SELECT kind, body FROM records ORDER BY kind, id"):
            yield load(kind, body)

    def write(self, changes: list[Change], *, clear: bool = False) -> None:
        """One transaction: all of it or nothing. With `clear` everything before is dropped in the same commit."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            if clear:
                self._db.execute("DELETE FROM records")
            self._db.executemany(
                "INSERT INTO records (kind, id, body) VALUES (?, ?, ?) "
                "ON CONFLICT (kind, id) DO UPDATE SET body = excluded.body",
                [change for change in changes if change[2] is not None],
            )
            gone = [(kind, pk) for kind, pk, body in changes if body is None]
            if gone:
                self._db.executemany("DELETE FROM records WHERE kind = ? AND id = ?", gone)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._db.close()


def encoded(changes: Mapping[tuple[str, str], Record | None]) -> list[Change]:
    return [(kind, pk, None if record is None else dump(record)) for (kind, pk), record in changes.items()]
