"""`python -m benchmarks.hordak`: Bridge's engine beside django-hordak, on one server in one run.

A transfer of django-hordak is one transaction of two legs in a commit of its own, as its users write it, by 8 processes
at once; a transfer of Bridge is the two steps with their whole trail, by two workers in batches. Both stand between
runs of pgbench. django-hordak is installed into an environment of its own (`benchmarks/requirements.txt`).
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from benchmarks.servers import Servers
from bridge.embedded.paths import CHECKOUT

PROCESSES = 8
ACCOUNTS = 1_000  # of investors, and as many of funds
DATABASE = "hordak"
REQUIREMENTS = Path(__file__).with_name("requirements.txt")
WORKER = Path(__file__).with_name("hordak_worker.py")


class Hordak:
    """Its processes, ready."""

    def __init__(self, processes: list[subprocess.Popen[str]]) -> None:
        self._processes = processes

    def rate(self, *, seconds: float, hot: bool) -> float:
        """Transactions per second of all processes together."""
        job = json.dumps({"seconds": seconds, "hot": hot}) + "\n"
        began = time.perf_counter()
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(job)
            process.stdin.flush()
        done = sum(_answer(process)["done"] for process in self._processes)
        return done / (time.perf_counter() - began)


@contextmanager
def running(servers: Servers, *, accounts: int = ACCOUNTS) -> Iterator[Hordak]:
    """Installed, its database made (once, and kept), its processes started."""
    python = install()
    # Isolated: its own folder would give it this module for the package of the same name.
    command = [str(python), "-I", str(WORKER), str(servers.places.postgres_socket), "bridge", DATABASE]
    if servers.make_database(DATABASE, fresh=False):
        try:
            _run([*command, "--prepare", str(accounts)])
        except BaseException:
            servers.drop_database(DATABASE)
            raise
    with ExitStack() as stack:
        processes = []
        for _ in range(PROCESSES):
            process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603
            stack.callback(_end, process)
            processes.append(process)
        for process in processes:
            _answer(process)
        yield Hordak(processes)


def install() -> Path:
    """The interpreter of an environment with what `requirements.txt` says."""
    where = CHECKOUT / ".local" / "bench" / "hordak"
    python, said = where / "bin" / "python", where / "installed"
    wanted = REQUIREMENTS.read_text()
    if not said.exists() or said.read_text() != wanted:
        venv.create(where, clear=True, with_pip=True)
        _run([str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", str(REQUIREMENTS)])
        said.write_text(wanted)
    return python


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 our own command
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:4])} … failed:\n{done.stderr[-1000:]}")


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("A process of django-hordak died; its message is above.")
    return json.loads(line)


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(30)


if __name__ == "__main__":
    from benchmarks.__main__ import main

    sys.argv[1:1] = ["--only", "hordak"]
    main()
