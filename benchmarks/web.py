"""The web server as deployed, a login of the service role, and a client that costs little."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.embedded.paths import CHECKOUT

HOST = "127.0.0.1"
CONFIG = Path("bridge/management/supervisor/gunicorn_config.py")


@dataclass
class Web:
    """A running server."""

    port: int
    token: str
    process: subprocess.Popen[bytes]

    def post(self, path: str, body: bytes, key: str = "") -> tuple[int, bytes]:
        return exchange(self.port, "POST", path, token=self.token, body=body, key=key)

    def get(self, path: str) -> tuple[int, bytes]:
        return exchange(self.port, "GET", path, token=self.token)


@contextmanager
def serving() -> Iterator[Web]:
    """gunicorn with the project's own configuration, on a free port."""
    with socket.socket() as listening:
        listening.bind((HOST, 0))
        port = listening.getsockname()[1]
    command = [sys.executable, "-m", "gunicorn", "bridge.wsgi:application", "--config", str(CONFIG)]
    process = subprocess.Popen(  # noqa: S603 our own command
        [*command, "--bind", f"{HOST}:{port}", "--log-level", "warning"], cwd=CHECKOUT
    )
    web = Web(port, _service_token(), process)
    try:
        _wait(lambda: exchange(port, "GET", "/healthz")[0] == 200)
        yield web
    finally:
        process.terminate()
        process.wait(30)


def exchange(
    port: int, verb: str, path: str, *, token: str = "", body: bytes = b"", key: str = ""
) -> tuple[int, bytes]:
    """One request on a connection of its own; status and body."""
    head = f"{verb} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    if token:
        head += f"Authorization: Bearer {token}\r\n"
    if body:
        head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    if key:
        head += f"Idempotency-Key: {key}\r\n"
    with socket.create_connection((HOST, port), timeout=60) as connection:
        connection.sendall(head.encode() + b"\r\n" + body)
        parts = []
        while part := connection.recv(1 << 16):
            parts.append(part)
    whole = b"".join(parts)
    first, _, rest = whole.partition(b"\r\n\r\n")
    return int(first.split(b" ", 2)[1]), rest


def in_parallel(jobs: Sequence[Callable[[], Any]], *, clients: int) -> tuple[float, list[Any]]:
    """Run all jobs on so many threads; seconds, and what each gave, in no order."""
    waiting, done, lock = iter(jobs), [], threading.Lock()

    def work() -> None:
        while True:
            with lock:
                job = next(waiting, None)
            if job is None:
                return
            done.append(job())

    threads = [threading.Thread(target=work) for _ in range(clients)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return time.perf_counter() - began, done


def as_body(request: Any, **more: Any) -> bytes:
    """A `TransferRequest` as a client sends it."""
    return json.dumps(as_json(request, **more)).encode()


def as_json(request: Any, **more: Any) -> dict[str, Any]:
    from bridge.kernel import ids

    return {
        "source_account": ids.encode("account", request.source_account_id),
        "fund": ids.encode("fund", request.fund_id),
        "amount": request.amount,
        "currency": request.currency,
        **more,
    }


def _service_token() -> str:
    from django.contrib.auth.models import Group, User
    from knox.models import AuthToken

    from bridge.kernel.results import Role

    user, _ = User.objects.get_or_create(username="benchmark")
    user.groups.set([Group.objects.get_or_create(name=str(Role.SERVICE))[0]])
    return AuthToken.objects.create(user)[1]


def _wait(condition: Callable[[], bool], patience: float = 60.0) -> None:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        try:
            if condition():
                return
        except OSError:
            pass
        time.sleep(0.05)
    raise RuntimeError("The web server does not answer.")
