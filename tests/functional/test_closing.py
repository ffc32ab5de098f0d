"""Closing a fund: cut back, settle, recall and return all, in every mix of states, to the cent."""

from __future__ import annotations

import itertools
import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from accounts.ledger.queries import at_the_fund, money_on_the_bridge
from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.approvals.services import Proposal
from bridge.kernel.results import ENGINE, Actor, Change, Channel, Done, Refused, Role
from bridge.sandbox.model import Fault
from funds.models import Allocation, Closing, ClosingStep, Fund, FundCapacity, Reservation
from funds.services import set_fund_status
from tests.factories import make_login
from tests.world import CHECKER, HARBOR, MAKER, World
from transfers import services
from transfers.closing import Action, Below, Method, Phase, PlanKind, Terms
from transfers.closing_approvals import kind_of, payload_of
from transfers.closing_overview import closing_overview, plan_closing
from transfers.models import BankInstruction, Transfer, Work
from transfers.services import closing
from transfers.states import NextStep

COMPLIANCE = Actor("compliance-login", Role.COMPLIANCE, Channel.ADMIN)
CUT = Terms(PlanKind.CUT_BACK, target=2_000_000)
SETTLE, RETURN_ALL = Terms(PlanKind.SETTLE), Terms(PlanKind.RETURN_ALL)


def freeze_requests(fund: Fund) -> None:
    set_fund_status(changes=[Change(fund.id)], status="closing", actor=CHECKER)


def ask(fund: Fund, terms: Terms, *, actor: Actor = MAKER) -> Approval:
    plan = plan_closing(fund_id=fund.id, terms=terms)
    payload = payload_of(terms, plan.hash)
    return approvals.propose(proposal=Proposal(kind_of(terms.kind), fund.id, payload, "As agreed."), actor=actor)


def agree(approval: Approval, *, actor: Actor = CHECKER) -> Any:
    (result,) = approvals.approve(changes=[Change(approval.id, reason="Agreed.")], actor=actor)
    return result


def carried_out(fund: Fund, terms: Terms) -> Closing:
    """Asked for, agreed to, and all done that can be done at once."""
    return begun(fund, terms, work=True)


def begun(fund: Fund, terms: Terms, *, work: bool = False) -> Closing:
    """Agreed to, and nothing done yet."""
    approval = ask(fund, terms)
    result = agree(approval)
    assert isinstance(result, Done), result
    found = Closing.objects.get(approval_id=approval.id)
    if work:
        services.continue_closings(actor=ENGINE)
    found.refresh_from_db()
    return found


def states(*transfers: Transfer) -> list[str]:
    found = Transfer.objects.in_bulk([row.id for row in transfers])
    return [str(found[row.id].state) for row in transfers]


def child_of(transfer: Transfer) -> Transfer:
    return Transfer.objects.get(split_from=transfer)


def place(transfer: Transfer) -> tuple[int, int]:
    row = Allocation.objects.get(fund=transfer.fund, investor=transfer.investor)
    return row.reserved, row.confirmed


@pytest.fixture
def honouring(bridge: World) -> World:
    """The fund's bank sends back what is recalled."""
    bridge.bank.books.settings.recall_honoured = True
    return bridge


class Mix:
    """A fund with one transfer of a million in each state that matters."""

    def __init__(self, bridge: World, **given: Any) -> None:
        self.bridge = bridge
        self.fund = bridge.fund(seat_limit=7, on_deposit_failure="hold", **given)
        accounts = [bridge.account() for _ in range(8)]
        self.completed = bridge.request(accounts[0], self.fund)
        bridge.run()
        bridge.fault(Fault.REJECT, institution=HARBOR, code="R02")
        self.withdrawn = bridge.request(accounts[1], self.fund)
        bridge.run(rounds=8)
        self.top_up = bridge.request(accounts[0], self.fund, 500_001)
        self.reviewed = bridge.request(accounts[2], self.fund)
        services.hold_transfers(changes=[Change(self.reviewed.id, reason="A closer look.")], actor=MAKER)
        self.approved = bridge.request(accounts[3], self.fund)
        more = [bridge.request(accounts[n], self.fund) for n in (4, 5, 6)]
        self.waitlisted = bridge.request(accounts[7], self.fund)
        self.others = more
        self.all = [self.completed, self.withdrawn, self.top_up, self.reviewed, self.approved, *more, self.waitlisted]
        assert states(*self.all) == [
            "completed",
            "withdrawn",
            "approved",
            "in_review",
            *["approved"] * 4,
            "waitlisted",
        ]
        freeze_requests(self.fund)


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
            changes=[Change(row.id) for row in mix.all if honouring.fresh(row).state == "in_review"],
            actor=COMPLIANCE,
            facts=services_facts(mix),
        )
        if honouring.fresh(mix.withdrawn).next_step == NextStep.NONE:
            services.retry_transfers(changes=[Change(mix.withdrawn.id)], actor=CHECKER)
        honouring.run(rounds=14)
        running.refresh_from_db()
        assert running.state == "done"
        kept = Transfer.objects.filter(fund=mix.fund, state="completed")
        reviewed = Transfer.objects.filter(fund=mix.fund, state="in_review")
        assert sum(row.amount for row in [*kept, *reviewed]) == target
        assert sum(at_the_fund([row.id for row in kept]).values()) == sum(row.amount for row in kept)
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
        assert at_the_fund([parent.id, child.id]) == {parent.id: 600_000, child.id: 400_000}
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
        honouring.advance(days=2, minutes=1)
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


