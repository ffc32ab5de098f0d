"""What stands while Bridge falls: a PostgreSQL server of its own, and the sandbox bank in a process of its own.

Only this module knows how they are killed and started again.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg

from bridge.embedded import process
from bridge.embedded.paths import CHECKOUT, places
from bridge.embedded.postgres import Postgres, database_url
from bridge.sandbox.client import SandboxControl
from bridge.sandbox.wire import derive_credentials

MASTER = "a secret of the crash tests"
FINALITY = 3600  # seconds: what this bank does not know by then it has not got; business days differ with the date
HELD_SECONDS = 0.05  # how long the bank holds a connection that it will not answer


class Ground:
    """The servers of one run, below a directory of its own. Start it in the main thread: they die with it."""

    def __init__(self, state: Path) -> None:
        self.places = places(state / "home")
        self.places.prepare()
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.address = self.listener.getsockname()
        self.postgres = Postgres(self.places)  # durable: what it has committed must survive it …
        self.postgres.start()
        with psycopg.connect(database_url(self.places), autocommit=True) as connection:
            # … but no power fails here: what a killed server wrote is in the kernel's hands already.
            connection.execute("ALTER SYSTEM SET fsync = off")
            connection.execute("SELECT pg_reload_conf()")
        callbacks = f"http://{self.address[0]}:{self.address[1]}/api/v1/callbacks"
        command = [sys.executable, "-m", "bridge.sandbox", "--port", "0", "--state", str(state / "bank")]
        self._bank = subprocess.Popen(
            [*command, "--callback-url", callbacks],
            env=os.environ | {"BRIDGE_SANDBOX_SECRET": MASTER},
            stdout=subprocess.PIPE,
            stderr=(state / "bank.log").open("ab"),
            text=True,
            cwd=CHECKOUT,
        )
        assert self._bank.stdout is not None
        self.bank_url = self._bank.stdout.readline().split()[-1]
        keys = derive_credentials(MASTER, "control")
        self._control = SandboxControl(base_url=self.bank_url, api_key=keys.api_key, secret=keys.secret)

    @property
    def environment(self) -> dict[str, str]:
        """What Bridge must be started with."""
        return {
            "DATABASE_URL": database_url(self.places),
            "BROKER_URL": "memory://",
            "BRIDGE_SANDBOX_URL": self.bank_url,
            "BRIDGE_SANDBOX_SECRET": MASTER,
            "BRIDGE_LOG_LEVEL": "WARNING",
            "BRIDGE_BASE_URL": f"http://{self.address[0]}:{self.address[1]}",
        }

    def bank(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return self._control.call(method, f"/control/{path}", body)

    @property
    def postmaster(self) -> int:
        assert self.postgres.process is not None
        return self.postgres.process.pid

    def postgres_fell(self) -> bool:
        """Whether the server was killed; anything else that ended it is a failure."""
        assert self.postgres.process is not None
        ended = self.postgres.process.poll()
        assert ended in (None, -signal.SIGKILL), f"PostgreSQL ended by itself with {ended}"
        return ended is not None

    def stop(self) -> None:
        self.listener.close()
        self._bank.kill()
        self._bank.wait()
        self.postgres.stop()
        for folder in (self.places.data, self.places.sockets):
            shutil.rmtree(folder, ignore_errors=True)


def kill_postgres(postmaster: int) -> None:
    """SIGKILL the server and every process of it, the server held still meanwhile so that it cannot react."""
    os.kill(postmaster, signal.SIGSTOP)
    for child in _children(postmaster):
        os.kill(child, signal.SIGKILL)
    os.kill(postmaster, signal.SIGKILL)


def _children(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended meanwhile
        if int(fields[1]) == parent:
            found.append(int(entry.parent.name))
    if found:
        return found
    listed = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    pairs = (line.split() for line in listed.splitlines())
    return [int(pid) for pid, above in pairs if int(above) == parent]


until = process.wait_until
