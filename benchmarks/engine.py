"""How fast the engine completes transfers: fill, let the workers drain, count what was completed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from benchmarks.people import People, fill
from benchmarks.usage import Usage
from bridge.embedded.paths import CHECKOUT


class Workers:
    """Worker processes that wait for our word."""

    def __init__(self, processes: Sequence[subprocess.Popen[str]], backends: Sequence[int]) -> None:
        self._processes = processes
        self.backends = backends  # process ids of their sessions in PostgreSQL

    def drain(self, *, batch: int, phases: bool = False, core: bool = False) -> tuple[float, list[dict[str, Any]]]:
        """Let all drain at once; seconds until the last was through, and what each said."""
        return self.do({"batch": batch, "phases": phases, "core": core})

    def fill(self, *, count: int, hot: bool = False) -> tuple[float, list[dict[str, Any]]]:
        """Let each request so many transfers of the people that its database has."""
        return self.do({"fill": count, "hot": hot})

    def do(self, what: dict[str, Any]) -> tuple[float, list[dict[str, Any]]]:
        job = json.dumps(what) + "\n"
        began = time.perf_counter()
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(job)
            process.stdin.flush()
        said = [_answer(process) for process in self._processes]
        return time.perf_counter() - began, said


@contextmanager
def workers(count: int, *, url: str = "") -> Iterator[Workers]:
    """So many processes, connected and warm; to another database than ours with `url`."""
    command = [sys.executable, "-m", "benchmarks.worker"]
    environment = {**os.environ, **({"DATABASE_URL": url} if url else {})}
    with ExitStack() as stack:
        processes = []
        for _ in range(count):
            process = subprocess.Popen(  # noqa: S603 our own command
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT, env=environment
            )
            stack.callback(_end, process)
            processes.append(process)
        yield Workers(processes, [_answer(process)["backend"] for process in processes])


def _answer(process: subprocess.Popen[str]) -> dict[str, Any]:
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("A worker of the benchmark died; its message is above.")
    return json.loads(line)


def _end(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.close()
    process.wait(30)


@dataclass
class Sample:
    """One drain. CPU seconds are of the workers alone; `usage` is what it took of the server, where that was asked."""

    transfers: int
    seconds: float
    cpu: float
    memory: int
    phases: list[dict[str, Any]] = field(default_factory=list)
    usage: Usage | None = None

    @property
    def rate(self) -> float:
        return self.transfers / self.seconds


def sample(
    crew: Workers,
    people: People,
    funds: Sequence[Any],
    *,
    count: int,
    batch: int,
    phases: bool = False,
    watch: Callable[[], Usage] | None = None,
) -> Sample:
    """Fill with `count` transfers, drain them, and see that every one was completed."""
    fill(people, funds, count)
    before = _completed()
    used = watch() if watch else None
    seconds, said = crew.drain(batch=batch, phases=phases)
    if watch and used:
        used = watch() - used
    done = _completed() - before
    if done != count:
        raise RuntimeError(f"{done} of {count} transfers were completed; see the invariants and the work queues.")
    return Sample(
        transfers=count,
        seconds=seconds,
        cpu=sum(one["cpu"] for one in said),
        memory=max(one["memory"] for one in said),
        phases=[one["phases"] for one in said],
        usage=used,
    )


def _completed() -> int:
    from transfers.models import Transfer

    return Transfer.objects.filter(state="completed").count()
