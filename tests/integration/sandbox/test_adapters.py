"""What the adapters make of what the bank and the network do."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bridge.kernel.gateway import AccountRef, GatewayUnavailable, Outcome
from bridge.sandbox.client import InvalidCallback, SandboxGateway
from bridge.sandbox.wire import derive_credentials
from tests.integration.sandbox.process import MASTER, RICH, ROUTING, order, until

ACCOUNT = AccountRef("meridian", "A1", ROUTING, "USD")


def test_withdrawal_and_deposit_settle_and_show_in_balance_and_activity(bank):
    investors, funds = bank.investor_bank(), bank.fund_bank()
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert investors.submit(order("w1", amount=500)).outcome is Outcome.SETTLED
    assert funds.submit(order("d1", "deposit", 500)).outcome is Outcome.SETTLED
    assert investors.balance(ACCOUNT).available == RICH - 500
    assert bank.settlement().balance("USD").current == 0
    (line,) = investors.activity(since)
    assert (line.key, line.direction, line.amount, line.account_last4) == ("w1", "debit", 500, "A1")
    assert [line.direction for line in funds.activity(since)] == ["credit"]


def test_activity_is_read_over_all_pages(bank, monkeypatch):
    monkeypatch.setattr(SandboxGateway, "page_size", 2)
    investors = bank.investor_bank()
    for number in range(7):
        investors.submit(order(f"w{number}", amount=number + 1))
    lines = list(investors.activity(datetime.now(UTC) - timedelta(minutes=1)))
    assert [line.key for line in lines] == [f"w{number}" for number in range(7)]


def test_rejection_carries_the_banks_code_and_is_kept_under_its_key(bank):
    investors = bank.investor_bank()
    report = investors.submit(order("w1", amount=RICH + 1))
    assert (report.outcome, report.code) == (Outcome.REJECTED, "R01")
    assert investors.find("w1").outcome is Outcome.REJECTED


@pytest.mark.parametrize(
    ("fault", "found"),
    [
        ("timeout_before", Outcome.NOT_FOUND),
        ("error_before", Outcome.NOT_FOUND),
        ("timeout_after", Outcome.SETTLED),
        ("error_after", Outcome.SETTLED),
        ("timeout_late", Outcome.NOT_FOUND),
    ],
)
def test_lost_reply_is_unknown_and_a_resend_of_the_key_acts_once(bank, fault, found):
    bank.control("POST", "/control/faults", {"fault": fault, "count": 1, "seconds": 3600})
    investors = bank.investor_bank()
    assert investors.submit(order("w1")).outcome is Outcome.UNKNOWN
    assert investors.find("w1").outcome is found
    assert investors.submit(order("w1")).outcome is Outcome.SETTLED
    bank.control("POST", "/control/clock", {"advance_seconds": 7200})
    assert bank.settlement().balance("USD").current == 100


def test_slower_than_our_timeout_is_unknown(bank):
    bank.control("POST", "/control/faults", {"fault": "slow", "count": 1, "seconds": 1.0})
    assert bank.investor_bank(timeout=0.2).submit(order("w1")).outcome is Outcome.UNKNOWN
    assert bank.investor_bank().find("w1").outcome is Outcome.SETTLED


def test_response_that_comes_twice_leaves_the_pool_usable(bank):
    bank.control("POST", "/control/faults", {"fault": "duplicate_response", "count": 1})
    investors = bank.investor_bank()
    assert [investors.submit(order(f"w{n}")).key for n in range(3)] == ["w0", "w1", "w2"]


def test_key_with_another_body_is_unknown_never_rejected(bank):
    investors = bank.investor_bank()
    investors.submit(order("w1", amount=100))
    report = investors.submit(order("w1", amount=200))
    assert (report.outcome, report.code) == (Outcome.UNKNOWN, "key_reused")


def test_wrong_amount_return_and_forgotten_key_reach_the_report(bank):
    investors = bank.investor_bank()
    bank.control("POST", "/control/faults", {"fault": "wrong_amount", "delta": -40, "count": 1})
    assert investors.submit(order("w1")).settled_amount == 60
    bank.control("POST", "/control/faults", {"fault": "return_later", "days": 2, "code": "R10", "count": 1})
    investors.submit(order("w2"))
    bank.control("POST", "/control/clock", {"advance_seconds": 2 * 86400})
    report = investors.find("w2")
    assert (report.outcome, report.returned_amount, report.code) == (Outcome.RETURNED, 100, "R10")
    bank.control("POST", "/control/faults", {"fault": "forget_key", "count": 1})
    investors.submit(order("w3"))
    assert investors.find("w3").outcome is Outcome.NOT_FOUND


def test_stale_query_and_insufficient_funds_and_reject(bank):
    investors = bank.investor_bank()
    investors.submit(order("w1"))
    bank.control("POST", "/control/faults", {"fault": "stale_query", "not_found": True, "count": 1})
    assert [investors.find("w1").outcome for _ in range(2)] == [Outcome.NOT_FOUND, Outcome.SETTLED]
    for fault, code in (("insufficient_funds", "R01"), ("reject", "R29")):
        bank.control("POST", "/control/faults", {"fault": fault, "count": 1})
        assert investors.submit(order(fault)).code == code


def test_reads_are_retried_and_then_say_who_did_not_answer(bank):
    investors = bank.investor_bank()
    bank.control("POST", "/control/faults", {"fault": "error_before", "call": "balance", "count": 2})
    assert investors.balance(ACCOUNT).current == RICH
    bank.control("POST", "/control/faults", {"fault": "error_before", "call": "balance"})
    with pytest.raises(GatewayUnavailable, match="meridian"):
        investors.balance(ACCOUNT)


def test_nobody_listening_and_wrong_credentials_are_unknown(bank):
    nobody = SandboxGateway("meridian", "http://127.0.0.1:9", "key", "secret")
    assert nobody.submit(order("w1")).outcome is Outcome.UNKNOWN
    assert nobody.find("w1").outcome is Outcome.UNKNOWN
    stranger = SandboxGateway("meridian", bank.url, "key", "secret")
    assert stranger.submit(order("w1")).code == "http_401"
    assert bank.investor_bank().find("w1").outcome is Outcome.NOT_FOUND


def test_order_of_the_wrong_side_is_a_mistake_of_the_caller(bank):
    with pytest.raises(ValueError, match="deposit"):
        bank.investor_bank().submit(order("d1", "deposit"))


FORKING = """
import os, sys
from tests.integration.sandbox.process import order
from accounts.gateway.sandbox import SandboxInvestorBank
bank = SandboxInvestorBank("meridian", *sys.argv[1:])
assert bank.submit(order("w1")).outcome == "settled"
child = os.fork()
if child == 0:
    os._exit(0 if bank.submit(order("w2")).outcome == "settled" else 1)
