from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from bridge.embedded.paths import EmbeddedError
from bridge.management.supervisor import ports


@pytest.fixture
def taken() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


def test_a_taken_port_is_passed_over(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    assert ports.free_port(host="127.0.0.1", usual=port, forced=None, variable="BRIDGE_PORT") > port


def test_a_forced_port_that_is_taken_is_named(taken: socket.socket) -> None:
    port = taken.getsockname()[1]
    with pytest.raises(EmbeddedError, match=rf"Port {port} .*BRIDGE_PORT asks for, is not free"):
        ports.free_port(host="127.0.0.1", usual=8000, forced=port, variable="BRIDGE_PORT")
