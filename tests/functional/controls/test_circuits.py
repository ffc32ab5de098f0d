"""A bank that cannot be reached: its circuit opens, nothing piles up, and everything goes on when it answers."""

from __future__ import annotations

import pytest

from bridge.events.models import Event
from bridge.kernel import clock
from bridge.sandbox.inprocess import InProcessGateway
from bridge.sandbox.model import Fault, FaultRule
from bridge.sandbox.model.faults import Call
from notifications.models import Notification
from tests.world import HARBOR, MERIDIAN, World
from transfers.controls import circuits
from transfers.engine import drain
from transfers.models import BankInstruction, Circuit

AMOUNT = 1_000_000
CALLS = (Call.SUBMIT, Call.QUERY, Call.BALANCE, Call.ACTIVITY)


def silence(bridge: World, institution: str, calls: tuple[Call, ...] = CALLS) -> list[FaultRule]:
    """The institution answers nothing any more."""
    return [bridge.fault(Fault.TIMEOUT_BEFORE, institution=institution, call=call, count=10**6) for call in calls]


def speak(bridge: World, rules: list[FaultRule]) -> None:
    with bridge.house.lock:
        for rule in rules:
            bridge.bank.books.faults.remove(rule.id)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Every call that reaches a bank's door."""
    seen: list[tuple[str, str]] = []
    for name in ("submit", "find", "balance", "activity"):
        original = getattr(InProcessGateway, name)

        def noted(self: InProcessGateway, *given: object, _name: str = name, _call: object = original) -> object:
            seen.append((self.institution, _name))
            return _call(self, *given)  # type: ignore[operator]

        monkeypatch.setattr(InProcessGateway, name, noted)
    return seen


class TestACircuit:
    def test_opens_holds_everything_back_and_closes_by_itself(
        self, bridge: World, calls: list[tuple[str, str]]
    ) -> None:
        fund = bridge.fund()
        transfers = [bridge.request(bridge.account(), fund, AMOUNT) for _ in range(8)]
        rules = silence(bridge, HARBOR)
        bridge.run(rounds=6, seconds=10)
        row = Circuit.objects.get()
        assert row.institution == HARBOR
        assert row.opened_at is not None
        late = [bridge.request(bridge.account(), fund, AMOUNT) for _ in range(30)]
        bridge.run(rounds=4, seconds=5)
        calls.clear()
        assert all(bridge.fresh(one).blocker_code == "institution_unreachable" for one in late)
        bridge.run(rounds=10, seconds=60)  # ten minutes
        tries = [name for where, name in calls if where == HARBOR]
        assert set(tries) <= {"activity"}
        assert 1 <= len(tries) <= 6  # doubling up to five minutes
        bridge.check()
        speak(bridge, rules)
        bridge.wait_out("finality")
        bridge.run(rounds=12, seconds=30)
        assert {bridge.fresh(one).state for one in transfers + late} == {"completed"}
        assert Circuit.objects.get().opened_at is None
        assert list(Event.objects.filter(subject_type="circuit").order_by("seq").values_list("type", flat=True)) == [
            "circuit.opened",
            "circuit.closed",
        ]
        assert Notification.objects.filter(type__startswith="circuit.").count() == 2

    def test_what_was_not_called_is_sent_once_when_the_bank_is_back(
        self, bridge: World, calls: list[tuple[str, str]]
    ) -> None:
        fund = bridge.fund()
        transfers = [bridge.request(bridge.account(), fund, AMOUNT) for _ in range(60)]
        rules = silence(bridge, MERIDIAN, (Call.SUBMIT, Call.QUERY, Call.ACTIVITY))
        drain()
        sent = calls.count((MERIDIAN, "submit"))
        assert sent < 60
        assert BankInstruction.objects.filter(sends=0).count() == 60 - sent
        speak(bridge, rules)
        bridge.run(rounds=10, seconds=60)
        never_called = BankInstruction.objects.filter(kind="withdrawal", sends=0)
        assert not never_called.exists()
        bridge.wait_out("finality")
        bridge.run(rounds=8, seconds=30)
        assert {bridge.fresh(one).state for one in transfers} == {"completed"}
        bridge.check()

    def test_without_balances_nobody_is_asked_again_and_again(
        self, bridge: World, calls: list[tuple[str, str]]
    ) -> None:
        accounts, fund = [bridge.account() for _ in range(40)], bridge.fund()
        transfers = [bridge.request(account, fund, AMOUNT) for account in accounts]
        bridge.advance(minutes=6)
        rules = silence(bridge, MERIDIAN)
        calls.clear()
        drain()
        assert calls.count((MERIDIAN, "balance")) < 40
        bridge.run(rounds=3, seconds=5)
        assert Circuit.objects.get().opened_at is not None
        assert {bridge.fresh(one).blocker_code for one in transfers} == {"institution_unreachable"}
        speak(bridge, rules)
        bridge.run(rounds=12, seconds=20)
        assert {bridge.fresh(one).state for one in transfers} == {"completed"}

    def test_one_worker_tries(self, bridge: World) -> None:
        circuits.heard({MERIDIAN: [False] * 5})
        assert circuits.due_try() == ""
        bridge.advance(seconds=31)
        assert circuits.due_try() == MERIDIAN
        assert circuits.due_try() == ""
        circuits.tried(institution=MERIDIAN, answered=False)
        row = Circuit.objects.get()
        assert row.wait == 60
        assert row.retry_at is not None
        assert 55 <= (row.retry_at - clock.now()).total_seconds() <= 60

    def test_the_wait_doubles_up_to_five_minutes(self, bridge: World) -> None:
        circuits.heard({MERIDIAN: [False] * 5})
        waits = []
        for _ in range(6):
            circuits.tried(institution=MERIDIAN, answered=False)
            waits.append(Circuit.objects.get().wait)
        assert waits == [60, 120, 240, 300, 300, 300]

    def test_an_answer_in_between_begins_the_count_anew(self, bridge: World) -> None:
        circuits.heard({MERIDIAN: [False] * 4})
        circuits.heard({MERIDIAN: [True]})
        circuits.heard({MERIDIAN: [True, False, False, False, False]})
        assert circuits.open_until() == {}
        assert Circuit.objects.get().failures == 4
        circuits.heard({MERIDIAN: [False]})
        assert list(circuits.open_until()) == [MERIDIAN]

    def test_any_answer_closes_it(self, bridge: World) -> None:
        circuits.heard({MERIDIAN: [False] * 9})
        circuits.heard({MERIDIAN: [False, True]})
        assert circuits.open_until() == {}

    def test_a_call_that_is_answered_writes_nothing(self, bridge: World, django_assert_num_queries: object) -> None:
        with django_assert_num_queries(1):  # type: ignore[operator]
            circuits.heard({MERIDIAN: [True] * 200, HARBOR: [True]})
        assert not Circuit.objects.exists()
