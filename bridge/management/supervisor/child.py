"""One supervised process: started, asked for its health, started again when it dies."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bridge.embedded import process
from bridge.embedded.paths import CHECKOUT, EmbeddedError

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_CALM_SECONDS = 60.0  # after so long a life the next death counts as the first


@dataclass
class Child:
    """`healthy` asks the running process; `patience` is how many seconds it may take to end what it is doing."""

    name: str
    command: Sequence[str | Path]
    env: Mapping[str, str]
    log: Path
    healthy: Callable[[], bool]
    patience: float = 15.0
    pass_fds: Sequence[int] = ()
    process: subprocess.Popen[bytes] | None = field(default=None, init=False)
    _started_at: float = field(default=0.0, init=False)
    _deaths: int = field(default=0, init=False)
    _start_again_at: float | None = field(default=None, init=False)

    def start(self) -> None:
        self.process = process.spawn(
            command=self.command, log=self.log, env=self.env, cwd=CHECKOUT, pass_fds=self.pass_fds
        )
        self._started_at = time.monotonic()
        self._start_again_at = None

    def wait_healthy(self, *, patience: float) -> None:
        """Raises `EmbeddedError` with the end of its log when it dies or stays silent for `patience` seconds."""
        if not process.wait_until(lambda: self.dead or self.healthy(), patience=patience):
            raise EmbeddedError(f"{self.name} does not answer. Its log, {self.log}, ends:\n{process.tail(self.log)}")
        if self.dead:
            raise EmbeddedError(
                f"{self.name} stopped at its start. Its log, {self.log}, ends:\n{process.tail(self.log)}"
            )

    @property
    def dead(self) -> bool:
        return self.process is None or self.process.poll() is not None

    @property
    def pid(self) -> int | None:
        return self.process.pid if self.process else None

    def mend(self) -> str:
        """Start again what died, after a pause that doubles with every death. Returns news for people, else ''."""
        if not self.dead:
            return ""
        now = time.monotonic()
        if self._start_again_at is not None:
            if now < self._start_again_at:
                return ""
            self.start()
            return f"{self.name} was started again (pid {self.pid})."
        self._deaths = 1 if now - self._started_at > _CALM_SECONDS else self._deaths + 1
        pause = min(_FIRST_PAUSE * 2 ** (self._deaths - 1), _LONGEST_PAUSE)
        self._start_again_at = now + pause
        self._sweep_group()
        return f"{self.name} died ({self._cause()}); starting it again in {pause:g} s. Its log: {self.log}"

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            process.stop(self.process, how=how, patience=self.patience)

    def _sweep_group(self) -> None:
        if self.process is not None:
            process.stop(self.process)

    def _cause(self) -> str:
        code = self.process.returncode if self.process else None
        return f"signal {signal.Signals(-code).name}" if code is not None and code < 0 else f"exit code {code}"
