"""Journeys of money, end to end: real services, real database, the sandbox bank's model at both ends."""

from __future__ import annotations

import pytest
from django.db import OperationalError

from accounts.ledger.kinds import Kind
from accounts.ledger.queries import balance, money_on_the_bridge
from bridge.kernel.results import Change, Done, Refused
from bridge.sandbox.model import Fault
from funds.models import Allocation, FundCapacity
from funds.services import set_fund_status
from tests.world import CHECKER, HARBOR, INVESTOR, MERIDIAN, World
from transfers import facts, services
from transfers.engine import drain, steps
from transfers.models import BankInstruction, Work
from transfers.states import Step

AMOUNT = 1_000_000


def cash(owner: object, currency: str = "USD") -> int:
    return balance(owner_id=owner.id, kind=Kind.CASH, currency=currency)  # type: ignore[attr-defined]


class TestHappyPath:
    def test_money_crosses_the_bridge(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        transfer = bridge.request(account, fund, AMOUNT)
        assert transfer.state == "approved"
        bridge.run()
        transfer = bridge.fresh(transfer)
        assert transfer.state == "completed"
        assert cash(account) == -AMOUNT
        assert cash(fund) == AMOUNT
        assert money_on_the_bridge() == {}
        place = Allocation.objects.get(fund=fund, investor=account.investor)
        assert (place.reserved, place.confirmed) == (0, AMOUNT)
        assert not Work.objects.exists()

    def test_a_hundred_transfers_of_one_batch(self, bridge: World) -> None:
        fund = bridge.fund(seat_limit=40)
        accounts = [bridge.account() for _ in range(50)]
        results = bridge.requests([(account, fund, AMOUNT + n) for n, account in enumerate(accounts * 2)])
        states = [result.state for result in results if isinstance(result, Done)]
        assert states.count("approved") == 80
        assert states.count("waitlisted") == 20
        bridge.run(rounds=12)
        assert FundCapacity.objects.get(fund=fund).seats_taken == 40
        assert sum(1 for r in results if bridge.fresh(r.id).state == "completed") == 80  # type: ignore[arg-type]


class TestBeforeTheMoneyMoves:
    def test_a_rule_rejects_and_nothing_is_held(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund(minimum=AMOUNT + 1)
        transfer = bridge.request(account, fund, AMOUNT)
        assert transfer.state == "rejected"
        account.refresh_from_db()
        assert account.held == 0
        assert not Allocation.objects.exists()

    def test_the_same_again_within_a_day_waits_for_a_checker(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        bridge.request(account, fund, AMOUNT)
        second = bridge.request(account, fund, AMOUNT)
        assert second.state == "in_review"
        known = facts.gather(account_ids=[account.id], max_age=900)
        (own,) = services.approve_transfers(changes=[Change(second.id)], actor=INVESTOR, facts=known)
        assert isinstance(own, Refused)
        (done,) = services.approve_transfers(changes=[Change(second.id)], actor=CHECKER, facts=known)
        assert isinstance(done, Done)
        bridge.run(rounds=10)
        assert bridge.fresh(second).state == "completed"

    def test_cancel_gives_back_hold_and_seat(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        transfer = bridge.request(account, fund, AMOUNT)
        (result,) = services.cancel_transfers(changes=[Change(transfer.id, 2)], actor=INVESTOR)
        assert isinstance(result, Done)
        account.refresh_from_db()
        assert account.held == 0
        assert FundCapacity.objects.get(fund=fund).seats_taken == 0
        (again,) = services.cancel_transfers(changes=[Change(transfer.id)], actor=INVESTOR)
        assert isinstance(again, Refused)
        assert again.error.code == "wrong_state"

    def test_a_stale_version_changes_nothing(self, bridge: World) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        (result,) = services.cancel_transfers(changes=[Change(transfer.id, 1)], actor=INVESTOR)
        assert isinstance(result, Refused)
        assert result.error.code == "stale_version"
        assert bridge.fresh(transfer).state == "approved"

    def test_a_reservation_expires(self, bridge: World) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.advance(days=6)
        bridge.run(rounds=1)
        assert bridge.fresh(transfer).state == "expired"

    def test_a_freed_seat_goes_to_the_first_who_waits(self, bridge: World) -> None:
        fund = bridge.fund(seat_limit=1)
        first = bridge.request(bridge.account(), fund, AMOUNT)
        second, third = (bridge.request(bridge.account(), fund, AMOUNT) for _ in range(2))
        assert (second.state, third.state) == ("waitlisted", "waitlisted")
        services.cancel_transfers(changes=[Change(first.id)], actor=INVESTOR)
        bridge.run()
        assert bridge.fresh(second).state == "completed"
        assert bridge.fresh(third).state == "waitlisted"

    def test_a_top_up_takes_no_second_seat(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund(seat_limit=1)
        bridge.request(account, fund, AMOUNT)
        bridge.run()
        top_up = bridge.request(account, fund, 2 * AMOUNT)
        assert top_up.state == "approved"
        bridge.run()
        assert FundCapacity.objects.get(fund=fund).seats_taken == 1
        assert cash(fund) == 3 * AMOUNT

    def test_a_top_up_of_what_never_comes_is_given_back(self, bridge: World) -> None:
        fund, investor = bridge.fund(minimum=2_500_000), bridge.investor()
        first, second = bridge.account(investor=investor), bridge.account(investor=investor)
        bridge.fault(Fault.REJECT, kind="withdrawal", code="R01", at_settlement=True)
        large = bridge.request(first, fund, 2_600_000)
        bridge.run(rounds=1, seconds=0)
        small = bridge.request(second, fund, 100)
        assert small.state == "approved"
        bridge.run(seconds=700, rounds=8)
        assert bridge.fresh(large).state == "failed"
        assert bridge.fresh(small).state == "refunded"
        assert cash(fund) == 0

    def test_a_top_up_waits_for_what_it_tops_up(self, bridge: World) -> None:
        fund, investor = bridge.fund(minimum=2_500_000), bridge.investor()
        first, second = bridge.account(investor=investor), bridge.account(investor=investor)
        bridge.fault(Fault.TIMEOUT_BEFORE, kind="withdrawal")
        large = bridge.request(first, fund, 2_600_000)
        bridge.run(rounds=1, seconds=0)
        small = bridge.request(second, fund, 100)
        bridge.run(rounds=6)
        waiting = bridge.fresh(small)
        assert (waiting.state, waiting.blocker_code) == ("withdrawn", "waiting_for_minimum")
        bridge.wait_out("finality")
        bridge.run(seconds=700, rounds=8)
        assert {bridge.fresh(large).state, bridge.fresh(small).state} == {"completed"}

    def test_what_is_held_is_not_available_twice(self, bridge: World) -> None:
        account, fund = bridge.account(balance=1_500_000), bridge.fund()
        assert bridge.request(account, fund, 1_000_000).state == "approved"
        assert bridge.request(account, fund, 600_000).state == "rejected"
        assert bridge.request(account, fund, 500_000).state == "approved"


class TestBanksRefuse:
    def test_withdrawal_rejected_leaves_the_money_with_the_investor(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        bridge.fault(Fault.REJECT, institution=MERIDIAN, code="R16", reason="Account frozen")
        transfer = bridge.request(account, fund, AMOUNT)
        bridge.run()
        assert bridge.fresh(transfer).state == "failed"
        assert cash(account) == 0
        assert FundCapacity.objects.get(fund=fund).seats_taken == 0

    def test_insufficient_funds_at_the_bank_although_the_balance_said_yes(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        bridge.fault(Fault.INSUFFICIENT_FUNDS, institution=MERIDIAN)
        transfer = bridge.request(account, fund, AMOUNT)
        bridge.run()
        assert bridge.fresh(transfer).state == "failed"

    def test_deposit_rejected_after_withdrawal_refunds_the_investor(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        bridge.fault(Fault.REJECT, institution=HARBOR, code="R02", reason="Account closed")
        transfer = bridge.request(account, fund, AMOUNT)
        bridge.run(rounds=10)
        assert bridge.fresh(transfer).state == "refunded"
        assert (cash(account), cash(fund)) == (0, 0)
        assert FundCapacity.objects.get(fund=fund).seats_taken == 0

    def test_deposit_rejected_and_the_fund_wants_people_to_decide(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund(on_deposit_failure="hold")
        bridge.fault(Fault.REJECT, institution=HARBOR, code="R02")
        transfer = bridge.request(account, fund, AMOUNT)
        bridge.run(rounds=8)
        transfer = bridge.fresh(transfer)
        assert (transfer.state, transfer.next_step, transfer.blocker_code) == ("withdrawn", "none", "deposit_rejected")
        (done,) = services.retry_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        assert isinstance(done, Done)
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"
        assert BankInstruction.objects.filter(transfer=transfer, kind="deposit").count() == 2

    def test_refund_rejected_waits_for_people(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        bridge.fault(Fault.REJECT, institution=HARBOR, code="R02")
        bridge.fault(Fault.REJECT, institution=MERIDIAN, kind="refund", code="R03")
        transfer = bridge.request(account, fund, AMOUNT)
        bridge.run(rounds=12)
        transfer = bridge.fresh(transfer)
        assert (transfer.state, transfer.blocker_code) == ("withdrawn", "refund_rejected")
        services.refund_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        bridge.run()
        assert bridge.fresh(transfer).state == "refunded"

    def test_a_fund_that_closed_between_the_legs_gets_nothing(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        bridge.fault(Fault.LATE_CALLBACK, institution=MERIDIAN, seconds=1)
        transfer = bridge.request(account, fund, AMOUNT)
        bridge.run(rounds=1, seconds=0)
        assert bridge.fresh(transfer).state == "withdrawing"
        set_fund_status(changes=[Change(fund.id)], status="closed", actor=CHECKER)
        bridge.run(rounds=10)
        assert bridge.fresh(transfer).state == "refunded"
        assert cash(fund) == 0


class TestOutcomeUnknown:
    @pytest.mark.parametrize("kind", ["withdrawal", "deposit"])
    @pytest.mark.parametrize("fault", [Fault.TIMEOUT_AFTER, Fault.ERROR_AFTER])
    def test_the_bank_acted_and_its_answer_is_adopted(self, bridge: World, fault: Fault, kind: str) -> None:
        bridge.fault(fault, kind=kind)
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=10)
        assert bridge.fresh(transfer).state == "completed"
        order = BankInstruction.objects.get(transfer=transfer, kind=kind)
        assert (order.sends, order.attempt) == (1, 1)

    @pytest.mark.parametrize("kind", ["withdrawal", "deposit"])
    @pytest.mark.parametrize("fault", [Fault.TIMEOUT_BEFORE, Fault.ERROR_BEFORE])
    def test_the_bank_did_not_act_and_the_same_key_is_sent_again(self, bridge: World, fault: Fault, kind: str) -> None:
        bridge.fault(fault, kind=kind)
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=6)
        waiting = bridge.fresh(transfer)
        assert waiting.blocker_code == "outcome_unknown"
        assert waiting.state in ("withdrawing", "depositing")
        bridge.wait_out("finality")
        bridge.run(rounds=10)
        assert bridge.fresh(transfer).state == "completed"
        order = BankInstruction.objects.get(transfer=transfer, kind=kind)
        assert (order.sends, order.attempt) == (2, 1)

    def test_a_late_effect_is_found_and_not_repeated(self, bridge: World) -> None:
        bridge.fault(Fault.TIMEOUT_LATE, kind="withdrawal", seconds=20)
        account = bridge.account()
        transfer = bridge.request(account, bridge.fund(), AMOUNT)
        bridge.run(rounds=14)
        assert bridge.fresh(transfer).state == "completed"
        assert cash(account) == -AMOUNT

    def test_an_unknown_withdrawal_stops_its_account_only(self, bridge: World) -> None:
        account, other, fund = bridge.account(), bridge.account(), bridge.fund()
        bridge.fault(Fault.TIMEOUT_BEFORE, kind="withdrawal")
        first = bridge.request(account, fund, AMOUNT)
        bridge.run(rounds=1, seconds=0)
        follower = bridge.request(account, fund, AMOUNT + 1)
        elsewhere = bridge.request(other, fund, AMOUNT)
        bridge.run(rounds=8)
        assert bridge.fresh(first).state == "withdrawing"
        assert bridge.fresh(follower).state == "approved"
        assert bridge.fresh(elsewhere).state == "completed"
        bridge.wait_out("finality")
        bridge.run(rounds=12)
        assert bridge.fresh(first).state == "completed"
        assert bridge.fresh(follower).state == "completed"


class TestTheEngineItselfFails:
    def test_a_transfer_set_aside_goes_on_when_people_say_so(
        self, bridge: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        with monkeypatch.context() as broken:
            broken.setitem(steps.HANDLERS, Step.WITHDRAW, lambda _: 1 / 0)  # type: ignore[arg-type, return-value]
            bridge.run(rounds=1)
        assert bridge.fresh(transfer).blocker_code == "engine_fault"
        (done,) = services.retry_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        assert isinstance(done, Done)
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"

    def test_a_database_that_is_away_is_no_fault_of_a_transfer(
        self, bridge: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away(_: object) -> None:
            raise OperationalError("the database system is starting up")

        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        with monkeypatch.context() as broken:
            broken.setitem(steps.HANDLERS, Step.WITHDRAW, away)
            with pytest.raises(OperationalError):
                drain()
        assert bridge.fresh(transfer).blocker_code == ""
        bridge.advance(minutes=2)  # the lease is over
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"


class TestReturns:
    def test_withdrawal_returned_before_the_deposit(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund(on_deposit_failure="hold")
        bridge.fault(Fault.REJECT, institution=HARBOR, code="R02")
        bridge.fault(Fault.RETURN_LATER, institution=MERIDIAN, days=3, code="R10")
        transfer = bridge.request(account, fund, AMOUNT)
        bridge.run(rounds=8)
        assert bridge.fresh(transfer).state == "withdrawn"
        bridge.advance(days=3)
        bridge.run()
        assert bridge.fresh(transfer).state == "returned"
        assert cash(account) == 0

    def test_deposit_returned_after_completion_is_refunded(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        bridge.fault(Fault.RETURN_LATER, institution=HARBOR, days=5, code="R23")
        transfer = bridge.request(account, fund, AMOUNT)
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"
        bridge.advance(days=5)
        bridge.run(rounds=10)
        assert bridge.fresh(transfer).state == "refunded"
        assert (cash(account), cash(fund)) == (0, 0)
        assert FundCapacity.objects.get(fund=fund).seats_taken == 0

    def test_more_than_asked_for_and_all_of_it_returned_in_one_breath(self, bridge: World) -> None:
        """The surplus is born as a child and gone again within one unit of work."""
        account, fund = bridge.account(), bridge.fund()
        bridge.fault(Fault.WRONG_AMOUNT, kind="withdrawal", delta=500)
        bridge.fault(Fault.RETURN_LATER, institution=MERIDIAN, seconds=1, code="R10")
        bridge.deliver_callbacks = False
        transfer = bridge.request(account, fund, AMOUNT)
        bridge.run(seconds=400, rounds=8)
        child = transfer.splits.get()
        assert (bridge.fresh(transfer).state, child.state) == ("returned", "returned")
        assert cash(account) == 0


class TestCallbacks:
    def test_without_any_callback_polling_finds_the_end(self, bridge: World) -> None:
        bridge.deliver_callbacks = False
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(seconds=200, rounds=10)
        assert bridge.fresh(transfer).state == "completed"

    def test_a_repeated_callback_changes_nothing(self, bridge: World) -> None:
        bridge.fault(Fault.DUPLICATED_CALLBACK, count=None)
        account = bridge.account()
        transfer = bridge.request(account, bridge.fund(), AMOUNT)
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"
        assert cash(account) == -AMOUNT
