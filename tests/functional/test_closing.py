"""Closing a fund: cut back, settle, recall and return all, in every mix of states, to the cent."""

from __future__ import annotations

import pytest

from accounts.ledger.queries import at_funds, money_on_the_bridge
from bridge.approvals.models import Approval
from bridge.kernel.results import Change, Done, Refused
from bridge.sandbox.model import Fault
from funds.models import Closing, FundCapacity, Reservation
from tests.closings import (
    COMPLIANCE,
    CUT,
    RETURN_ALL,
    SETTLE,
    Mix,
    ask,
    carried_out,
    child_of,
    freeze_requests,
    place,
    states,
)
from tests.world import CHECKER, HARBOR, MAKER, World
from transfers import facts, services
from transfers.closing import Action, Below, Method, Phase, PlanKind, Terms
from transfers.closing_overview import closing_overview, plan_closing
from transfers.models import BankInstruction, Transfer, Work
from transfers.services import closing
from transfers.states import NextStep


class TestOverview:
    def test_lists_what_is_open_with_blockers_and_money(self, bridge: World) -> None:
        mix = Mix(bridge)
        overview = closing_overview(fund_id=mix.fund.id)
        assert len(overview.positions) == 9
        assert overview.counts == {Phase.AT_FUND: 1, Phase.MOVING: 1, Phase.UNMOVED: 6, Phase.WAITING: 1}
        assert overview.money[Phase.UNMOVED] == 5_500_001
        assert {row.blocker_code for row in overview.blocked} == {
            "deposit_rejected",
            "held_by_operations",
            "waiting_for_place",
        }
        assert not overview.is_settled

    def test_a_closing_fund_takes_no_new_request(self, bridge: World) -> None:
        fund = bridge.fund()
        freeze_requests(fund)
        assert bridge.request(bridge.account(), fund).state == "rejected"

    def test_a_preview_writes_nothing(self, bridge: World) -> None:
        mix = Mix(bridge)
        before = dict(Transfer.objects.values_list("id", "version"))
        plan = plan_closing(fund_id=mix.fund.id, terms=CUT)
        assert plan.totals["kept"] == 2_000_000
        assert dict(Transfer.objects.values_list("id", "version")) == before
        assert not Closing.objects.exists()


class TestSettle:
    def test_what_has_not_moved_is_cancelled_and_the_fund_closes_when_nothing_is_open(self, bridge: World) -> None:
        mix = Mix(bridge)
        running = carried_out(mix.fund, SETTLE)
        assert states(*mix.all) == ["completed", "withdrawn", *["cancelled"] * 7]
        mix.fund.refresh_from_db()
        assert mix.fund.status == "closing"
        services.retry_transfers(changes=[Change(mix.withdrawn.id)], actor=CHECKER)
        bridge.run()
        mix.fund.refresh_from_db()
        running.refresh_from_db()
        assert states(mix.withdrawn) == ["completed"]
        assert (mix.fund.status, running.state) == ("closed", "done")
        assert not Work.objects.exists()

    def test_money_in_flight_settles(self, bridge: World) -> None:
        fund = bridge.fund()
        moving = bridge.request(bridge.account(), fund)
        bridge.run(rounds=1, seconds=0)
        assert states(moving) == ["withdrawing"]
        freeze_requests(fund)
        carried_out(fund, SETTLE)
        bridge.run()
        fund.refresh_from_db()
        assert states(moving) == ["completed"]
        assert fund.status == "closed"


