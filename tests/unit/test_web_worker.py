"""A worker of the web server hangs up on who connects and says nothing, also where the kernel does not keep it away."""

from __future__ import annotations

import socket

import pytest
from gunicorn.workers.sync import SyncWorker

from bridge.management.supervisor import web_worker
from bridge.management.supervisor.web_worker import HastyWorker


@pytest.fixture
def handled(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    seen: list[socket.socket] = []
    monkeypatch.setattr(web_worker, "FIRST_WORD_SECONDS", 0.01)
    monkeypatch.setattr(SyncWorker, "handle", lambda self, listener, client, addr: seen.append(client))
    return seen


def test_who_says_nothing_is_hung_up_on(handled: list[socket.socket]) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        HastyWorker.__new__(HastyWorker).handle(None, ours, None)
        assert theirs.recv(1) == b""
    assert handled == []


def test_who_has_said_something_is_heard(handled: list[socket.socket]) -> None:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(b"GET")
        HastyWorker.__new__(HastyWorker).handle(None, ours, None)
        assert handled == [ours]
