"""The reference: pgbench's own transaction on the same server (built-in tpcb-like, 8 clients, prepared)."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

from benchmarks.servers import Servers

SCALE = 50
CLIENTS = 8
DATABASE = "pgbench"
_RATE = re.compile(rb"tps = ([0-9.]+)")


class Pgbench:
    """Its database is made once and kept: 750 MB."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._program = servers.postgres.binaries() / "pgbench"

    def prepare(self) -> None:
        if not self._servers.make_database(DATABASE, fresh=False) and self._is_whole():
            return
        self._servers.make_database(DATABASE, fresh=True)
        self._run("-i", "-q", "-s", str(SCALE))

    def rate(self, seconds: float) -> float:
        """Transactions per second over so many seconds."""
        output = self._run(
            *("-n", "-c", str(CLIENTS), "-j", "2", "-M", "prepared", "-T", str(max(1, round(seconds)))),
        )
        found = _RATE.search(output)
        if found is None:
            raise RuntimeError(f"pgbench said no rate: {output.decode(errors='replace')[-500:]}")
        return float(found[1])

    def _is_whole(self) -> bool:
        with self._servers.connect(DATABASE) as connection:
            found = connection.execute("SELECT to_regclass('pgbench_branches') IS NOT NULL").fetchone()
            if not found or not found[0]:
                return False
            rows = connection.execute("SELECT count(*) FROM pgbench_branches").fetchone()
            keyed = connection.execute("SELECT to_regclass('pgbench_accounts_pkey') IS NOT NULL").fetchone()
            return bool(rows and keyed and rows[0] == SCALE and keyed[0])

    def _run(self, *arguments: str) -> bytes:
        command: list[str | Path] = [self._program, *arguments, self._servers.url(DATABASE)]
        done = subprocess.run(command, capture_output=True, check=False)  # noqa: S603
        if done.returncode:
            raise RuntimeError(f"pgbench failed: {done.stderr.decode(errors='replace')[-500:]}")
        return done.stdout
