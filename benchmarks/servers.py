"""The benchmark's own servers: a PostgreSQL and a Valkey under `.local/bench`, durable as those of `make run`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

import psycopg
from psycopg import sql

from bridge.embedded.locks import FileLock
from bridge.embedded.paths import CHECKOUT, EmbeddedError, Places, places
from bridge.embedded.postgres import Postgres, database_url
from bridge.embedded.valkey import Valkey

DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
SHOWN = (*DURABLE, "shared_buffers", "max_wal_size", "work_mem", "wal_compression")


class Servers:
    """Both, running. `pgbench` and `psql` are the wheel's."""

    def __init__(self, where: Places) -> None:
        self.places = where
        self.postgres, self.valkey = Postgres(where), Valkey(where)

    def start(self) -> None:
        self.places.prepare()
        self.postgres.start()
        self.valkey.start()

    def stop(self) -> None:
        self.valkey.stop()
        self.postgres.stop()

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """Outside Django, autocommit."""
        return psycopg.connect(self.url(database), autocommit=True)

    def url(self, database: str) -> str:
        return database_url(self.places).rsplit("/", 1)[0] + f"/{database}"

    def make_database(self, name: str, *, fresh: bool) -> bool:
        """Whether it was made now; with `fresh` an old one is dropped."""
        if fresh:
            self.drop_database(name)
        with self.connect() as connection:
            named = sql.Identifier(name)
            if not fresh and connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return False
            connection.execute(sql.SQL("CREATE DATABASE {}").format(named))
        return True

    def drop_database(self, name: str) -> None:
        with self.connect() as connection:
            connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def settings(self) -> dict[str, str]:
        """What the figures were taken under. Raises `EmbeddedError` where something is less durable than it must be."""
        with self.connect() as connection:
            found = {name: str(_one(connection, f"SHOW {name}")) for name in SHOWN}
            version = str(_one(connection, "SHOW server_version"))
        loose = [name for name in DURABLE if found[name] != "on"]
        if loose:
            raise EmbeddedError(f"A benchmark without {', '.join(loose)} would show nothing.")
        return {"version": version, "taken": datetime.now(UTC).date().isoformat(), "commit": _commit(), **found}

    def memory(self) -> int:
        """Bytes that PostgreSQL's processes have for themselves, shared ones counted once (Linux; 0 elsewhere)."""
        leader = self.postgres.process
        if leader is None:
            return 0
        return sum(resident(pid, own=True) for pid in children(leader.pid)) + resident(leader.pid)


def _commit() -> str:
    """Of which code the figures are; nothing outside of a clone."""
    command = ["git", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=CHECKOUT, capture_output=True, text=True, check=True)  # noqa: S603 our own
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip()


def children(pid: int) -> list[int]:
    """Process ids of those that it started."""
    command = ["ps", "-o", "pid=", "--ppid", str(pid)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    return [int(number) for number in found.stdout.split()]


def resident(pid: int, *, own: bool = False) -> int:
    """Resident bytes of a process, without what it shares where `own` (Linux; 0 elsewhere)."""
    wanted = ("Pss_Anon:",) if own else ("Pss:",)
    try:
        with open(f"/proc/{pid}/smaps_rollup") as lines:
            return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(wanted))
    except OSError:
        return 0


def _one(connection: psycopg.Connection, query: str) -> object:
    row = connection.execute(query.encode()).fetchone()
    assert row is not None
    return row[0]


@contextmanager
def running() -> Iterator[Servers]:
    """The servers, with the environment set for Django. One benchmark at a time per checkout."""
    where = places(CHECKOUT / ".local" / "bench")
    where.state.mkdir(parents=True, exist_ok=True)
    lock = FileLock(where.state / "run.lock")
    if not lock.acquire():
        raise EmbeddedError("A benchmark is already running in this checkout.")
    for name in ("DATABASE_URL", "BROKER_URL", "CACHE_URL"):
        os.environ.pop(name, None)
    os.environ["BRIDGE_STATE_DIR"] = str(where.state)
    os.environ["DJANGO_SETTINGS_MODULE"] = "benchmarks.settings"
    os.environ.setdefault("BRIDGE_LOG_LEVEL", "WARNING")
    servers = Servers(where)
    try:
        servers.start()
        yield servers
    finally:
        servers.stop()
        lock.release()