class TestCutBack:
    @pytest.mark.parametrize("method", Method)
    @pytest.mark.parametrize("target", [1, 1_234_567, 4_000_003, 7_500_000])
    def test_every_mix_of_states_adds_up_to_the_cent(self, honouring: World, method: Method, target: int) -> None:
        mix = Mix(honouring)
        running = carried_out(mix.fund, Terms(PlanKind.CUT_BACK, target, method))
        honouring.check()
        services.approve_transfers(
            changes=[Change(mix.reviewed.id)],
            actor=COMPLIANCE,
            facts=facts.gather(account_ids={row.source_account_id for row in mix.all}, max_age=900),
        )
        if honouring.fresh(mix.withdrawn).next_step == NextStep.NONE:
            services.retry_transfers(changes=[Change(mix.withdrawn.id)], actor=CHECKER)
        honouring.run(rounds=14)
        running.refresh_from_db()
        assert running.state == "done"
        kept = Transfer.objects.filter(fund=mix.fund, state="completed")
        assert sum(row.amount for row in kept) == target
        assert sum(sum(there.values()) for there in at_funds([row.id for row in kept]).values()) == sum(
            row.amount for row in kept
        )
        assert FundCapacity.objects.get(fund=mix.fund).confirmed == sum(row.amount for row in kept)
        assert states(mix.waitlisted) == ["cancelled"]
        assert money_on_the_bridge() == {}

    def test_in_clearing_the_part_is_split_and_refunded_and_the_rest_goes_on(self, bridge: World) -> None:
        fund = bridge.fund(on_deposit_failure="hold")
        bridge.fault(Fault.REJECT, institution=HARBOR, code="R02")
        transfer = bridge.request(bridge.account(), fund)
        bridge.run(rounds=8)
        freeze_requests(fund)
        carried_out(fund, Terms(PlanKind.CUT_BACK, 600_000))
        child, parent = child_of(transfer), bridge.fresh(transfer)
        assert (parent.amount, parent.state, place(parent)) == (600_000, "withdrawn", (600_000, 0))
        assert (child.amount, child.family_id, child.account_seq) == (400_000, parent.id, parent.account_seq)
        assert not Reservation.objects.filter(transfer_id=child.id).exists()
        bridge.check()
        services.retry_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        bridge.run(rounds=8)
        assert states(parent, child) == ["completed", "refunded"]
        assert place(parent) == (0, 600_000)

    def test_at_the_fund_the_part_is_split_recalled_and_refunded(self, honouring: World) -> None:
        fund = honouring.fund(on_deposit_failure="hold")
        transfer = honouring.request(honouring.account(), fund)
        honouring.run()
        freeze_requests(fund)
        carried_out(fund, Terms(PlanKind.CUT_BACK, 600_000))
        child, parent = child_of(transfer), honouring.fresh(transfer)
        assert (parent.state, child.state, child.blocker_code) == ("completed", "completed", "recall_due")
        assert place(parent) == (0, 1_000_000)
        there = {parent.id: {parent.fund_id: 600_000}, child.id: {parent.fund_id: 400_000}}
        assert at_funds([parent.id, child.id]) == there
        honouring.run(rounds=1, seconds=0)
        assert honouring.fresh(child).blocker_code == "recall_open"
        assert Work.objects.get(transfer=child).step in ("ask_recall", "settle_recall")
        honouring.check()
        honouring.run()
        assert states(parent, child) == ["completed", "refunded"]
        assert place(parent) == (0, 600_000)
        recall = BankInstruction.objects.get(kind="recall")
        deposit = BankInstruction.objects.get(kind="deposit")
        assert (recall.recalls, recall.state, recall.returned_amount) == (deposit, "settled", 400_000)
        assert (deposit.state, deposit.returned_amount) == ("returned", 400_000)

    def test_a_recall_that_the_bank_ignores_stays_visible_until_the_money_comes(self, bridge: World) -> None:
        fund = bridge.fund()
        transfer = bridge.request(bridge.account(), fund)
        bridge.run()
        freeze_requests(fund)
        carried_out(fund, Terms(PlanKind.CUT_BACK, 0))
        bridge.run()
        assert bridge.fresh(transfer).blocker_code == "recall_open"
        assert closing_overview(fund_id=fund.id).counts == {Phase.GOING_BACK: 1}
        bridge.check()
        key = BankInstruction.objects.get(kind="deposit").key
        bridge.deliver_callbacks = False  # found by asking, without a word from the bank
        with bridge.house.lock:
            there = bridge.bank.books.keys[HARBOR, key]
            assert bridge.bank.force(there, verb="return", given={}, now=bridge.bank_time()) is None
        bridge.run(seconds=400)
        assert states(transfer) == ["refunded"]

    def test_a_recall_that_the_bank_refuses_waits_for_people(self, bridge: World) -> None:
        fund = bridge.fund()
        transfer = bridge.request(bridge.account(), fund)
        bridge.run()
        bridge.fault(Fault.REJECT, institution=HARBOR, kind="recall", code="LEGL")
        (done,) = services.recall_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        assert isinstance(done, Done)
        bridge.run()
        assert bridge.fresh(transfer).blocker_code == "recall_rejected"
        bridge.check()
        (again,) = services.recall_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        assert isinstance(again, Done)
        (twice,) = services.recall_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        assert isinstance(twice, Refused)
        assert twice.error.code == "already_recalled"
        bridge.fault(Fault.REJECT, institution=HARBOR, kind="recall", code="LEGL")
        bridge.run()
        (left,) = services.give_up_recalls(changes=[Change(transfer.id, reason="Agreed.")], actor=CHECKER)
        assert isinstance(left, Done)
        assert (bridge.fresh(transfer).blocker_code, Work.objects.count()) == ("", 0)

    @pytest.mark.parametrize("fault", [Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER])
    def test_a_recall_whose_outcome_is_unknown_is_asked_about_by_its_key(self, honouring: World, fault: Fault) -> None:
        fund = honouring.fund()
        transfer = honouring.request(honouring.account(), fund)
        honouring.run()
        honouring.fault(fault, kind="recall")
        services.recall_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        honouring.run(rounds=3)
        honouring.check()
        honouring.wait_out("finality")
        honouring.run(rounds=8)
        assert states(transfer) == ["refunded"]

    def test_a_reviewed_one_is_reduced_and_its_review_begins_anew(self, bridge: World) -> None:
        fund = bridge.fund()
        transfer = bridge.request(bridge.account(), fund)
        services.hold_transfers(changes=[Change(transfer.id)], actor=MAKER)
        first = Approval.objects.get(kind="transfer.review")
        freeze_requests(fund)
        carried_out(fund, Terms(PlanKind.CUT_BACK, 300_000))
        first.refresh_from_db()
        second = Approval.objects.get(kind="transfer.review", state="open")
        transfer = bridge.fresh(transfer)
        assert (first.state, second.seen["amount"]) == ("void", 300_000)
        assert (transfer.amount, transfer.requested_amount, transfer.source_account.held) == (
            300_000,
            1_000_000,
            300_000,
        )
        assert place(transfer) == (300_000, 0)

    def test_what_was_on_its_way_is_cut_when_it_rests(self, honouring: World) -> None:
        fund = honouring.fund()
        transfer = honouring.request(honouring.account(), fund)
        honouring.run(rounds=1, seconds=0)
        assert states(transfer) == ["withdrawing"]
        freeze_requests(fund)
        running = carried_out(fund, Terms(PlanKind.CUT_BACK, 250_000))
        assert running.steps.get().state == "pending"
        honouring.run(rounds=12)
        running.refresh_from_db()
        assert running.state == "done"
        assert states(transfer, child_of(transfer)) == ["completed", "refunded"]
        assert honouring.fresh(transfer).amount == 250_000

    def test_a_cut_below_the_minimum_does_not_reject_what_it_keeps(self, bridge: World) -> None:
        fund = bridge.fund(minimum=1_000_000)
        reviewed = [bridge.request(bridge.account(), fund) for _ in range(2)]
        services.hold_transfers(changes=[Change(row.id) for row in reviewed], actor=MAKER)
        freeze_requests(fund)
        carried_out(fund, Terms(PlanKind.CUT_BACK, 1_000_001))
        known = facts.gather(account_ids={row.source_account_id for row in reviewed}, max_age=900)
        results = services.approve_transfers(
            changes=[Change(row.id) for row in reviewed], actor=COMPLIANCE, facts=known
        )
        assert [type(result) for result in results] == [Done, Done]
        bridge.run(rounds=8)
        assert states(*reviewed) == ["completed", "completed"]
        assert FundCapacity.objects.get(fund=fund).confirmed == 1_000_001

    def test_first_come_serves_the_first_requests_first(self, honouring: World) -> None:
        fund = honouring.fund()
        first, second, third = (honouring.request(honouring.account(), fund) for _ in range(3))
        honouring.run()
        freeze_requests(fund)
        carried_out(fund, Terms(PlanKind.CUT_BACK, 1_400_000, Method.FIRST_COME))
        honouring.run()
        assert states(first, second, third) == ["completed", "completed", "refunded"]
        assert honouring.fresh(second).amount == 400_000

    def test_who_would_fall_below_the_minimum_may_be_out_entirely(self, honouring: World) -> None:
        fund = honouring.fund(minimum=500_000)
        small = honouring.request(honouring.account(), fund, 600_000)
        large = honouring.request(honouring.account(), fund, 1_400_000)
        honouring.run()
        freeze_requests(fund)
        carried_out(fund, Terms(PlanKind.CUT_BACK, 1_000_000, Method.PRO_RATA, Below.OUT))
        honouring.run()
        assert states(small, large) == ["refunded", "completed"]
        assert honouring.fresh(large).amount == 1_000_000

    def test_cut_twice_then_everything_returned(self, honouring: World) -> None:
        fund = honouring.fund()
        transfer = honouring.request(honouring.account(), fund)
        honouring.run()
        freeze_requests(fund)
        for target in (700_000, 450_001):
            carried_out(fund, Terms(PlanKind.CUT_BACK, target))
            honouring.run()
            honouring.check()
        carried_out(fund, RETURN_ALL)
        honouring.run()
        amounts = [700_000 - 450_001, 300_000, 450_001]
        family = Transfer.objects.filter(family_id=transfer.id)
        assert sorted(row.amount for row in family) == sorted(amounts)
        assert {row.state for row in family} == {"refunded"}
        assert FundCapacity.objects.get(fund=fund).confirmed == 0