class TestTwoPeople:
    def test_the_maker_cannot_approve_the_own_plan(self, bridge: World) -> None:
        mix = Mix(bridge)
        result = agree(ask(mix.fund, CUT, actor=CHECKER), actor=CHECKER)
        assert isinstance(result, Refused)
        assert result.error.code == "maker_is_checker"
        assert not Closing.objects.exists()

    @pytest.mark.parametrize("role", [Role.MAKER, Role.INVESTOR, Role.SERVICE, Role.AUDITOR])
    def test_other_roles_cannot_approve(self, bridge: World, role: Role) -> None:
        mix = Mix(bridge)
        result = agree(ask(mix.fund, CUT), actor=Actor("somebody", role, Channel.ADMIN))
        assert isinstance(result, Refused)
        assert result.error.code == "not_allowed"
        assert not Closing.objects.exists()

    def test_one_open_request_per_fund(self, bridge: World) -> None:
        mix = Mix(bridge)
        ask(mix.fund, CUT)
        with pytest.raises(approvals.AlreadyOpen):
            ask(mix.fund, RETURN_ALL)

    def test_a_rejected_plan_does_nothing(self, bridge: World) -> None:
        mix = Mix(bridge)
        approval = ask(mix.fund, CUT)
        (result,) = approvals.reject(changes=[Change(approval.id, reason="Too early.")], actor=CHECKER)
        assert isinstance(result, Done)
        assert result.state == "rejected"
        assert not Closing.objects.exists()

    def test_the_fund_must_be_closing(self, bridge: World) -> None:
        fund = bridge.fund()
        bridge.request(bridge.account(), fund)
        with pytest.raises(closing.FundNotClosing):
            ask(fund, SETTLE)


class TestStale:
    def test_a_change_between_the_two_people_stops_the_plan(self, bridge: World) -> None:
        mix = Mix(bridge)
        approval = ask(mix.fund, CUT)
        services.cancel_transfers(changes=[Change(mix.approved.id)], actor=MAKER)
        result = agree(approval)
        assert isinstance(result, Refused)
        assert (result.error.code, result.error.status) == ("plan_stale", 409)
        assert not Closing.objects.exists()
        approvals.withdraw(changes=[Change(approval.id)], actor=MAKER)
        assert isinstance(agree(ask(mix.fund, CUT)), Done)

    def test_money_that_goes_on_its_way_does_not(self, bridge: World) -> None:
        fund = bridge.fund()
        bridge.request(bridge.account(), fund)
        bridge.run(rounds=1, seconds=0)
        freeze_requests(fund)
        terms = Terms(PlanKind.CUT_BACK, 500_000)
        before = plan_closing(fund_id=fund.id, terms=terms).hash
        bridge.run(rounds=1, seconds=3)
        assert plan_closing(fund_id=fund.id, terms=terms).hash == before

    def test_a_fund_that_opened_again_voids_the_plan(self, bridge: World) -> None:
        mix = Mix(bridge)
        approval = ask(mix.fund, CUT)
        set_fund_status(changes=[Change(mix.fund.id)], status="open", actor=CHECKER)
        result = agree(approval)
        assert isinstance(result, Refused)
        assert not Closing.objects.exists()

    def test_a_plan_that_nobody_was_shown_cannot_be_asked_for(self, bridge: World) -> None:
        mix = Mix(bridge)
        proposal = Proposal(kind_of(PlanKind.CUT_BACK), mix.fund.id, payload_of(CUT, "0" * 64))
        with pytest.raises(closing.PlanStale):
            approvals.propose(proposal=proposal, actor=MAKER)


