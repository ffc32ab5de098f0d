"""Everything that `make run` starts, in a state directory of its own: real processes, asked over HTTP."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psycopg

from bridge.embedded import process
from bridge.embedded.paths import CHECKOUT, places
from bridge.management.supervisor import ports, runfile

START_SECONDS = 120
HEAL_SECONDS = 60


class Stack:
    """`manage.py run --no-demo` with demo data. Commands run beside it, as in a second terminal."""

    def __init__(self, state: Path) -> None:
        self.here = places(state)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("BRIDGE_", "DATABASE_", "BROKER_", "CACHE_"))}
        self.env = kept | {"DJANGO_SETTINGS_MODULE": "bridge.settings.local", "BRIDGE_STATE_DIR": str(state)}
        self.output = state.parent / "supervisor.log"
        self._process = process.spawn(
            command=[sys.executable, "manage.py", "run", "--no-demo"], log=self.output, env=self.env, cwd=CHECKOUT
        )

    def wait(self) -> None:
        up = process.wait_until(
            lambda: self._process.poll() is not None or bool(self.addresses()), patience=START_SECONDS
        )
        assert up and self._process.poll() is None, self.log()
        self.command("demo_data")

    def stop(self) -> None:
        process.stop(self._process, patience=60)
        for folder in (self.here.data, self.here.sockets):
            shutil.rmtree(folder, ignore_errors=True)

    # --- what it says

    def addresses(self) -> dict[str, Any]:
        return runfile.read(self.here.run_file)

    @property
    def api(self) -> str:
        return f"{self.addresses()['base_url']}/api/v1"

    def log(self) -> str:
        logs = [self.output, *sorted(self.here.logs.glob("*.log"))]
        return "\n".join(f"--- {log.name}\n{process.tail(log, lines=40)}" for log in logs)

    def asked(self, sql: str) -> Any:
        """One value from its database; `None` while the database is away."""
        try:
            with psycopg.connect(self.addresses().get("database_url", ""), connect_timeout=2) as connection:
                row = connection.execute(sql).fetchone()  # type: ignore[arg-type]
                return row and row[0]
        except psycopg.Error:
            return None

    # --- what one does with it

    def start(self, *arguments: str, log: Path) -> subprocess.Popen[bytes]:
        """A management command that goes on while the test does; its standard output is in `log`."""
        with log.open("wb") as output, log.with_suffix(".err").open("wb") as errors:
            return subprocess.Popen(
                [sys.executable, "manage.py", *arguments], cwd=CHECKOUT, env=self.env, stdout=output, stderr=errors
            )

    def command(self, *arguments: str, timeout: float = 120) -> str:
        """A management command's standard output; it must end with 0."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=CHECKOUT, env=self.env, capture_output=True, text=True, check=False, timeout=timeout,
        )  # fmt: skip
        assert done.returncode == 0, f"{arguments} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def token(self, role: str) -> str:
        return self.command("demo_token", role).strip()

    def check_ledger(self) -> None:
        assert json.loads(self.command("check_ledger", "--json"))["holds"]

    def kill(self, name: str) -> None:
        """`kill -9` of a process, and wait until the supervisor has started another in its place."""
        before = self.addresses()["pids"][name]
        os.kill(before, signal.SIGKILL)
        healed = process.wait_until(
            lambda: self.addresses().get("pids", {}).get(name, before) != before, patience=HEAL_SECONDS
        )
        assert healed, self.log()

    @contextmanager
    def wide_web(self, *, workers: int) -> Iterator[str]:
        """A second web process with many workers on the same database: its API's address. Two would hardly collide."""
        where = self.addresses()
        env = self.env | {"BRIDGE_BASE_URL": where["base_url"], "BRIDGE_SANDBOX_URL": where["sandbox_url"]}
        with ports.listening_socket(host="127.0.0.1", usual=8200, forced=None, variable="") as listener:
            port = listener.getsockname()[1]
            web = process.spawn(
                command=[
                    *(sys.executable, "-m", "gunicorn", "bridge.wsgi:application", "--preload"),
                    *("--workers", str(workers), "--bind", f"fd://{listener.fileno()}", "--timeout", "120"),
                    "--no-control-socket",
                ],
                log=self.output, env=env, cwd=CHECKOUT, pass_fds=[listener.fileno()],
            )  # fmt: skip
            try:
                up = process.wait_until(lambda: _answers(f"http://127.0.0.1:{port}/readyz"), patience=60)
                assert up, self.log()
                yield f"http://127.0.0.1:{port}/api/v1"
            finally:
                process.stop(web)


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=5, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


def until(condition: Callable[[], bool], *, patience: float, why: Callable[[], str]) -> None:
    assert process.wait_until(condition, patience=patience), why()


def every_page(client: httpx.Client, path: str, params: Sequence[tuple[str, str]] = ()) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    query = httpx.QueryParams([*params, ("limit", "200")])
    while True:
        page = client.get(path, params=query).raise_for_status().json()
        rows += page["results"]
        if not page["next"]:
            return rows
        query = httpx.URL(page["next"]).params