class TestReturnAll:
    def test_the_raise_fails_and_everybody_gets_everything_back(self, honouring: World) -> None:
        mix = Mix(honouring)
        running = carried_out(mix.fund, RETURN_ALL)
        honouring.run(rounds=10)
        assert states(*mix.all) == ["refunded", "refunded", *["cancelled"] * 7]
        running.refresh_from_db()
        mix.fund.refresh_from_db()
        assert (running.state, mix.fund.status) == ("done", "closed")
        capacity = FundCapacity.objects.get(fund=mix.fund)
        assert (capacity.seats_taken, capacity.reserved, capacity.confirmed) == (0, 0, 0)
        assert money_on_the_bridge() == {}
        assert not Work.objects.exists()

    @pytest.mark.parametrize("policy", ["refund", "hold"])
    @pytest.mark.parametrize(("seconds", "state"), [(0, "withdrawing"), (2, "depositing")])
    def test_what_is_in_flight_turns_back_when_it_rests(
        self, honouring: World, policy: str, seconds: int, state: str
    ) -> None:
        fund = honouring.fund(on_deposit_failure=policy)
        transfer = honouring.request(honouring.account(), fund)
        honouring.run(rounds=1, seconds=seconds)
        assert states(transfer) == [state]
        freeze_requests(fund)
        carried_out(fund, RETURN_ALL)
        honouring.run(rounds=12)
        assert states(transfer) == ["refunded"]
        assert closing_overview(fund_id=fund.id).is_settled

    def test_frozen_money_stays_where_the_law_wants_it(self, bridge: World) -> None:
        mix = Mix(bridge)
        services.freeze_transfers(changes=[Change(mix.withdrawn.id, reason="A true hit.")], actor=COMPLIANCE)
        plan = plan_closing(fund_id=mix.fund.id, terms=RETURN_ALL)
        (item,) = [item for item in plan.items if item.position.phase == Phase.FROZEN]
        assert item.action == Action.LEAVE
        carried_out(mix.fund, RETURN_ALL)
        bridge.run()
        assert states(mix.withdrawn) == ["frozen"]

    def test_it_replaces_a_settling_that_still_waits(self, bridge: World) -> None:
        mix = Mix(bridge)
        settling = carried_out(mix.fund, SETTLE)
        with pytest.raises(closing.ClosingRuns):
            ask(mix.fund, SETTLE)
        carried_out(mix.fund, RETURN_ALL)
        settling.refresh_from_db()
        assert settling.state == "superseded"
