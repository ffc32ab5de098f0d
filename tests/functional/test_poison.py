"""One thing that cannot be worked on does not hold up the others, whatever it is: a report, a wait that is over, a
place on the waitlist."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bridge.kernel import clock
from bridge.kernel.gateway import Outcome, Report
from bridge.kernel.results import ENGINE, Change, Refused
from tests.functional.conftest import bridge
from tests.world import HARBOR, INVESTOR, MAKER, MERIDIAN, World
from transfers import facts, services
from transfers.engine import callbacks, calls, drain, loop, steps
from transfers.models import BankInstruction, InboundCallback, Transfer, Work
from transfers.services import deciding, outcomes

__all__ = ["bridge"]

AMOUNT = 1_000_000


def begun(bridge: World, count: int) -> list[BankInstruction]:
    """So many withdrawals that the bank was not yet called for."""
    fund = bridge.fund()
    rows = [bridge.request(bridge.account(), fund, AMOUNT) for _ in range(count)]
    known = facts.gather(account_ids=[row.source_account_id for row in rows], max_age=300)
    results = services.begin_withdrawals(transfer_ids=[row.id for row in rows], facts=known, actor=ENGINE)
    return [result.data["sent"] for result in results if not isinstance(result, Refused)]


def finish(bridge: World) -> None:
    """What was begun here was never sent: the bank says so in time, and it is sent."""
    bridge.run(seconds=60, rounds=20)


def poisoned(monkeypatch: pytest.MonkeyPatch, order: BankInstruction) -> None:
    real = outcomes._take

    def take(batch: Any, leg: Any, report: Report, row: BankInstruction, *rest: Any) -> Any:
        if row.id == order.id:
            raise ValueError("poison")
        return real(batch, leg, report, row, *rest)

    monkeypatch.setattr(outcomes, "_take", take)


class TestReports:
    @pytest.mark.parametrize("place", range(4))
    def test_one_callback_that_cannot_be_applied_leaves_the_others_alone(
        self, bridge: World, monkeypatch: pytest.MonkeyPatch, place: int
    ) -> None:
        sent = begun(bridge, 4)
        with monkeypatch.context() as patch:
            poisoned(patch, sent[place])
            for number, order in enumerate(sent):
                report = Report(key=order.key, outcome=Outcome.ACKNOWLEDGED, at=clock.now())
                bridge.store_callback(MERIDIAN, f"message-{number}", report)
            assert callbacks.process(limit=100) == 4
        states = [BankInstruction.objects.get(pk=order.pk).state for order in sent]
        assert states == ["submitted" if number == place else "acknowledged" for number in range(4)]
        rows = InboundCallback.objects.filter(callback_id__startswith="message-").order_by("callback_id")
        told = [row.problem for row in rows]
        assert [bool(problem) for problem in told] == [number == place for number in range(4)]
        assert "could not be applied: ValueError" in told[place]
        finish(bridge)

    def test_a_callback_that_cannot_even_be_read_leaves_the_others_alone(self, bridge: World) -> None:
        first, second = begun(bridge, 2)
        for number, (order, other) in enumerate(((first, {"at": "0001-01-01T00:00:00+23:00"}), (second, {}))):
            report = Report(key=order.key, outcome=Outcome.ACKNOWLEDGED, at=clock.now())
            bridge.store_callback(MERIDIAN, f"message-{number}", report, **other)
        assert callbacks.process(limit=100) == 2
        assert [BankInstruction.objects.get(pk=order.pk).state for order in (first, second)] == [
            "submitted",
            "acknowledged",
        ]
        assert "cannot be read" in InboundCallback.objects.get(callback_id="message-0").problem
        finish(bridge)

    @pytest.mark.parametrize("amount", [99.99, "100", True, None, 1 << 63])
    def test_nobody_rounds_what_a_bank_says(self, bridge: World, amount: Any) -> None:
        (order,) = begun(bridge, 1)
        report = Report(key=order.key, outcome=Outcome.SETTLED, settled_amount=AMOUNT, at=clock.now())
        bridge.store_callback(MERIDIAN, "message", report, settled_amount=amount)
        callbacks.process(limit=100)
        assert BankInstruction.objects.get(pk=order.pk).state == "submitted"
        assert "cannot be read" in InboundCallback.objects.get(callback_id="message").problem
        finish(bridge)

    def test_a_bank_tells_of_its_own_orders_only(self, bridge: World) -> None:
        (order,) = begun(bridge, 1)
        report = Report(key=order.key, outcome=Outcome.SETTLED, settled_amount=AMOUNT, at=clock.now())
        bridge.store_callback(HARBOR, "forged", report)
        callbacks.process(limit=100)
        assert BankInstruction.objects.get(pk=order.pk).state == "submitted"
        assert "only that bank can tell" in InboundCallback.objects.get(callback_id="forged").problem
        finish(bridge)

    def test_who_asks_the_bank_sets_that_transfer_aside(self, bridge: World, monkeypatch: pytest.MonkeyPatch) -> None:
        sent = begun(bridge, 3)
        poisoned(monkeypatch, sent[0])
        bridge.advance(seconds=60)
        loop.isolated([order.transfer_id for order in sent], steps.HANDLERS["ask_withdrawal"])
        blockers = {row.pk: row.blocker_code for row in Transfer.objects.all()}
        assert [blockers[order.transfer_id] == "engine_fault" for order in sent] == [True, False, False]

    @pytest.mark.parametrize(
        ("field", "told", "kept"),
        [
            ("institution_reference", "x" * 65, "x" * 64),
            ("reason", "no\x00t ours", "no\N{REPLACEMENT CHARACTER}t ours"),
            ("code", "\ud800R03", "?R03"),
            ("reason", "y" * 1_000, "y" * 300),
        ],
    )
    def test_what_a_bank_calls_it_is_no_reason_not_to_believe_it(
        self, bridge: World, field: str, told: str, kept: str
    ) -> None:
        (order,) = begun(bridge, 1)
        given: dict[str, Any] = {field: told}
        report = Report(key=order.key, outcome=Outcome.REJECTED, **given)
        services.settle_withdrawals(reports=[report], actor=ENGINE)
        found = BankInstruction.objects.get(pk=order.pk)
        assert found.state == "rejected"
        assert getattr(found, {"code": "return_code"}.get(field, field)) == kept

    def test_a_key_that_no_database_takes_is_nobodys(self, bridge: World) -> None:
        (order,) = begun(bridge, 1)
        report = Report(key=f"{order.key}\x00", outcome=Outcome.REJECTED)
        (result,) = services.settle_withdrawals(reports=[report], actor=ENGINE)
        assert isinstance(result, Refused)
        assert result.error.code == "not_found"
        finish(bridge)

    def test_tries_are_counted_as_far_as_they_matter(self, bridge: World) -> None:
        (order,) = begun(bridge, 1)
        Work.objects.filter(pk=order.transfer_id).update(tries=32_767)
        services.settle_withdrawals(reports=[Report(key=order.key, outcome=Outcome.UNKNOWN)], actor=ENGINE)
        assert Work.objects.get(pk=order.transfer_id).tries == outcomes.MOST_TRIES
        finish(bridge)

    def test_two_reports_of_one_order_may_come_in_one_batch(self, bridge: World) -> None:
        (order,) = begun(bridge, 1)
        calls.submit([order])
        bridge.advance(seconds=60)
        (told,) = calls.find([order])
        assert told.outcome == Outcome.SETTLED
        results = services.settle_withdrawals(reports=[told, replace(told, fee=500)], actor=ENGINE)
        assert not any(isinstance(result, Refused) for result in results)
        found = BankInstruction.objects.get(pk=order.pk)
        assert (found.settled_amount, found.fee) == (AMOUNT, 500)


class TestTime:
    def test_what_cannot_expire_does_not_keep_the_engine_busy(
        self, bridge: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fund = bridge.fund()
        bad, good = (bridge.request(bridge.account(), fund, AMOUNT + n) for n in range(2))
        services.hold_transfers(changes=[Change(row.id) for row in (bad, good)], actor=MAKER)
        bridge.advance(days=30)
        real = services.expire_transfers

        def expire(*, transfer_ids: Sequence[Any], actor: Any) -> Any:
            if bad.id in transfer_ids:
                raise ValueError("poison")
            return real(transfer_ids=transfer_ids, actor=actor)

        monkeypatch.setattr(steps.services, "expire_transfers", expire)
        assert [loop.one_round() for _ in range(2)] == [2, 0]
        assert bridge.fresh(good).state == "expired"
        assert bridge.fresh(bad).blocker_code == "engine_fault"
        assert Work.objects.get(pk=bad.pk).step == "blocked"


class TestWaitlist:
    def test_who_cannot_be_given_a_place_does_not_keep_the_next_from_it(
        self, bridge: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        fund, other = bridge.fund(seat_limit=1), bridge.fund(seat_limit=1)
        first, bad, good = (bridge.request(bridge.account(), fund, AMOUNT + n) for n in range(3))
        second, waiting = (bridge.request(bridge.account(), other, AMOUNT + n) for n in range(2))
        assert {row.state for row in (bad, good, waiting)} == {"waitlisted"}
        services.cancel_transfers(changes=[Change(row.id) for row in (first, second)], actor=INVESTOR)
        real = deciding._promote

        def promote(batch: Any, transfer: Transfer, *rest: Any) -> Any:
            if transfer.id == bad.id:
                raise ValueError("poison")
            return real(batch, transfer, *rest)

        monkeypatch.setattr(deciding, "_promote", promote)
        drain()
        assert bridge.fresh(bad).blocker_code == "engine_fault"
        assert {bridge.fresh(row).state for row in (good, waiting)} & {"waitlisted"} == set()
