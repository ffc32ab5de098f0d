"""One nursery for the whole run, and a closing line that says how many cases recovered."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.embedded.paths import CHECKOUT
from tests.crash.cases import ALL, Case

PATIENCE = 120.0
_recovered: dict[str, bool] = {}
_seconds: list[float] = []


class Nursery:
    """The process that forks a Bridge for each case; see `tests.crash.nursery`."""

    def __init__(self, state: Path) -> None:
        self._log = state / "nursery.log"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.crash.nursery", str(state)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log.open("wb"),
            text=True,
            cwd=CHECKOUT,
            env=os.environ | {"DJANGO_SETTINGS_MODULE": "bridge.settings.test"},
        )
        self._answer()

    def run(self, case: Case) -> list[str]:
        """What is wrong after this case: nothing, when Bridge has recovered by itself."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([case.point, case.kill, case.answer, case.bug]) + "\n")
        self._process.stdin.flush()
        wrong: list[str] = self._answer()["wrong"]
        return wrong

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, f"the nursery is gone:\n{self._log.read_text(errors='replace')[-4000:]}"
        return json.loads(line)

    def stop(self) -> None:
        self._process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="session")
def nursery(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nursery]:
    made = Nursery(tmp_path_factory.mktemp("crash"))
    yield made
    made.stop()


@pytest.fixture
def recovers(nursery: Nursery) -> Callable[[Case], list[str]]:
    """Runs a case and counts it for the closing line."""

    def run(case: Case) -> list[str]:
        began = time.perf_counter()
        _recovered[case.name] = False
        wrong = nursery.run(case)
        _recovered[case.name] = not wrong
        _seconds.append(time.perf_counter() - began)
        return wrong

    return run


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not _recovered:
        return
    well, tried = sum(_recovered.values()), len(_recovered)
    of = f"{well} of {tried} recovered" + ("" if tried == len(ALL) else f" (all there are: {len(ALL)})")
    terminalreporter.section("crash points")
    terminalreporter.write_line(f"{of}, in {sum(_seconds):.0f} seconds")
