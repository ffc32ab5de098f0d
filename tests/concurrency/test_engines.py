"""Several engines at once, as on several machines: nothing is sent twice, no account is served out of order."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import pytest

from bridge.kernel.gateway import Order, Report
from bridge.sandbox.inprocess import InProcessGateway
from bridge.sandbox.model import Fault
from tests.concurrency.crowd import at_once, errors
from tests.world import HARBOR, MERIDIAN, World, shuffled
from transfers.engine import drain
from transfers.models import BankInstruction, Transfer, Work

ENGINES = 4


@pytest.fixture
def submissions(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The keys of all orders that reach the banks, in the order in which they arrive."""
    seen: list[str] = []
    submit = InProcessGateway.submit

    def noted(self: InProcessGateway, order: Order) -> Report:
        with self._house.lock:
            seen.append(order.key)
            return submit(self, order)

    monkeypatch.setattr(InProcessGateway, "submit", noted)
    return seen


def drain_together(bridge: World, *, rounds: int, engines: int = ENGINES, batch: int = 25) -> None:
    """Several engines until nothing is due, then time passes, again and again."""
    for _ in range(rounds):
        assert errors(at_once([lambda: drain(batch=batch)] * engines)) == []
        bridge.advance(seconds=2)
        bridge.receive()
        if not Work.objects.exists():
            break


def crowd_of_transfers(bridge: World, *, accounts: int, each: int) -> None:
    fund = bridge.fund(seat_limit=accounts)
    people = [bridge.account() for _ in range(accounts)]
    rows = [(account, fund, 1_000_000 + n) for n in range(each) for account in people]
    results: list[Any] = bridge.requests(shuffled(rows, 5))
    assert {result.state for result in results} == {"approved"}


def withdrawal_order(submissions: list[str]) -> dict[Any, list[int]]:
    """Per account: the places in its order, as its withdrawals reached the bank."""
    found = BankInstruction.objects.filter(kind="withdrawal").select_related("transfer")
    by_key = {row.key: row.transfer for row in found}
    orders: dict[Any, list[int]] = defaultdict(list)
    for key in submissions:
        if key in by_key:
            orders[by_key[key].source_account_id].append(by_key[key].account_seq)
    return orders


class TestManyEngines:
    def test_200_transfers_of_20_accounts(self, bridge: World, submissions: list[str]) -> None:
        crowd_of_transfers(bridge, accounts=20, each=10)
        drain_together(bridge, rounds=40)
        assert Counter(Transfer.objects.values_list("state", flat=True)) == {"completed": 200}
        assert not Work.objects.exists()
        assert Counter(Counter(submissions).values()) == {1: 400}
        assert len(bridge.bank.books.instructions) == 400
        orders = withdrawal_order(submissions)
        assert len(orders) == 20
        assert all(order == sorted(order) and len(order) == 10 for order in orders.values())

    def test_the_bank_falls_silent_after_acting_now_and_then(self, bridge: World, submissions: list[str]) -> None:
        bridge.fault(Fault.TIMEOUT_AFTER, institution=MERIDIAN, count=5)
        bridge.fault(Fault.ERROR_AFTER, institution=HARBOR, count=5)
        bridge.fault(Fault.DUPLICATED_CALLBACK, count=None)
        crowd_of_transfers(bridge, accounts=6, each=6)
        drain_together(bridge, rounds=60)
        assert Counter(Transfer.objects.values_list("state", flat=True)) == {"completed": 36}
        assert Counter(Counter(submissions).values()) == {1: 72}
        assert all(order == sorted(order) for order in withdrawal_order(submissions).values())

    def test_refunds_are_sent_once_too(self, bridge: World, submissions: list[str]) -> None:
        bridge.fault(Fault.REJECT, institution=HARBOR, code="R02", count=None)
        crowd_of_transfers(bridge, accounts=8, each=3)
        drain_together(bridge, rounds=40)
        assert Counter(Transfer.objects.values_list("state", flat=True)) == {"refunded": 24}
        assert Counter(Counter(submissions).values()) == {1: 72}

    def test_expiry_by_many_engines_gives_each_place_back_once(self, bridge: World) -> None:
        from funds.models import FundCapacity

        fund = bridge.fund()
        for _ in range(20):
            bridge.request(bridge.account(), fund)
        bridge.advance(days=6)
        drain_together(bridge, rounds=1)
        assert Counter(Transfer.objects.values_list("state", flat=True)) == {"expired": 20}
        capacity = FundCapacity.objects.get(fund=fund)
        assert (capacity.seats_taken, capacity.reserved) == (0, 0)

    def test_the_waitlist_is_promoted_once(self, bridge: World) -> None:
        from bridge.kernel.results import Change
        from tests.world import INVESTOR
        from transfers import services

        fund = bridge.fund(seat_limit=3)
        first = [bridge.request(bridge.account(), fund) for _ in range(3)]
        waiting = [bridge.request(bridge.account(), fund) for _ in range(6)]
        services.cancel_transfers(changes=[Change(row.id) for row in first], actor=INVESTOR)
        drain_together(bridge, rounds=12)
        served = {row.id for row in Transfer.objects.filter(state="completed")}
        assert served == {row.id for row in waiting[:3]}
