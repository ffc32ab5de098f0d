"""Where the embedded services keep their state, their sockets and their data.

The state directory is `.local/` in the checkout (`BRIDGE_STATE_DIR` moves it). Every address derives from its path, so
that two checkouts never meet, and so that a command in a second terminal finds the services without being told.

Run as root, the servers drop to `nobody`, who may not be able to reach the checkout (a home of mode 0700). Their data
then lives below `/var/lib`, in a directory named after the state directory; `data-dir` in the state says so.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
_FAR_AWAY = Path("/var/lib/bridge-embedded")
_RECORD = "data-dir"


class EmbeddedError(Exception):
    """The embedded services cannot start or stop; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ServerUser:
    """Whom the servers run as when we are root: never root itself."""

    uid: int
    gid: int


def server_user() -> ServerUser | None:
    """`nobody` for root, `None` (stay who we are) for everybody else. Raises `EmbeddedError` without a `nobody`."""
    if os.geteuid() != 0:
        return None
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError as error:
        raise EmbeddedError("PostgreSQL does not run as root, and this system has no user `nobody`.") from error
    return ServerUser(uid=entry.pw_uid, gid=entry.pw_gid)


@dataclass(frozen=True)
class Places:
    """Every path of one embedded installation."""

    state: Path

    @cached_property
    def key(self) -> str:
        """Ten hexadecimal digits that stand for this state directory in short paths."""
        return hashlib.sha256(os.fsencode(self.state)).hexdigest()[:10]

    @property
    def logs(self) -> Path:
        return self.state / "log"

    @property
    def secrets(self) -> Path:
        return self.state / "secrets.json"

    @property
    def run_file(self) -> Path:
        return self.state / "run.json"

    @property
    def sockets(self) -> Path:
        """Below /tmp and not TMPDIR: a socket's path may have about 100 characters."""
        return Path("/tmp") / f"bridge-{os.geteuid()}-{self.key}"  # noqa: S108 private, checked in `prepare`

    @property
    def postgres_socket(self) -> Path:
        return self.sockets / "pg"

    @property
    def valkey_socket(self) -> Path:
        return self.sockets / "kv" / "s"

    @cached_property
    def data(self) -> Path:
        """Where the servers keep their files. Recorded at the first start, so that it never moves by itself."""
        recorded = self._recorded()
        if recorded is not None:
            return recorded
        if server_user() is None or _open_to_all(self.state):
            return self.state / "data"
        return _FAR_AWAY / self.key

    def prepare(self) -> None:
        """Make the directories, private ones of mode 0700. Raises `EmbeddedError` where they are somebody else's."""
        self.logs.mkdir(parents=True, exist_ok=True)
        if self.state.stat().st_uid != os.geteuid():
            raise EmbeddedError(
                f"{self.state} belongs to another user. Start Bridge as that user, or name another directory "
                "in BRIDGE_STATE_DIR."
            )
        owner = server_user()
        _private(self.sockets, mode=0o711 if owner else 0o700)
        for place in (self.postgres_socket, self.valkey_socket.parent):
            _private(place, mode=0o700, owner=owner)
        self.data.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _private(self.data, mode=0o700, owner=owner)
        (self.state / _RECORD).write_text(f"{self.state}\n{self.data}\n")

    def _recorded(self) -> Path | None:
        try:
            whose, where = (self.state / _RECORD).read_text().splitlines()[:2]
        except (OSError, ValueError):
            return None
        # A copied or moved checkout brings the record along, but the data it names is the other one's.
        return Path(where) if whose == str(self.state) else None


def places(state: Path | None = None) -> Places:
    """The installation of `state`, else of `BRIDGE_STATE_DIR`, else of `.local/` in this checkout."""
    return Places((state or Path(os.environ.get("BRIDGE_STATE_DIR") or CHECKOUT / ".local")).resolve())


def _open_to_all(path: Path) -> bool:
    """Whether a stranger may walk to `path`: every existing directory above it lets others through."""
    return all(not p.exists() or p.stat().st_mode & stat.S_IXOTH for p in (path, *path.parents))


def _private(path: Path, *, mode: int, owner: ServerUser | None = None) -> None:
    """A directory that only its owner may enter; refuses one that somebody else made in our place."""
    path.mkdir(mode=mode, exist_ok=True)
    found = path.lstat()
    allowed = {os.geteuid()} | ({owner.uid} if owner else set())
    if not stat.S_ISDIR(found.st_mode) or found.st_uid not in allowed:
        raise EmbeddedError(f"{path} is not a directory of ours. Remove it and start again.")
    if owner is not None:
        os.chown(path, owner.uid, owner.gid)
    path.chmod(mode)
