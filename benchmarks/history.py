"""`python -m benchmarks.history`: what a transfer costs when many have gone before.

One database per size, all on one server, made from the same people: the first transfers by the engine itself, the rest
cast from them (`benchmarks.moulds`). Then each is asked in turn, between two runs of pgbench, for the same number of
transfers, requested and drained by one worker. CPU seconds are the worker's and its session's in PostgreSQL; wall time
counts only as a ratio to pgbench. `--keep` leaves the databases for a second look, the next run with the same sizes
takes them as they are; without it they are dropped.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import psycopg
from rich.console import Console
from rich.progress import Progress

from benchmarks import engine, moulds
from benchmarks.options import new_file, positive
from benchmarks.pgbench import Pgbench
from benchmarks.samples import Paired, Reference, summary
from benchmarks.servers import Servers, running
from benchmarks.usage import Usage, usage
from bridge.embedded.paths import CHECKOUT

BASE = "history_base"
ACCOUNTS, FUNDS = 10_000, 1_000
AGAINST = 100_000
WHOLE = 300_000  # transfers with every row, when the rest is thin
BATCH = 500
CALLS = """
    SELECT s.query, s.calls, s.total_exec_time, s.shared_blks_hit + s.shared_blks_read AS blocks
    FROM pg_stat_statements AS s JOIN pg_database AS d ON d.oid = s.dbid WHERE d.datname = %s
