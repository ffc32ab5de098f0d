"""Child processes that cannot outlive us.

On Linux the kernel signals a child when its parent dies, however it dies. Elsewhere the next start removes what a
killed one left behind.
"""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from bridge.embedded.paths import ServerUser

_LAUNCH = Path(__file__).with_name("launch.py")
_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.05


def spawn(
    *,
    command: Sequence[str | Path],
    log: Path,
    env: Mapping[str, str],
    cwd: Path,
    death_signal: signal.Signals = signal.SIGTERM,
    user: ServerUser | None = None,
    pass_fds: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    """Start a child in a session of its own, its output appended to `log`.

    It gets `death_signal` when the calling thread dies: call from the main thread. It inherits `pass_fds`.
    """
    who = (str(user.uid), str(user.gid)) if user else ("-", "-")
    launch = [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), str(int(death_signal)), *who]
    with log.open("ab") as output:
        return subprocess.Popen(  # noqa: S603 our own command
            [*launch, *(str(part) for part in command)],
            cwd=cwd,
            env=dict(env),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=pass_fds,
        )


def spawn_on_terminal(*, command: Sequence[str | Path], env: Mapping[str, str], cwd: Path) -> subprocess.Popen[bytes]:
    """Start a child that writes where we write. Ctrl-C reaches only us: we decide when it ends."""
    launch = [sys.executable, "-I", "-S", str(_LAUNCH), str(os.getpid()), str(int(signal.SIGTERM)), "-", "-"]
    sys.stdout.flush()
    return subprocess.Popen(  # noqa: S603 our own command
        [*launch, *(str(part) for part in command)],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        start_new_session=True,
    )


def die_with_parent() -> None:
    """For a forked worker: be killed when the process that forked us dies. Does nothing where it cannot be asked."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)


def stop(process: subprocess.Popen[bytes], *, how: signal.Signals = signal.SIGTERM, patience: float = 15.0) -> None:
    """Ask with `how`, wait `patience` seconds, then kill. Afterwards nothing of its process group is left."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # nobody is left; macOS says it with the second


def command_line(pid: int) -> str:
    """The command line of a living process, else an empty text; a zombie has none either."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    except OSError:
        if Path("/proc/self").exists():
            return ""
    asked = subprocess.run(["ps", "-o", "command=", "-p", str(pid)], capture_output=True, text=True, check=False)  # noqa: S603, S607
    return asked.stdout.strip()


def end_leftover(pid: int, *, mark: str, how: signal.Signals = signal.SIGTERM, patience: float = 30.0) -> None:
    """Stop what a killed supervisor left behind: only a process whose command line carries `mark`."""
    if pid <= 1 or mark not in command_line(pid):
        return
    os.kill(pid, how)
    if not wait_until(lambda: mark not in command_line(pid), patience=patience):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: mark not in command_line(pid), patience=5)


def wait_until(condition: Callable[[], bool], *, patience: float) -> bool:
    """Ask until it holds; `False` when `patience` seconds have passed."""
    end = time.monotonic() + patience
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def tail(log: Path, *, lines: int = 20) -> str:
    """The last lines of a log, for an error message."""
    try:
        return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
    except OSError:
        return ""
