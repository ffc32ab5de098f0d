"""Before and after a deposit: the wait, and the retries of what passes with time."""

from __future__ import annotations

import pytest

from bridge.sandbox.model import Fault
from tests.functional.controls.proposing import put_in_force
from tests.world import MERIDIAN, World
from transfers.models import BankInstruction, Work
from transfers.parameters import Scope

AMOUNT = 1_000_000


def attempts(transfer: object) -> list[tuple[int, str]]:
    found = BankInstruction.objects.filter(transfer=transfer, kind="deposit").order_by("attempt")
    return list(found.values_list("attempt", "state"))


class TestRetries:
    def test_a_bank_that_was_closed_gets_a_new_instruction_later(self, bridge: World) -> None:
        bridge.fault(Fault.REJECT, kind="deposit", code="TM01")
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run()
        waiting = bridge.fresh(transfer)
        assert (waiting.state, waiting.next_step) == ("withdrawn", "deposit")
        assert attempts(transfer) == [(1, "rejected")]
        bridge.advance(minutes=10)
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"
        assert attempts(transfer) == [(1, "rejected"), (2, "settled")]
        assert BankInstruction.objects.filter(transfer=transfer).values("key").distinct().count() == 3

    @pytest.mark.parametrize(("policy", "end"), [("refund", "refunded"), ("hold", "withdrawn")])
    def test_after_the_last_one_the_funds_policy_decides(self, bridge: World, policy: str, end: str) -> None:
        bridge.fault(Fault.REJECT, kind="deposit", code="AB08", count=10)
        transfer = bridge.request(bridge.account(), bridge.fund(on_deposit_failure=policy), AMOUNT)
        for _ in range(4):
            bridge.run()
            bridge.advance(minutes=10)
        assert len(attempts(transfer)) == 3
        assert bridge.fresh(transfer).state == end
        if end == "withdrawn":
            assert bridge.fresh(transfer).blocker_code == "deposit_rejected"

    @pytest.mark.parametrize("code", ["R02", "R03", "AC04", "X-17"])
    def test_what_does_not_pass_with_time_is_not_tried_again(self, bridge: World, code: str) -> None:
        bridge.fault(Fault.REJECT, kind="deposit", code=code)
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=8)
        assert len(attempts(transfer)) == 1
        assert bridge.fresh(transfer).state == "refunded"

    def test_none_where_the_fund_wants_none(self, bridge: World) -> None:
        fund = bridge.fund()
        put_in_force(Scope(fund_id=fund.id), deposit_retries=0)
        bridge.fault(Fault.REJECT, kind="deposit", code="TM01")
        transfer = bridge.request(bridge.account(), fund, AMOUNT)
        bridge.run(rounds=8)
        assert bridge.fresh(transfer).state == "refunded"


class TestTheWaitBeforeADeposit:
    def test_money_that_may_come_back_waits_in_clearing(self, bridge: World) -> None:
        put_in_force(Scope(institution=MERIDIAN), deposit_wait=3 * 3600)
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run()
        assert bridge.fresh(transfer).state == "withdrawn"
        assert Work.objects.get(pk=transfer.id).due_at is not None
        bridge.check()
        bridge.advance(hours=3)
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"

    def test_a_shorter_wait_counts_for_those_who_wait_already(self, bridge: World) -> None:
        put_in_force(Scope(institution=MERIDIAN), deposit_wait="5 business days")
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run()
        put_in_force(Scope(institution=MERIDIAN), deposit_wait=0)
        bridge.advance(hours=1, minutes=1)
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"
