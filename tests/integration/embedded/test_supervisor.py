"""`manage.py run`, for real, in a state directory of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bridge.embedded import process
from bridge.embedded.paths import CHECKOUT, places
from bridge.management.supervisor import runfile

pytestmark = pytest.mark.slow
_PROCESSES = {"supervisor", "postgres", "valkey", "sandbox", "web", "worker", "beat"}
_START_SECONDS = 90


class Running:
    """The command, its run file and everything that it started."""

    def __init__(self, state: Path) -> None:
        self.here = places(state)
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("BRIDGE_", "DATABASE_", "BROKER_", "CACHE_"))}
        self.env = kept | {"DJANGO_SETTINGS_MODULE": "bridge.settings.local", "BRIDGE_STATE_DIR": str(state)}
        self.output = state.parent / "output"
        self.process = process.spawn(command=self.command(), log=self.output, env=self.env, cwd=CHECKOUT)

    def command(self) -> list[str]:
        return [sys.executable, "manage.py", "run", "--no-demo"]

    def facts(self) -> dict[str, object]:
        return runfile.read(self.here.run_file)

    def pids(self) -> dict[str, int]:
        return runfile.read(self.here.run_file).get("pids", {})

    def text(self) -> str:
        return process.tail(self.output, lines=100)

    def nothing_is_left(self, pids: dict[str, int]) -> bool:
        return not any("bridge" in process.command_line(pid) for pid in pids.values() if pid != os.getpid())


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    run = Running(tmp_path / "state")
    try:
        up = process.wait_until(lambda: run.process.poll() is not None or bool(run.facts()), patience=_START_SECONDS)
        assert up, run.text()
        assert run.process.poll() is None, run.text()
        yield run
    finally:
        process.stop(run.process, patience=60)
        subprocess.run(["rm", "-rf", str(run.here.data), str(run.here.sockets)], check=True)


def test_it_serves_says_where_and_refuses_a_second_start_then_stops_clean(running: Running) -> None:
    pids = running.pids()
    assert set(pids) == _PROCESSES
    base_url = str(running.facts()["base_url"])
    assert httpx.get(f"{base_url}/readyz", trust_env=False).status_code == 200
    second = subprocess.run(
        running.command(), env=running.env, cwd=CHECKOUT, capture_output=True, text=True, check=False, timeout=60
    )
    assert second.returncode == 1
    assert f"already running in this checkout: {base_url}" in second.stderr
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(60) == 0
    assert running.facts() == {}
    assert running.nothing_is_left(pids)


def test_a_killed_worker_is_started_again(running: Running) -> None:
    killed = running.pids()["worker"]
    os.kill(killed, signal.SIGKILL)
    assert process.wait_until(lambda: running.pids().get("worker", killed) != killed, patience=15), running.text()
    assert "worker died (signal SIGKILL)" in running.text()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux signals a child when its parent dies")
def test_a_killed_supervisor_leaves_no_process(running: Running) -> None:
    pids = running.pids()
    children = [int(pid) for name in ("web", "worker") for pid in _children(pids[name])]
    assert len(children) >= 4
    os.kill(pids["supervisor"], signal.SIGKILL)
    everything = pids | {str(pid): pid for pid in children}
    assert process.wait_until(lambda: running.nothing_is_left(everything), patience=15)


def _children(pid: int) -> list[str]:
    return Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
