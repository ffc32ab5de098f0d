"""One HTTP client per process for all institutions: pooled, thread-safe, safe after a fork, and quiet in the logs.

Writes are sent once. What became of a write that got no answer is nobody's to guess: `NoReply` says that it is
unknown, even where the connection was refused and nothing can have been sent. One rule is easier to trust than two,
and asking by key settles the difference. Reads are retried with jitter, and raise `GatewayUnavailable` at the end.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx
import stamina
import structlog

from bridge.kernel.gateway import GatewayUnavailable

log = structlog.get_logger("bridge.gateway")
CONNECT_SECONDS = 2.0
READ_ATTEMPTS = 3
LIMITS = httpx.Limits(max_connections=128, max_keepalive_connections=64, keepalive_expiry=30.0)
TOO_MANY_REQUESTS, SERVER_ERROR = 429, 500

Signer = Callable[[str, str, bytes], Mapping[str, str]]  # method, target, body → headers

_lock = threading.Lock()
_client: tuple[int, httpx.Client] | None = None


class NoReply(Exception):
    """A write went out and no answer came: it may have acted."""


class _TryAgain(Exception):
    """A read failed in a way that may pass."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Mapping[str, str]
    content: bytes
    json: Callable[[], object]


def client() -> httpx.Client:
    """The client of this process. A forked child makes its own and leaves its parent's connections alone."""
    global _client  # noqa: PLW0603
    pid = os.getpid()
    current = _client
    if current is not None and current[0] == pid:
        return current[1]
    with _lock:
        if _client is None or _client[0] != pid:
            # Proxies of the environment are for people's browsing, not for a bank's private line.
            _client = (pid, httpx.Client(limits=LIMITS, follow_redirects=False, trust_env=False))
        return _client[1]


def _forget_after_fork() -> None:
    """A lock that another thread of the parent held would never open in the child."""
    global _lock  # noqa: PLW0603
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_after_fork)


class Transport:
    """The line to one institution. `timeout` is in seconds and counts for a reply, not for the whole exchange."""

    def __init__(self, *, institution: str, base_url: str, sign: Signer, timeout: float = 10.0) -> None:
        self.institution = institution
        self._base_url = base_url.rstrip("/")
        self._sign = sign
        self._timeout = httpx.Timeout(timeout, connect=min(timeout, CONNECT_SECONDS))

    def send(
        self, *, method: str, target: str, route: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One attempt. `route` is the target's template, for the log: a target holds keys and account numbers.

        Raises `NoReply` for a timeout or a broken connection, and returns every status that came, 5xx too.
        """
        try:
            return self._exchange(method, target, route, body, headers or {})
        except httpx.HTTPError as error:
            raise NoReply(type(error).__name__) from error

    def read(self, *, target: str, route: str) -> Reply:
        """GET with retries on timeouts, broken connections, 429 and 5xx. Raises `GatewayUnavailable` after them."""
        try:
            for attempt in stamina.retry_context(
                on=_TryAgain, attempts=READ_ATTEMPTS, wait_initial=0.1, wait_max=1.0, wait_jitter=0.2, timeout=None
            ):
                with attempt:
                    return self._read_once(target, route)
        except _TryAgain as error:
            raise GatewayUnavailable(self.institution, str(error)) from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _read_once(self, target: str, route: str) -> Reply:
        try:
            reply = self._exchange("GET", target, route, b"", {})
        except httpx.HTTPError as error:
            raise _TryAgain(type(error).__name__) from error
        if reply.status == TOO_MANY_REQUESTS or reply.status >= SERVER_ERROR:
            raise _TryAgain(f"HTTP {reply.status}")
        return reply

    def _exchange(self, method: str, target: str, route: str, body: bytes, headers: Mapping[str, str]) -> Reply:
        signed = {**headers, **self._sign(method, target, body)}
        if body:
            signed["Content-Type"] = "application/json"
        started = time.perf_counter()
        outcome: int | str = "no reply"
        try:
            response = client().request(
                method, self._base_url + target, content=body or None, headers=signed, timeout=self._timeout
            )
            outcome = response.status_code
            return Reply(response.status_code, response.headers, response.content, response.json)
        except httpx.HTTPError as error:
            outcome = type(error).__name__
            raise
        finally:
            # Never the target, the body or a header: they hold keys, account numbers and secrets.
            took = round((time.perf_counter() - started) * 1000, 1)
            log.info("gateway.call", institution=self.institution, call=f"{method} {route}", outcome=outcome, ms=took)