class TestInterrupted:
    def test_a_second_run_goes_on_where_the_first_was_killed(
        self, honouring: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mix = Mix(honouring)
        plan = begun(mix.fund, RETURN_ALL)
        done, last = closing.work_off(closing_id=plan.id, actor=CHECKER, limit=4)
        assert (done, ClosingStep.objects.filter(state="done").count()) == (4, 4)
        assert last
        honouring.check()
        calls = itertools.count()
        real = closing.cutting.cut

        class Killed(BaseException):
            """As if the process were gone."""

        def dying(*given: Any, **named: Any) -> Any:
            if next(calls) == 2:
                raise Killed
            return real(*given, **named)

        monkeypatch.setattr(closing.cutting, "cut", dying)
        with pytest.raises(Killed):
            closing.carry_on(closing_id=plan.id, actor=CHECKER)
        assert ClosingStep.objects.filter(state="done").count() == 4
        honouring.check()
        monkeypatch.undo()
        honouring.run(rounds=10)
        assert Closing.objects.get().state == "done"
        assert states(mix.completed, mix.withdrawn) == ["refunded", "refunded"]
        assert {*states(*mix.all[2:])} <= {"cancelled", "rejected"}  # the closed fund's rules may have been faster

    def test_carrying_on_twice_changes_nothing(self, honouring: World) -> None:
        mix = Mix(honouring)
        running = carried_out(mix.fund, CUT)
        before = dict(Transfer.objects.values_list("id", "version"))
        assert closing.carry_on(closing_id=running.id, actor=CHECKER) == 0
        assert dict(Transfer.objects.values_list("id", "version")) == before

    def test_a_step_that_cannot_be_done_does_not_hold_up_the_others(
        self, honouring: World, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        mix = Mix(honouring)
        real = closing.cutting.cut

        def failing(batch: Any, transfer: Transfer, **named: Any) -> Any:
            if transfer.id == mix.reviewed.id:
                raise RuntimeError("a fault of ours")
            return real(batch, transfer, **named)

        monkeypatch.setattr(closing.cutting, "cut", failing)
        running = carried_out(mix.fund, RETURN_ALL)
        assert list(running.steps.filter(state="pending").values_list("transfer_id", flat=True)) == [mix.reviewed.id]
        monkeypatch.undo()
        honouring.run(rounds=8)
        assert states(mix.reviewed) == ["cancelled"]


class TestCommand:
    def run(self, *given: str) -> Any:
        out = StringIO()
        call_command("close_fund", *given, "--json", stdout=out)
        return json.loads(out.getvalue())

    def test_two_logins_close_a_fund_without_the_admin(self, honouring: World) -> None:
        mix = Mix(honouring)
        make_login(Role.MAKER, username="mara")
        make_login(Role.CHECKER, username="chen")
        cut = (mix.fund.code, "--plan", "cut-back", "--target", "2000000")
        seen = self.run(*cut, "--preview")
        assert (seen["totals"]["kept"], len(seen["items"])) == (2_000_000, 9)
        asked = self.run(*cut, "--propose", "--as", "mara", "--expect", seen["plan"])
        done = self.run(mix.fund.code, "--approve", asked["approval"], "--as", "chen")
        assert done["state"] == "approved"
        assert done["closing"]["pending"] == 0
        honouring.run()
        assert self.run(mix.fund.code)["closing"]["state"] == "done"
        assert self.run(mix.fund.code, "--resume")["steps_done"] == 0

    def test_nobody_approves_alone_and_a_superuser_neither(self, bridge: World) -> None:
        mix = Mix(bridge)
        make_login(Role.CHECKER, username="chen")
        make_login(username="root", is_superuser=True)
        asked = self.run(mix.fund.code, "--plan", "return-all", "--propose", "--as", "chen")
        with pytest.raises(CommandError, match="maker_is_checker"):
            self.run(mix.fund.code, "--approve", asked["approval"], "--as", "chen")
        with pytest.raises(CommandError, match="none of the roles"):
            self.run(mix.fund.code, "--approve", asked["approval"], "--as", "root")
        with pytest.raises(CommandError, match="none of the roles"):
            self.run(mix.fund.code, "--plan", "settle", "--propose", "--as", "root")
        assert not Closing.objects.exists()

    def test_tables_for_people(self, bridge: World) -> None:
        mix = Mix(bridge)
        out = StringIO()
        call_command("close_fund", mix.fund.code, stdout=out)
        call_command("close_fund", mix.fund.code, "--plan", "return-all", stdout=out)
        assert "held_by_operations" in out.getvalue()
        assert "recalled USD 10,000.00" in out.getvalue()

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            (["nowhere"], "no fund"),
            (["{fund}", "--plan", "cut-back"], "needs a target"),
            (["{fund}", "--plan", "settle", "--target", "5"], "no target"),
            (["{fund}", "--plan", "cut-back", "--target", "-1"], "needs a target"),
            (["{fund}", "--plan", "cut-back", "--target", "99999999999"], "nothing_to_cut"),
            (["{fund}", "--approve", "apr_1", "--as", "chen"], "malformed_id"),
            (["{fund}", "--approve", "apr_01jdb6v4s0f1v8w2k3m4n5p6q4", "--as", "chen"], "no closing"),
            (["{fund}", "--plan", "settle", "--propose"], "Say who acts"),
            (["{fund}", "--plan", "settle", "--propose", "--as", "nobody"], "no active login"),
            (["{fund}", "--propose"], "Say which plan"),
        ],
    )
    def test_bad_input_is_told_in_words(self, bridge: World, given: list[str], said: str) -> None:
        fund = bridge.fund()
        make_login(Role.CHECKER, username="chen")
        with pytest.raises(CommandError, match=said):
            call_command("close_fund", *(word.format(fund=fund.code) for word in given), stdout=StringIO())


def services_facts(mix: Mix) -> Any:
    from transfers import facts

    return facts.gather(account_ids={row.source_account_id for row in mix.all}, max_age=900)
