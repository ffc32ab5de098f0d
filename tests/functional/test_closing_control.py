"""Closing a fund: two people, plans out of date, interruptions, and the command."""

from __future__ import annotations

import itertools
import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from bridge.approvals import services as approvals
from bridge.approvals.services import Proposal
from bridge.kernel.results import Actor, Change, Channel, Done, Refused, Role
from funds.models import Closing, ClosingStep
from funds.services import set_fund_status
from tests.closings import (
    CUT,
    RETURN_ALL,
    SETTLE,
    Mix,
    agree,
    ask,
    begun,
    carried_out,
    freeze_requests,
    states,
)
from tests.factories import make_login
from tests.world import CHECKER, MAKER, World
from transfers import services
from transfers.closing import PlanKind, Terms
from transfers.closing_approvals import kind_of, payload_of
from transfers.closing_overview import plan_closing
from transfers.models import Transfer
from transfers.services import closing


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
        with pytest.raises(CommandError, match="somebody else must decide"):
            self.run(mix.fund.code, "--approve", asked["approval"], "--as", "chen")
        with pytest.raises(CommandError, match="none of the roles"):
            self.run(mix.fund.code, "--approve", asked["approval"], "--as", "root")
        with pytest.raises(CommandError, match="none of the roles"):
            self.run(mix.fund.code, "--plan", "settle", "--propose", "--as", "root")
        assert not Closing.objects.exists()

    def test_resume_goes_on_with_this_fund_only_and_says_what_it_did(self, honouring: World) -> None:
        mine, other = Mix(honouring).fund, Mix(honouring).fund
        plan = begun(other, CUT)
        out = StringIO()
        call_command("close_fund", mine.code, "--resume", stdout=out)
        assert out.getvalue().strip() == f"Nothing is running for {mine.code}."
        assert not plan.steps.filter(state="done").exists()
        call_command("close_fund", other.code, "--resume", stdout=out)
        assert f"{other.code}: {plan.steps.filter(state='done').count()} steps of the plan 'cut-back'" in out.getvalue()
        assert plan.steps.filter(state="done").exists()

    @pytest.mark.parametrize(("login", "said"), [("chen", "closing"), ("nobody", "no active login")])
    def test_a_plan_that_may_not_be_asked_for_is_not_printed(self, bridge: World, login: str, said: str) -> None:
        fund = bridge.fund()
        make_login(Role.CHECKER, username="chen")
        out = StringIO()
        with pytest.raises(CommandError, match=said) as refused:
            call_command("close_fund", fund.code, "--plan", "settle", "--propose", "--as", login, stdout=out)
        assert out.getvalue() == ""
        assert "(" not in str(refused.value)

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
            (["{fund}", "--plan", "settle", "--target", "5"], "Only --plan cut-back takes --target"),
            (["{fund}", "--plan", "settle", "--method", "pro-rata"], "Only --plan cut-back takes --method"),
            (["{fund}", "--target", "5", "--below", "out"], "Only --plan cut-back takes --target, --below"),
            (["{fund}", "--resume", "--plan", "settle"], "--resume goes by the plan that was asked for"),
            (["{fund}", "--plan", "settle", "--expect", "abc"], "--expect goes with --propose"),
            (["{fund}", "--plan", "cut-back", "--target", "-1"], "needs a target"),
            (["{fund}", "--plan", "cut-back", "--target", "99999999999"], "not more than the target"),
            (["{fund}", "--approve", "apr_1", "--as", "chen"], "This is no approval id"),
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