assert os.waitpid(child, 0)[1] == 0
assert bank.submit(order("w3")).outcome == "settled"
"""


def test_forked_child_makes_its_own_connections(bank):
    keys = derive_credentials(MASTER, "meridian")
    command = [sys.executable, "-c", FORKING, bank.url, keys.api_key, keys.secret]
    subprocess.run(command, check=True, timeout=20, cwd=Path(__file__).parents[3], capture_output=True)
    assert bank.settlement().balance("USD").current == 300


class TestCallbacks:
    def test_callback_is_signed_and_read_by_the_adapter(self, bank, receiver):
        bank.control("POST", "/control/faults", {"fault": "timeout_after", "count": 1})
        investors = bank.investor_bank()
        investors.submit(order("w1"))
        path, headers, body = until(lambda: receiver.taken)[0]
        assert path == "/callbacks/meridian"
        message_id, report = investors.callback(headers, body)
        assert (report.key, report.outcome, report.settled_amount) == ("w1", Outcome.SETTLED, 100)
        assert message_id.startswith("msg_")
        for forged in (body.replace(b"100", b"900"), b"\xff\x00", b""):
            with pytest.raises(InvalidCallback):
                investors.callback(headers, forged)
        with pytest.raises(InvalidCallback):
            investors.callback({"webhook-id": "x", "webhook-signature": "v1", "webhook-timestamp": "now"}, body)

    def test_callback_is_sent_until_it_is_taken_with_one_id(self, bank, receiver):
        bank.furnish(delay=0.05)
        receiver.failures = 2
        bank.control("POST", "/control/faults", {"fault": "duplicated_callback"})
        bank.investor_bank().submit(order("w1"))
        until(lambda: len(receiver.taken) == 2)
        assert len({headers["webhook-id"] for _, headers, _ in receiver.taken}) == 1
        until(lambda: bank.books()["callbacks_waiting"] == 0)

    def test_lost_late_and_out_of_order_callbacks(self, bank, receiver):
        bank.furnish(delay=3600)
        investors = bank.investor_bank()
        for key, fault in (("lost", "lost_callback"), ("late", "late_callback"), ("last", "out_of_order_callback")):
            bank.control("POST", "/control/faults", {"fault": fault, "key": key, "seconds": 86400})
            investors.submit(order(key))
        investors.submit(order("first"))
        bank.control("POST", "/control/clock", {"advance_seconds": 3700})
        until(lambda: len(receiver.taken) == 2)
        assert bank.books()["callbacks_waiting"] <= 1
        bank.control("POST", "/control/clock", {"advance_seconds": 90000})
        until(lambda: len(receiver.taken) == 3)
        keys = [investors.callback(headers, body)[1].key for _, headers, body in receiver.taken]
        assert set(keys[:2]) == {"first", "last"}
        assert keys[2] == "late"
