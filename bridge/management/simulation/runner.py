"""Many seeds in several processes, each with a database of its own, and what they found taken together."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bridge.embedded.paths import CHECKOUT, EmbeddedError
from bridge.management.simulation.server import Scratch, environment

Found = dict[str, Any]


@dataclass
class Summary:
    """Of many runs. `digest` covers every run's own, in the order of their seeds."""

    runs: dict[int, Found] = field(default_factory=dict)

    def take(self, found: Found) -> None:
        self.runs[found["seed"]] = found

    @property
    def violations(self) -> list[dict[str, Any]]:
        return [{"seed": seed, **item} for seed in sorted(self.runs) for item in self.runs[seed]["violations"]]

    def total(self, name: str) -> dict[str, int]:
        found: Counter[str] = Counter()
        for run in self.runs.values():
            found.update(run[name])
        return dict(sorted(found.items()))

    @property
    def digest(self) -> str:
        told = "".join(f"{seed}:{self.runs[seed]['digest']}\n" for seed in sorted(self.runs))
        return hashlib.sha256(told.encode()).hexdigest()[:16]

    def sum(self, name: str) -> int:
        return sum(run[name] for run in self.runs.values())


class Player:
    """A process that plays seeds, one after the other."""

    def __init__(self, url: str, tree: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "bridge.management.simulation.worker"],
            cwd=tree,
            env=environment(url) | {"PYTHONPATH": str(tree)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._said: list[str] = []
        self._reader = threading.Thread(target=self._listen, daemon=True)
        self._reader.start()

    def _listen(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._said = [*self._said[-30:], line]

    def play(self, seed: int, *, aloud: bool = False) -> Found:
        """Raises `EmbeddedError` where the process fails; what the run found is in the answer."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            print(json.dumps({"seed": seed, "aloud": aloud}), file=self._process.stdin, flush=True)
            line = self._process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            self._reader.join(5)
            raise EmbeddedError(f"The process that played seed {seed} ended:\n{''.join(self._said)}")
        answer = json.loads(line)
        if "error" in answer:
            raise EmbeddedError(f"Seed {seed} could not be played:\n{answer['error']}")
        return answer

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextmanager
def players(scratch: Scratch, number: int, *, tree: Path = CHECKOUT) -> Iterator[list[Player]]:
    made = [Player(url, tree) for url in scratch.databases([f"player_{n}" for n in range(number)], tree=tree)]
    try:
        yield made
    finally:
        for player in made:
            player.end()


def play_all(
    made: list[Player],
    seeds: Iterable[int],
    *,
    heard: Callable[[Found], None],
    enough: Callable[[], bool] = lambda: False,
) -> None:
    """Each seed once, by whoever is free; `heard` is called with one answer at a time. Raises what a player raised."""
    waiting, lock = iter(seeds), threading.Lock()
    failed: list[BaseException] = []

    def work(player: Player) -> None:
        while True:
            with lock:
                seed = next(waiting, None)
                if seed is None or failed or enough():
                    return
            try:
                found = player.play(seed)
            except BaseException as error:
                failed.append(error)
                return
            with lock:
                heard(found)

    threads = [threading.Thread(target=work, args=(player,), daemon=True) for player in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
