"""The scratch PostgreSQL of simulations: no durability, one migrated database, one copy of it for every worker.

Durability is tested elsewhere, by killing processes; here only the speed of a commit counts. The server's data stay
below `.local/simulation/`, so that only the first run after a change of the migrations has to migrate.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql

from bridge.embedded.locks import FileLock
from bridge.embedded.paths import CHECKOUT, EmbeddedError, Places, places
from bridge.embedded.postgres import Postgres

_SLOTS = 8
_APPS = ("bridge", "accounts", "funds", "transfers", "notifications")


@contextmanager
def scratch_server() -> Iterator[Scratch]:
    """A server of our own for the time of the block. Raises `EmbeddedError` where none can be had."""
    where, lock = _slot()
    try:
        where.prepare()
        server = Postgres(where, durable=False)
        server.start()
        try:
            yield Scratch(where)
        finally:
            server.stop()
    finally:
        lock.release()


class Scratch:
    """A running server."""

    def __init__(self, where: Places) -> None:
        self._where = where
        self._host = str(where.postgres_socket)

    def url(self, database: str) -> str:
        return f"postgresql://bridge@{quote(self._host, safe='')}/{database}"

    def databases(self, names: list[str], *, tree: Path = CHECKOUT) -> list[str]:
        """Fresh copies of the migrated database under these names; returns their addresses."""
        template = self._migrated(tree)
        with self._connect() as connection:
            for name in names:
                target = sql.Identifier(name)
                connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(target))
                copy = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
                connection.execute(copy.format(target, sql.Identifier(template)))
        return [self.url(name) for name in names]

    def _migrated(self, tree: Path) -> str:
        """The name of a database with the migrations of this tree, made where there is none yet."""
        name = f"migrated_{_fingerprint(tree)}"
        with self._connect() as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone()
            if known is not None:
                return name
            half = sql.Identifier("migrating")
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(half))
            connection.execute(sql.SQL("CREATE DATABASE {}").format(half))
        done = subprocess.run(
            [sys.executable, "manage.py", "migrate", "--verbosity", "0"],
            cwd=tree,
            env=environment(self.url("migrating")),
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise EmbeddedError(f"The scratch database could not be migrated:\n{done.stderr[-2000:]}")
        with self._connect() as connection:
            connection.execute(sql.SQL("ALTER DATABASE migrating RENAME TO {}").format(sql.Identifier(name)))
        return name

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(host=self._host, user="bridge", dbname="postgres", autocommit=True)


def environment(url: str) -> dict[str, str]:
    """For a process that works on this database and on nothing else. Hashing is fixed, so that sets repeat too."""
    return {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "bridge.settings.simulation",
        "DATABASE_URL": url,
        "PYTHONHASHSEED": "0",
    }


def _slot() -> tuple[Places, FileLock]:
    base = Path(os.environ.get("BRIDGE_STATE_DIR") or CHECKOUT / ".local") / "simulation"
    for number in range(_SLOTS):
        lock = FileLock(base / str(number) / "lock")
        if lock.acquire():
            return places(base / str(number)), lock
    raise EmbeddedError(f"All {_SLOTS} places for simulations in {base} are taken.")


def _fingerprint(tree: Path) -> str:
    digest = hashlib.sha256()
    for app in _APPS:
        for path in sorted((tree / app).rglob("migrations/*.py")):
            digest.update(str(path.relative_to(tree)).encode() + path.read_bytes())
    return digest.hexdigest()[:12]
