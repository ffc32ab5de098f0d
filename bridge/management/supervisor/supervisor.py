"""Starts everything in order, heals what dies, stops everything in the reverse order."""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.db import connections

from bridge.embedded import process
from bridge.embedded.locks import FileLock
from bridge.embedded.paths import CHECKOUT, EmbeddedError, Places
from bridge.embedded.postgres import Postgres, database_url
from bridge.embedded.valkey import Valkey
from bridge.management.supervisor import plan, ports, runfile
from bridge.management.supervisor.child import Child
from bridge.management.supervisor.steps import Steps

_HOST = "127.0.0.1"
_WEB_PORT = 8000
_SANDBOX_PORT = 8100
_HEALTH_SECONDS = 60.0
_LOOK_SECONDS = 0.2


class Interrupted(BaseException):
    """Ctrl-C or SIGTERM. Not an Exception: nothing on the way may take it for a failure."""


class Supervisor:
    """One per checkout, by lock. `start`, then `demo` or `serve` as often as wanted, then `stop`, in any case."""

    def __init__(self, places: Places, steps: Steps) -> None:
        self._places = places
        self._steps = steps
        self._lock = FileLock(places.state / "run.lock")
        self._postgres = None if os.environ.get("DATABASE_URL") else Postgres(places)
        both_named = os.environ.get("BROKER_URL") and os.environ.get("CACHE_URL")
        self._valkey = None if both_named else Valkey(places)
        self._children: list[Child] = []
        self._env: dict[str, str] = {}
        self._web_socket: socket.socket | None = None
        self._addresses: dict[str, Any] = {}

    @property
    def addresses(self) -> dict[str, Any]:
        return dict(self._addresses)

    def start(self) -> None:
        """Raises `EmbeddedError` with a reason for people; call `stop` then, too."""
        self._take_lock()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, _interrupt)
        self._places.prepare()
        self._end_leftovers()
        for name, server in (("PostgreSQL", self._postgres), ("Valkey", self._valkey)):
            if server is not None:
                with self._steps.step(name):
                    server.start()
        with self._steps.step("Database migrations"):
            call_command("migrate", verbosity=0, interactive=False)
            connections.close_all()
        self._start_bridge()
        self._write_run_file()

    def demo(self, *, transfers: int, seed: int) -> int:
        """Run the demo beside the others and return its exit code."""
        command = [sys.executable, "manage.py", "demo", "--transfers", str(transfers), "--seed", str(seed)]
        demo = process.spawn_on_terminal(command=command, env=self._env, cwd=CHECKOUT)
        try:
            while demo.poll() is None:
                self.look()
        finally:
            process.stop(demo)
        return demo.returncode

    def serve(self) -> None:
        """Until a signal comes, which arrives as `Interrupted`."""
        while True:
            self.look()

    def look(self) -> None:
        """One round: start again what died, say so, and keep the run file true."""
        time.sleep(_LOOK_SECONDS)
        news = [self._mend_server(name, server) for name, server in self._servers()]
        news += [child.mend() for child in self._children]
        if any(news):
            for text in filter(None, news):
                self._steps.say(text)
            self._write_run_file()

    def stop(self) -> None:
        """Everything, in the reverse order of the start. A second signal does not disturb it."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        connections.close_all()
        for child in reversed(self._children):
            child.stop()
        for _, server in reversed(self._servers()):
            server.stop()
        if self._web_socket is not None:
            self._web_socket.close()
        if self._addresses:
            self._places.run_file.unlink(missing_ok=True)
        self._lock.release()

    def _take_lock(self) -> None:
        if not self._lock.acquire():
            url = runfile.read(self._places.run_file).get("base_url")
            where = f": {url}" if url else ", or is just starting or stopping"
            raise EmbeddedError(f"Bridge is already running in this checkout{where}.")

    def _end_leftovers(self) -> None:
        """What a killed supervisor left where the kernel does not end children with their parent."""
        for name, pid in runfile.read(self._places.run_file).get("pids", {}).items():
            if name not in ("supervisor", "postgres", "valkey") and pid:
                process.end_leftover(pid, mark="bridge")
        self._places.run_file.unlink(missing_ok=True)

    def _start_bridge(self) -> None:
        forced_web = _number("BRIDGE_PORT")
        forced_sandbox = _number("BRIDGE_SANDBOX_PORT")
        self._web_socket = ports.listening_socket(
            host=_HOST, usual=_WEB_PORT, forced=forced_web, variable="BRIDGE_PORT"
        )
        web_port = self._web_socket.getsockname()[1]
        base_url = f"http://{_HOST}:{web_port}"
        self._tell_port("web", usual=forced_web or _WEB_PORT, taken=web_port)
        with self._steps.step("Sandbox bank"):
            sandbox_url = self._start_sandbox(base_url, forced_sandbox)
        others = [
            plan.web(self._places, self._env, descriptor=self._web_socket.fileno()),
            plan.worker(self._places, self._env),
            plan.beat(self._places, self._env),
        ]
        for child in others:
            self._children.append(child)
            child.start()
        for child, title in zip(others, ("Web", "Worker", "Beat"), strict=True):
            with self._steps.step(title):
                child.wait_healthy(patience=_HEALTH_SECONDS)
        self._addresses = {"base_url": base_url, "stream_url": None, "sandbox_url": sandbox_url}

    def _start_sandbox(self, base_url: str, forced: int | None) -> str:
        """On the usual port or the next one; again on another when somebody takes it between our look and its bind."""
        usual = _SANDBOX_PORT
        while True:
            port = ports.free_port(host=_HOST, usual=usual, forced=forced, variable="BRIDGE_SANDBOX_PORT")
            url = f"http://{_HOST}:{port}"
            self._env = plan.environment(
                base_url=base_url, sandbox_url=url, sandbox_secret=settings.BRIDGE_SANDBOX_SECRET
            )
            bank = plan.sandbox(self._places, self._env, port=port)
            self._children = [bank]
            bank.start()
            try:
                bank.wait_healthy(patience=_HEALTH_SECONDS)
            except EmbeddedError:
                if forced or not bank.dead or _is_free(port):
                    raise
                usual = port + 1
                continue
            self._tell_port("sandbox bank", usual=forced or _SANDBOX_PORT, taken=port)
            return url

    def _tell_port(self, what: str, *, usual: int, taken: int) -> None:
        if taken != usual:
            self._steps.say(f"Port {usual} is taken; the {what} uses {taken}.")

    def _servers(self) -> list[tuple[str, Postgres | Valkey]]:
        pairs: list[tuple[str, Postgres | Valkey | None]] = [("postgres", self._postgres), ("valkey", self._valkey)]
        return [(name, server) for name, server in pairs if server is not None]

    def _mend_server(self, name: str, server: Postgres | Valkey) -> str:
        if server.process is None or server.process.poll() is None:
            return ""
        server.stop()
        try:
            server.start()
        except EmbeddedError as error:
            raise EmbeddedError(f"{name} died and does not come up again. {error}") from error
        return f"{name} died and was started again."

    def _write_run_file(self) -> None:
        pids = {name: server.process.pid for name, server in self._servers() if server.process}
        pids |= {child.name: child.pid for child in self._children if child.pid}
        content = self._addresses | {
            "database_url": os.environ.get("DATABASE_URL") or database_url(self._places),
            "broker_url": settings.CELERY_BROKER_URL,
            "cache_url": settings.CACHES["default"]["LOCATION"],
            "pids": {"supervisor": os.getpid()} | pids,
        }
        runfile.write(self._places.run_file, content)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise Interrupted


def _number(variable: str) -> int | None:
    text = os.environ.get(variable, "")
    if not text:
        return None
    if not text.isdecimal() or not 0 < int(text) < 65536:
        raise EmbeddedError(f"{variable} must be a port between 1 and 65535, not {text!r}.")
    return int(text)


def _is_free(port: int) -> bool:
    try:
        ports.free_port(host=_HOST, usual=port, forced=port, variable="")
    except EmbeddedError:
        return False
    return True
