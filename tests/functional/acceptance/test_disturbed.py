"""A demo batch with every fault of the bank switched on, and with our own processes killed in the middle of it."""

from __future__ import annotations

import json
import os
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from bridge.embedded import process
from tests.functional.acceptance.stack import Stack

pytestmark = pytest.mark.slow
FULL = bool(os.environ.get("BRIDGE_TEST_FULL"))
BATCH = 500
KILLED_BATCH = 500 if FULL else 100
PATIENCE = 600


def _demo(number: int, seed: int) -> list[str]:
    wanted = {"transfers": number, "seed": seed, "faults": "all", "timeout": PATIENCE}
    return ["demo", "--json", *(part for name, value in wanted.items() for part in (f"--{name}", str(value)))]


def _holds(report: dict[str, Any], number: int) -> None:
    shown = json.dumps({name: value for name, value in report.items() if name != "funds"}, indent=1)
    assert report["transfers"] == number, shown
    assert report["problems"] == [], shown
    assert report["money_on_the_bridge"] == {}, shown
    assert report["differences"] == [], shown
    assert report["new_breaks"] == 0, shown
    assert report["broken_invariants"] == [], shown
    assert report["holds"], shown


def test_with_every_fault_of_the_bank_each_transfer_ends_and_the_books_agree(stack: Stack) -> None:
    report = json.loads(stack.command(*_demo(BATCH, 11), timeout=PATIENCE + 60))
    _holds(report, BATCH)
    assert {"completed", "refunded", "failed", "rejected", "cancelled"} <= set(report["states"])
    stack.check_ledger()


def test_connections_that_say_nothing_hold_up_nobody(stack: Stack) -> None:
    """Browsers keep some ready; there are more here than there are web processes."""
    address = httpx.URL(stack.addresses()["base_url"])
    with ExitStack() as kept:
        for _ in range(40):
            kept.enter_context(socket.create_connection((address.host, address.port or 80), timeout=5))
        assert httpx.get(f"{address}/readyz", timeout=20, trust_env=False).status_code == httpx.codes.OK


@pytest.mark.parametrize(
    ("seed", "killed"),
    [(12, ["worker", "web"]), (13, ["postgres"]), (14, ["sandbox", "valkey"])],
    ids=["worker and web", "database", "bank and broker"],
)
def test_killed_in_the_middle_it_comes_to_the_same_end(
    stack: Stack, tmp_path: Path, seed: int, killed: list[str]
) -> None:
    log = tmp_path / "demo.json"
    before = stack.asked("SELECT count(*) FROM transfers_transfer")
    demo = stack.start(*_demo(KILLED_BATCH, seed), log=log)
    try:
        for place, name in enumerate(killed, start=1):
            enough = before + KILLED_BATCH * place // (len(killed) + 1)

            def in_the_middle(enough: int = enough) -> bool:
                asked = stack.asked("SELECT count(*) FROM transfers_transfer")
                busy = stack.asked("SELECT count(*) FROM transfers_work WHERE step NOT IN ('decide', 'promote')")
                return demo.poll() is not None or (asked is not None and asked >= enough and bool(busy))

            assert process.wait_until(in_the_middle, patience=PATIENCE)
            assert demo.poll() is None, log.with_suffix(".err").read_text()
            stack.kill(name)
        demo.wait(PATIENCE + 60)
    finally:
        process.stop(demo)
    assert log.read_text(), log.with_suffix(".err").read_text() + stack.log()
    _holds(json.loads(log.read_text()), KILLED_BATCH)
    stack.check_ledger()
