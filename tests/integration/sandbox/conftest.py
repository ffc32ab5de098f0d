"""One sandbox process per module, reset before each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.sandbox.process import Receiver, SandboxProcess


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[SandboxProcess]:
    process = SandboxProcess(Path(tmp_path_factory.mktemp("sandbox")), receiver.url)
    yield process
    process.stop()


@pytest.fixture
def bank(served: SandboxProcess, receiver: Receiver) -> SandboxProcess:
    served.control("POST", "/control/reset")
    served.furnish()
    receiver.taken.clear()
    receiver.failures = 0
    return served
