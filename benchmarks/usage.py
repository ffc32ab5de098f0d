"""What a piece of work takes of the server: CPU of its backends and of its helpers, log, syncs, blocks."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, fields

from benchmarks.servers import Servers, children

_TICK = os.sysconf("SC_CLK_TCK")
_QUERY = """
    SELECT (SELECT wal_records FROM pg_stat_wal), (SELECT wal_fpi FROM pg_stat_wal),
        (SELECT wal_bytes::bigint FROM pg_stat_wal),
        (SELECT coalesce(sum(fsyncs), 0)::bigint FROM pg_stat_io WHERE object = 'wal'),
        (SELECT xact_commit FROM pg_stat_database WHERE datname = %(name)s),
        (SELECT blks_hit FROM pg_stat_database WHERE datname = %(name)s),
        (SELECT blks_read FROM pg_stat_database WHERE datname = %(name)s)
"""


@dataclass(frozen=True, slots=True)
class Usage:
    """Since the server started, or of one piece of work as a difference. Seconds, counts and bytes."""

    backend_cpu: float = 0.0
    helper_cpu: float = 0.0
    wal_records: int = 0
    wal_page_images: int = 0
    wal_bytes: int = 0
    wal_syncs: int = 0
    commits: int = 0
    blocks_hit: int = 0
    blocks_read: int = 0

    def __sub__(self, before: Usage) -> Usage:
        return Usage(*(getattr(self, f.name) - getattr(before, f.name) for f in fields(self)))

    def __add__(self, other: Usage) -> Usage:
        return Usage(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def per(self, transfers: int) -> dict[str, float]:
        """By transfer: microseconds for CPU."""
        found: dict[str, float] = {}
        for f in fields(self):
            share = getattr(self, f.name) / transfers
            if f.name.endswith("_cpu"):
                found[f"{f.name}_us"] = round(share * 1e6, 1)
            else:
                found[f.name] = round(share, 4)
        return found


def usage(servers: Servers, database: str, *, backends: Iterable[int]) -> Usage:
    """What was used so far. `backends` do the work, all other processes of the server but ours are helpers. The
    backends must have flushed their statistics (`pg_stat_force_next_flush`)."""
    working, leader = set(backends), servers.postgres.process
    with servers.connect(database) as connection:
        ours = connection.info.backend_pid
        row = connection.execute(_QUERY, {"name": database}).fetchone()
    assert row is not None
    helpers = set(children(leader.pid)) - working - {ours} if leader else set()
    # What helpers used that have ended (autovacuum's workers) stands with their parent.
    ended = _cpu(leader.pid, ended=True) if leader else 0.0
    return Usage(sum(map(_cpu, working)), sum(map(_cpu, helpers)) + ended, *(int(number or 0) for number in row))


def _cpu(pid: int, *, ended: bool = False) -> float:
    """CPU seconds of a process, or of its ended children (Linux; 0 elsewhere)."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            after_name = file.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    first = 13 if ended else 11
    return (int(after_name[first]) + int(after_name[first + 1])) / _TICK
