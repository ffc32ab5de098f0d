"""How long one transfer takes from its request over HTTP to `completed`, with web, broker and worker as deployed."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from benchmarks import web
from benchmarks.people import People, fill, requests
from bridge.embedded.paths import CHECKOUT
from bridge.kernel import ids

PATIENCE = 60.0


@contextmanager
def celery(*, processes: int = 2) -> Iterator[None]:
    """A Celery worker as the supervisor starts it."""
    from bridge.celery import app
    from transfers import waking

    app.control.purge()  # wake-ups that nobody heard while other figures were taken
    waking.woken()
    node = "bench@localhost"
    log = (CHECKOUT / ".local" / "bench" / "log" / "worker.log").open("ab")
    worker = subprocess.Popen(  # noqa: S603 our own command
        [
            *(sys.executable, "-m", "celery", "-A", "bridge.celery", "worker", "--pool", "prefork"),
            *("--concurrency", str(processes), "--hostname", node, "--without-gossip", "--without-mingle"),
            *("--loglevel", "ERROR"),
        ],
        cwd=CHECKOUT,
        env={**os.environ, "C_FORCE_ROOT": "1"},
        stdout=log,
        stderr=log,
    )
    try:
        end = time.monotonic() + PATIENCE
        while not app.control.inspect(destination=[node], timeout=1.0).ping():
            if time.monotonic() > end or worker.poll() is not None:
                raise RuntimeError("The Celery worker does not answer.")
        yield
    finally:
        worker.terminate()
        worker.wait(30)
        log.close()


def measure(server: web.Web, people: People, *, samples: int) -> list[float]:
    """Milliseconds from sending the request to the moment at which the transfer is seen completed."""
    return [_one(server, request) for request in requests(people, people.funds, samples)]


def _one(server: web.Web, request: object) -> float:
    from bridge.kernel import bulk

    began = time.perf_counter()
    status, text = server.post("/api/v1/transfers", web.as_body(request), f"latency-{request.amount}")  # type: ignore[attr-defined]
    if status != 201:
        raise RuntimeError(f"POST /transfers answered {status}: {text[:300]!r}")
    transfer = ids.decode("transfer", json.loads(text)["id"])
    while (state := bulk.execute(_STATE, [transfer]).fetchone()[0]) != "completed":
        if time.perf_counter() - began > PATIENCE:
            raise RuntimeError(f"A transfer is still {state} after {PATIENCE:.0f} s.")
        time.sleep(LOOK)
    return (time.perf_counter() - began) * 1000


# Who looks must not take the time of who works: a prepared statement every other millisecond, no ORM.
_STATE = "SELECT state FROM transfers_transfer WHERE id = %s"
LOOK = 0.002


@contextmanager
def load(people: People, *, per_second: float) -> Iterator[Callable[[], int]]:
    """Keep requesting transfers at this rate from a thread of its own; gives how many were requested so far."""
    from django.db import connection

    stop, sent = threading.Event(), [0]
    step = max(1, round(per_second / 10))

    def work() -> None:
        due = time.monotonic()
        while not stop.is_set():
            fill(people, people.funds, step)
            sent[0] += step
            due += step / per_second
            stop.wait(max(0.0, due - time.monotonic()))
        connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        yield lambda: sent[0]
    finally:
        stop.set()
        thread.join()
