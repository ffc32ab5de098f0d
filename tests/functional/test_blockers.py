"""What people may do about a transfer that waits: the services refuse whatever the registry does not allow."""

from __future__ import annotations

import pytest

from bridge.kernel.results import Actor, Change, Channel, Refused, Result, Role
from bridge.sandbox.model import Fault
from tests.world import CHECKER, HARBOR, MERIDIAN, World
from transfers import services
from transfers.api.rendering import render_transfers
from transfers.models import Transfer

AMOUNT = 1_000_000
AUDITOR = Actor("9", Role.AUDITOR, Channel.API, "auditor")
SERVICE = Actor("8", Role.SERVICE, Channel.API, "batch")


def codes(results: object) -> list[str]:
    assert isinstance(results, list)
    return [result.error.code if isinstance(result, Refused) else "done" for result in results]


def waiting_after_a_rejected_deposit(bridge: World) -> Transfer:
    bridge.fault(Fault.REJECT, institution=HARBOR, code="R02")
    transfer = bridge.request(bridge.account(), bridge.fund(on_deposit_failure="hold"), AMOUNT)
    bridge.run(rounds=8)
    return bridge.fresh(transfer)


class TestUnknown:
    def test_an_unknown_withdrawal_is_neither_refunded_nor_retried_nor_cancelled(self, bridge: World) -> None:
        bridge.fault(Fault.TIMEOUT_BEFORE, institution=MERIDIAN)
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=2)
        change = [Change(transfer.id)]
        assert bridge.fresh(transfer).blocker_code == "outcome_unknown"
        assert codes(services.refund_transfers(changes=change, actor=CHECKER)) == ["wrong_state"]
        assert codes(services.retry_transfers(changes=change, actor=CHECKER)) == ["wrong_state"]
        assert codes(services.cancel_transfers(changes=change, actor=SERVICE)) == ["wrong_state"]
        (shown,) = render_transfers([bridge.fresh(transfer)], inside=True)
        assert shown["blocker"]["actions"] == ["outcome"]


class TestCompensation:
    @pytest.mark.parametrize("actor", [AUDITOR, SERVICE])
    def test_money_is_moved_by_the_people_of_operations_only(self, bridge: World, actor: Actor) -> None:
        change = [Change(waiting_after_a_rejected_deposit(bridge).id)]
        assert codes(services.refund_transfers(changes=change, actor=actor)) == ["not_allowed"]
        assert codes(services.retry_transfers(changes=change, actor=actor)) == ["not_allowed"]

    def test_the_api_names_what_is_safe_to_the_firm_and_not_to_investors(self, bridge: World) -> None:
        transfer = waiting_after_a_rejected_deposit(bridge)
        (inside,) = render_transfers([transfer], inside=True)
        (outside,) = render_transfers([transfer], inside=False)
        assert inside["blocker"]["actions"] == ["retry", "refund", "freeze", "aside", "redirect"]
        assert list(outside["blocker"]) == ["code", "message"]

    def test_what_was_decided_once_moves_by_itself(self, bridge: World) -> None:
        change = [Change(waiting_after_a_rejected_deposit(bridge).id)]
        assert codes(services.refund_transfers(changes=change, actor=CHECKER)) == ["done"]
        again: list[Result] = services.retry_transfers(changes=change, actor=CHECKER)  # type: ignore[assignment]
        assert codes(again) == ["nothing_waits"]


class TestRecalls:
    def test_what_no_bank_refused_cannot_be_left_at_the_fund(self, bridge: World) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run()
        (refused,) = services.give_up_recalls(changes=[Change(transfer.id)], actor=CHECKER)
        assert isinstance(refused, Refused)
        assert refused.error.code == "not_safe"
        assert "recall the deposit" in refused.error.detail
