"""What an institution does besides what it was asked, over HTTP: every documented fault can be asked for."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from bridge.kernel.gateway import Outcome, Report
from bridge.sandbox.model import Fault
from tests.integration.sandbox.process import Receiver, SandboxProcess, order, until

DAY = 86_400


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.shutdown()


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory, receiver: Receiver) -> Iterator[SandboxProcess]:
    made = SandboxProcess(tmp_path_factory.mktemp("bank"), receiver.url)
    yield made
    made.stop()


@pytest.fixture
def bank(process: SandboxProcess, receiver: Receiver) -> Iterator[SandboxProcess]:
    process.control("POST", "/control/reset")
    process.furnish()
    receiver.taken.clear()
    yield process
    assert process.books()["total"] == {"USD": 0}


def fault(bank: SandboxProcess, name: Fault, **given: Any) -> None:
    bank.control("POST", "/control/faults", {"fault": name.value, "count": 1, **given})


def later(bank: SandboxProcess, *, days: float = 0, seconds: float = 0) -> None:
    bank.control("POST", "/control/clock", {"advance_seconds": days * DAY + seconds})


def today(bank: SandboxProcess) -> date:
    return date.fromisoformat(bank.control("GET", "/control/clock")["now"][:10])


def amounts(report: Report) -> tuple[Outcome, int, int, int, int]:
    return report.outcome, report.settled_amount, report.returned_amount, report.return_fee, report.interest


def heard(receiver: Receiver) -> list[tuple[str, int, int]]:
    told = [json.loads(body)["data"] for _, _, body in receiver.taken]
    return [(row["status"], row["settled_amount"], row["returned_amount"]) for row in told]


def test_every_fault_can_be_asked_for(bank: SandboxProcess) -> None:
    for name in Fault:
        fault(bank, name)
    assert {rule["fault"] for rule in bank.control("GET", "/control/faults")["results"]} == set(Fault)


def test_a_deposit_settled_twice(bank: SandboxProcess, receiver: Receiver) -> None:
    fault(bank, Fault.SETTLED_TWICE, days=1)
    bank.fund_bank().submit(order("d1", "deposit"))
    later(bank, days=1)
    assert amounts(bank.fund_bank().find("d1"))[:3] == (Outcome.SETTLED, 200, 0)
    until(lambda: heard(receiver) == [("settled", 200, 0)])
    assert [line.amount for line in bank.fund_bank().activity(since_ever())] == [100, 100]
    document = json.loads(bank.settlement().statement("USD", today(bank)))
    assert [(line["key"], line["direction"]) for line in document["lines"]] == [("d1", "debit")]
    assert bank.settlement().balance("USD").current == -200


def test_a_withdrawal_settled_after_the_bank_had_said_rejected(bank: SandboxProcess, receiver: Receiver) -> None:
    fault(bank, Fault.SETTLED_AFTER_REJECTION, code="R29", days=3)
    assert bank.investor_bank().submit(order("w1")).code == "R29"
    bank.kill()
    bank.start()  # what is to come survives
    later(bank, days=3)
    assert amounts(bank.investor_bank().find("w1"))[:2] == (Outcome.SETTLED, 100)
    until(lambda: heard(receiver) == [("settled", 100, 0)])


def test_a_refund_settled_and_returned_less_a_fee(bank: SandboxProcess) -> None:
    fault(bank, Fault.RETURN_LATER, days=2, fee=25, code="R03")
    bank.investor_bank().submit(order("r1", "refund"))
    later(bank, days=2)
    assert amounts(bank.investor_bank().find("r1")) == (Outcome.RETURNED, 100, 75, 25, 0)


def test_a_deposit_returned_with_interest_by_recall(bank: SandboxProcess, receiver: Receiver) -> None:
    fault(bank, Fault.RECALL_ACCEPTED, days=4, interest=12)
    bank.fund_bank().submit(order("d1", "deposit"))
    bank.fund_bank().submit(order("c1", "recall", reference="d1"))
    later(bank, days=4)
    assert amounts(bank.fund_bank().find("d1")) == (Outcome.RETURNED, 100, 112, 0, 12)
    assert bank.fund_bank().find("c1").outcome is Outcome.SETTLED
    until(lambda: sorted(heard(receiver)) == [("returned", 100, 112), ("settled", 0, 0)])  # senders are many


def test_a_recall_refused(bank: SandboxProcess) -> None:
    fault(bank, Fault.RECALL_REFUSED, code="LEGL")
    bank.fund_bank().submit(order("d1", "deposit"))
    bank.fund_bank().submit(order("c1", "recall", reference="d1"))
    later(bank, seconds=1)
    assert bank.fund_bank().find("c1").code == "LEGL"


def test_a_return_that_is_the_first_word_and_is_undone(bank: SandboxProcess) -> None:
    fault(bank, Fault.RETURN_LATER, at_settlement=True)
    fault(bank, Fault.RETURN_UNDONE, days=1)
    assert bank.investor_bank().submit(order("w1")).outcome is Outcome.RETURNED
    later(bank, days=1)
    assert amounts(bank.investor_bank().find("w1"))[:3] == (Outcome.SETTLED, 200, 100)


def test_by_hand_with_a_fee_and_interest(bank: SandboxProcess) -> None:
    bank.fund_bank().submit(order("d1", "deposit"))
    bank.control("POST", "/control/instructions/d1/return", {"amount": 40, "fee": 5, "interest": 2})
    assert amounts(bank.fund_bank().find("d1")) == (Outcome.RETURNED, 100, 37, 5, 2)


def test_money_under_no_key_stands_on_the_statement(bank: SandboxProcess) -> None:
    fault(bank, Fault.STRAY_CREDIT, amount=77, reason="WIRE 4711")
    fault(bank, Fault.BANK_CHARGE, amount=15)
    bank.investor_bank().submit(order("w1"))
    later(bank, days=1)
    days = [json.loads(bank.settlement().statement("USD", day)) for day in days_of(bank)]
    lines = [(line["key"], line["kind"], line["amount"]) for document in days for line in document["lines"]]
    assert lines == [("w1", "withdrawal", 100), ("", "other", 77), ("", "fee", 15)]


def test_a_truncated_and_a_repeated_statement(bank: SandboxProcess) -> None:
    bank.investor_bank().submit(order("w1"))
    whole = bank.settlement().statement("USD", today(bank), "camt053")
    fault(bank, Fault.TRUNCATED_STATEMENT, keep=0.5)
    cut = bank.settlement().statement("USD", today(bank), "camt053")
    assert whole.startswith(cut[:80]) and len(cut) == len(whole) // 2
    later(bank, days=1)
    fault(bank, Fault.REPEATED_STATEMENT)
    again = json.loads(bank.settlement().statement("USD", today(bank)))
    assert (again["date"] < str(today(bank)), len(again["lines"])) == (True, 1)


def test_the_whole_record_can_be_read_page_by_page(bank: SandboxProcess) -> None:
    fault(bank, Fault.REJECT, key="w3")
    investors = bank.investor_bank()
    for number in range(5):
        investors.submit(order(f"w{number}"))
    type(investors).page_size, before = 2, type(investors).page_size
    try:
        rows = list(investors.record())
    finally:
        type(investors).page_size = before
    assert [row.key for row in rows] == [f"w{number}" for number in range(5)]
    assert [row.outcome for row in rows].count(Outcome.REJECTED) == 1


def days_of(bank: SandboxProcess) -> list[date]:
    last = today(bank)
    return [date.fromordinal(last.toordinal() - 1), last]


def since_ever() -> Any:
    from datetime import UTC, datetime

    return datetime(2000, 1, 1, tzinfo=UTC)
