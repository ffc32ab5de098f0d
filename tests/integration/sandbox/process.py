"""A real sandbox bank process on a free port, and a receiver for its callbacks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from accounts.gateway.sandbox import SandboxInvestorBank
from bridge.kernel.gateway import InstructionKind, Order
from bridge.sandbox.client import SandboxControl, SandboxGateway, SettlementAccount
from bridge.sandbox.wire import derive_credentials
from funds.gateway.sandbox import SandboxFundBank

MASTER = "a secret for tests"
ROUTING = "021000021"
RICH = 1_000_000


def until(holds: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait for a condition; its value, or a failure when it never holds."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if value := holds():
            return value
        time.sleep(0.01)
    raise AssertionError("it never came true")


class Receiver(ThreadingHTTPServer):
    """Takes callbacks; answers the first `failures` of them with a 503."""

    daemon_threads = True

    def __init__(self, failures: int = 0) -> None:
        self.failures = failures
        self.taken: list[tuple[str, dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Taker)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/callbacks"


class _Taker(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        failing = self.server.failures > 0
        self.server.failures -= failing
        if not failing:
            self.server.taken.append((self.path, dict(self.headers.items()), body))
        self.send_response(503 if failing else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


class SandboxProcess:
    """Start, kill -9 and start again on the same state."""

    def __init__(self, state: Path, callback_url: str = "") -> None:
        self._state = state
        self._callback_url = callback_url
        self.start()

    def start(self) -> None:
        command = [sys.executable, "-m", "bridge.sandbox", "--port", "0", "--state", str(self._state)]
        self.process = subprocess.Popen(
            [*command, "--callback-url", self._callback_url],
            env=os.environ | {"BRIDGE_SANDBOX_SECRET": MASTER},
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[3],
        )
        assert self.process.stdout is not None
        self.url = self.process.stdout.readline().split()[-1]

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=10)

    def _known(self, principal: str) -> dict[str, Any]:
        keys = derive_credentials(MASTER, principal)
        return {"base_url": self.url, "api_key": keys.api_key, "secret": keys.secret}

    def investor_bank(self, timeout: float = 5.0) -> SandboxGateway:
        hook = derive_credentials(MASTER, "meridian").webhook_secret
        return SandboxInvestorBank("meridian", timeout=timeout, webhook_secret=hook, **self._known("meridian"))

    def fund_bank(self, timeout: float = 5.0) -> SandboxGateway:
        return SandboxFundBank("harbor", timeout=timeout, **self._known("harbor"))

    def settlement(self) -> SettlementAccount:
        return SettlementAccount(**self._known("settlement"))

    def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        return SandboxControl(**self._known("control")).call(method, path, body)

    def furnish(self, delay: float = 0.0) -> None:
        """Two accounts, a delay for every rail, and short timeouts."""
        rails = {"wire": {"delay_seconds": delay}}
        houses = {"meridian": {"rails": rails}, "harbor": {"rails": rails}}
        self.control("POST", "/control/settings", {"institutions": houses, "timeout_seconds": 0.1})
        common = {"routing": ROUTING, "currency": "USD"}
        accounts = [
            {"institution": "meridian", "number": "A1", "owner": "investor", "balance": RICH, **common},
            {"institution": "harbor", "number": "F1", "owner": "fund", **common},
        ]
        self.control("POST", "/control/accounts", {"accounts": accounts})

    def books(self) -> dict[str, Any]:
        return self.control("GET", "/control/books")


def order(key: str, kind: str = "withdrawal", amount: int = 100, reference: str = "T1") -> Order:
    house, number = ("meridian", "A1") if kind in ("withdrawal", "refund") else ("harbor", "F1")
    return Order(key, InstructionKind(kind), house, number, ROUTING, amount, "USD", reference)
