"""Real services that some tests want and that a machine may lack."""

from __future__ import annotations

import os
import shutil
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Outside:
    """`address` is a URL or a program, `None` where there is none."""

    address: str | None
    absent: str

    @property
    def shown(self) -> str:
        """Without a password."""
        return (self.address or "").rpartition("@")[2]

    def needed(self) -> str:
        if self.address is None:
            raise LookupError(self.absent)
        return self.address


def _service(variable: str, usual: str) -> Outside:
    """The one that the environment names, which must then be there, else the usual place when something listens."""
    named = os.environ.get(variable)
    if named:
        return Outside(named, "")
    parts = urlsplit(usual)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=0.5).close()
    except OSError:
        return Outside(None, f"nothing listens on {parts.hostname}:{parts.port} and {variable} is not set")
    return Outside(usual, "")


def _chromium() -> Outside:
    named = os.environ.get("BRIDGE_TEST_CHROMIUM")
    found = named or next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    return Outside(found, "no chromium on the path and BRIDGE_TEST_CHROMIUM is not set")


SERVICES = {
    "rabbitmq": _service("BRIDGE_TEST_AMQP_URL", "amqp://guest:guest@127.0.0.1:5672//"),
    "redis": _service("BRIDGE_TEST_REDIS_URL", "redis://127.0.0.1:6379/15"),
    "chromium": _chromium(),
}