"""


@dataclass
class Cell:
    """One database with its worker, and what its samples took."""

    name: str
    transfers: int
    crew: engine.Workers
    drained: Paired = field(default_factory=Paired)
    requested: Paired = field(default_factory=Paired)
    work: dict[str, list[tuple[int, float, Usage]]] = field(default_factory=lambda: {"request": [], "drain": []})

    def as_json(self, servers: Servers) -> dict[str, Any]:
        found: dict[str, Any] = {"transfers": self.transfers, "bytes": size_of(servers, self.name)}
        for what, rates in (("request", self.requested), ("drain", self.drained)):
            samples = self.work[what]
            per_sample = [(cpu + used.backend_cpu) / count * 1e6 for count, cpu, used in samples]
            whole = sum((used for _, _, used in samples), Usage())
            count = sum(count for count, _, _ in samples)
            found[what] = rates.as_json() | {
                "cpu_us": summary(per_sample),
                "worker_cpu_us": round(sum(cpu for _, cpu, _ in samples) / count * 1e6, 1),
                "postgres": whole.per(count),
            }
        return found


def main() -> None:
    wanted = arguments().parse_args()
    console = Console(stderr=True, quiet=wanted.json)
    sizes = sorted({wanted.against, *wanted.transfers})
    with running() as servers, ExitStack() as stack:
        servers.settings()
        if not wanted.keep:
            stack.callback(lambda: drop(servers, [BASE, *map(name_of, sizes)]))
        for size in sizes:
            prepare(servers, size, thin=size > wanted.whole, bare=wanted.bare, console=console)
        if wanted.prepare_only:
            return
        figures = measure(servers, sizes, samples=wanted.samples, count=wanted.count, console=console)
    if wanted.output:
        wanted.output.write_text(json.dumps(figures, indent=2) + "\n")
    print(json.dumps(figures))


def arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.history", description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--transfers", type=positive, nargs="+", default=[10_000_000], help="sizes of history")
    parser.add_argument("--against", type=positive, default=AGAINST, help="the size that the others are compared with")
    parser.add_argument(
        "--whole", type=int, default=2_000_000, help="up to this size all rows are made (19 KB each), beyond it 4 KB"
    )
    parser.add_argument("--bare", action="store_true", help="beyond it only transfers, 0.5 KB each")
    parser.add_argument("--samples", type=positive, default=5)
    parser.add_argument("--count", type=positive, default=2_000, help="transfers per sample")
    parser.add_argument("--keep", action="store_true", help="leave the databases, and take those that are there")
    parser.add_argument("--prepare-only", action="store_true", help="make the databases and measure nothing")
    parser.add_argument("--output", type=new_file, help="also write the figures to this file")
    parser.add_argument("--json", action="store_true", help="print nothing but the figures")
    return parser


def name_of(size: int) -> str:
    return f"history_{size}"


def drop(servers: Servers, names: Sequence[str]) -> None:
    with servers.connect() as connection:
        for name in names:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)".encode())


def size_of(servers: Servers, name: str) -> int:
    with servers.connect() as connection:
        row = connection.execute("SELECT pg_database_size(%s)", [name]).fetchone()
    return row[0] if row else 0


def prepare(servers: Servers, size: int, *, thin: bool, bare: bool, console: Console) -> None:
    """A database with so many completed transfers, unless it is there; then it is brought to this schema."""
    with servers.connect() as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name_of(size)]).fetchone():
            migrate(servers, name_of(size))
            return
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [BASE]).fetchone():
            migrate(servers, BASE)
        else:
            console.print(f"Settling in, and {ACCOUNTS:,} transfers by the engine …")
            settle(servers)
        half = f"{name_of(size)}_half"
        connection.execute(f"DROP DATABASE IF EXISTS {half} WITH (FORCE)".encode())
        connection.execute(f"CREATE DATABASE {half} TEMPLATE {BASE} STRATEGY file_copy".encode())
    casts = size // ACCOUNTS - 1
    whole = min(casts, WHOLE // ACCOUNTS - 1) if thin else casts
    rest = moulds.BARE if bare else moulds.THIN
    with (
        without_log(servers),
        Progress(console=console) as progress,
        psycopg.connect(servers.url(half), autocommit=True) as connection,
    ):
        task = progress.add_task(f"{size:,} transfers", total=casts * ACCOUNTS)
        told = partial(progress.advance, task)
        moulds.cast(connection, casts=casts, whole=whole, rest=rest, told=told)
    with servers.connect() as connection:
        connection.execute(f"ALTER DATABASE {half} RENAME TO {name_of(size)}".encode())


def migrate(servers: Servers, name: str) -> None:
    command = [sys.executable, "manage.py", "migrate", "--no-input", "--verbosity", "0"]
    subprocess.run(command, cwd=CHECKOUT, env={**os.environ, "DATABASE_URL": servers.url(name)}, check=True)  # noqa: S603


@contextmanager
def without_log(servers: Servers) -> Iterator[None]:
    """The server, started again so that it writes no log for new tables and leaves them alone."""
    loose = {"wal_level": "minimal", "max_wal_senders": "0", "autovacuum": "off", "checkpoint_timeout": "1h"}
    with servers.connect() as connection:
        for name, value in loose.items():
            connection.execute(f"ALTER SYSTEM SET {name} = '{value}'".encode())
    try:
        servers.postgres.stop()
        servers.postgres.start()
        yield
    finally:
        with servers.connect() as connection:
            for name in loose:
                connection.execute(f"ALTER SYSTEM RESET {name}".encode())
        servers.postgres.stop()
        servers.postgres.start()


def settle(servers: Servers) -> None:
    """The base: people, and one transfer of each account into funds in turn, completed by the engine."""
    import django
    from django.core.management import call_command
    from django.db import connections

    from benchmarks.people import settle_in

    servers.make_database(BASE, fresh=True)
    os.environ["DATABASE_URL"] = servers.url(BASE)
    django.setup()
    call_command("migrate", verbosity=0, interactive=False)
    settle_in(accounts=ACCOUNTS, funds=FUNDS)
    connections.close_all()
    with engine.workers(1, url=servers.url(BASE)) as crew:
        crew.fill(count=ACCOUNTS)
        crew.drain(batch=BATCH)
    with servers.connect(BASE) as connection:
        row = connection.execute("SELECT count(*) FROM transfers_transfer WHERE state <> 'completed'").fetchone()
        if row is None or row[0]:
            raise RuntimeError(f"{row and row[0]} of {ACCOUNTS} transfers were not completed.")


def measure(servers: Servers, sizes: Sequence[int], *, samples: int, count: int, console: Console) -> dict[str, Any]:
    pgbench = Pgbench(servers)
    pgbench.prepare()
    reference = Reference(lambda: pgbench.rate(3))
    with servers.connect() as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
    with cells(servers, sizes) as found:
        for cell in found:  # warm: plans, catalogue, the pages that everybody touches
            cell.crew.fill(count=count)
            cell.crew.drain(batch=BATCH)
        with servers.connect() as connection:
            connection.execute("SELECT pg_stat_statements_reset()")
        for _ in range(samples):
            for cell in found:
                _sample(servers, cell, reference, count)
                console.print(
                    f"{cell.transfers:>12,} of history: {cell.drained.last:,.0f}/s drained, "
                    f"{cell.drained.ratio:.2f} of pgbench, "
                    f"{sum(sum(_cpu(one) for one in cell.work[what][-1:]) for what in cell.work):,.0f} µs of CPU each"
                )
        first = found[0]
        figures: dict[str, Any] = {
            "settings": servers.settings(),
            "accounts": ACCOUNTS,
            "funds": FUNDS,
            "batch": BATCH,
            "sizes": {str(cell.transfers): cell.as_json(servers) for cell in found},
            "grown": {str(cell.transfers): grown(servers, first.name, cell.name) for cell in found[1:]},
        }
    figures["ratio_history"] = {
        size: ratios(figures["sizes"][str(sizes[0])], row) for size, row in list(figures["sizes"].items())[1:]
    }
    return figures


@contextmanager
def cells(servers: Servers, sizes: Sequence[int]) -> Iterator[list[Cell]]:
    with ExitStack() as stack:
        yield [
            Cell(name_of(size), size, stack.enter_context(engine.workers(1, url=servers.url(name_of(size)))))
            for size in sizes
        ]


def _sample(servers: Servers, cell: Cell, reference: Reference, count: int) -> None:
    """Request, then drain: each between two runs of pgbench, with what it took of worker and server."""

    def taking(what: str) -> float:
        before = usage(servers, cell.name, backends=cell.crew.backends)
        seconds, said = cell.crew.fill(count=count) if what == "request" else cell.crew.drain(batch=BATCH)
        took = usage(servers, cell.name, backends=cell.crew.backends) - before
        cell.work[what].append((count, sum(one["cpu"] for one in said), took))
        return count / seconds

    with servers.connect(cell.name) as connection:
        reference.around(lambda: taking("request"), cell.requested)
        waiting = _open(connection)
        reference.around(lambda: taking("drain"), cell.drained)
        if waiting != count or _open(connection):
            raise RuntimeError(f"{waiting} of {count} transfers were approved, {_open(connection)} are left.")


def _open(connection: psycopg.Connection) -> int:
    row = connection.execute("SELECT count(*) FROM transfers_work").fetchone()
    return row[0] if row else 0


def _cpu(sample: tuple[int, float, Usage]) -> float:
    count, cpu, used = sample
    return (cpu + used.backend_cpu) / count * 1e6


def ratios(small: dict[str, Any], big: dict[str, Any]) -> dict[str, float]:
    """Cost with the longer history ÷ cost with the shorter one."""
    both = {row: sum(one[what]["cpu_us"]["median"] for what in ("request", "drain")) for row, one in
            (("small", small), ("big", big))}  # fmt: skip
    return {
        "cpu": round(both["big"] / both["small"], 3),
        "request_cpu": round(big["request"]["cpu_us"]["median"] / small["request"]["cpu_us"]["median"], 3),
        "drain_cpu": round(big["drain"]["cpu_us"]["median"] / small["drain"]["cpu_us"]["median"], 3),
        "drain_wall": round(small["drain"]["ratio"]["median"] / big["drain"]["ratio"]["median"], 3),
    }


def grown(servers: Servers, small: str, big: str, *, most: int = 12) -> list[dict[str, Any]]:
    """The statements whose time in the server grew most with history, with their milliseconds and blocks per call."""
    with servers.connect() as connection:
        rows = {
            name: {row[0]: row[1:] for row in connection.execute(CALLS, [name]).fetchall()} for name in (small, big)
        }
    found = []
    for query, (calls, took, blocks) in rows[big].items():
        before = rows[small].get(query)
        if before is None or not before[0] or query.startswith(("SELECT count(*) FROM transfers_work", "SHOW")):
            continue
        more = took - before[1]
        found.append(
            {
                "statement": " ".join(query.split())[:300],
                "calls": calls,
                "ms_per_call": [round(before[1] / before[0], 3), round(took / calls, 3)],
                "blocks_per_call": [round(before[2] / before[0], 1), round(blocks / calls, 1)],
                "more_ms": round(more, 1),
            }
        )
    return sorted(found, key=lambda row: -row["more_ms"])[:most]


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
