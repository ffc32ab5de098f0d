"""Parameters: two people, one scope, from a moment on; permanent."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import InternalError, connection, transaction
from django.db.utils import DatabaseError

from bridge.approvals import services as approvals
from bridge.approvals.services import MakerIsChecker
from bridge.events.models import Event
from bridge.kernel import clock
from bridge.kernel.errors import BridgeError
from bridge.kernel.results import Change, Refused
from bridge.kernel.transactions import unit_of_work
from bridge.kernel.waits import BusinessDays
from tests.functional.controls.proposing import agree, propose, put_in_force
from tests.world import CHECKER, HARBOR, MAKER, MERIDIAN, World
from transfers.models import BankInstruction, Parameters
from transfers.parameters import BadParameter, BadScope, Scope
from transfers.policy import policy

HOUSE = Scope()
AMOUNT = 1_000_000


def code(result: object) -> str:
    assert isinstance(result, Refused), result
    return result.error.code


class TestPuttingInForce:
    def test_what_two_people_agreed_is_in_force_and_says_who_and_why(self, bridge: World) -> None:
        put_in_force(acknowledge=600, why="The bank answers within ten minutes.")
        assert policy().acknowledge == 600
        row = Parameters.objects.get()
        assert (row.made_by, row.approved_by) == (MAKER.id, CHECKER.id)
        assert row.why == "The bank answers within ten minutes."
        event = Event.objects.get(type="parameters.changed")
        assert event.data["values"] == {"acknowledge": 600}
        assert event.actor["id"] == CHECKER.id

    def test_nothing_is_in_force_before_the_second_person_agrees(self, bridge: World) -> None:
        asked = propose(HOUSE, acknowledge=600)
        assert policy().acknowledge == 900
        (mine,) = approvals.approve(changes=[Change(asked.id)], actor=MAKER)
        assert code(mine) in (MakerIsChecker.code, "not_allowed")
        assert policy().acknowledge == 900
        agree(asked)
        assert policy().acknowledge == 600

    def test_a_change_takes_effect_at_its_moment(self, bridge: World) -> None:
        moment = clock.now() + timedelta(hours=6)
        put_in_force(acknowledge=600, effective_from=moment)
        assert policy().acknowledge == 900
        assert policy(at=moment).acknowledge == 600
        bridge.advance(hours=5, minutes=59)
        assert policy().acknowledge == 900
        bridge.advance(minutes=2)
        assert policy().acknowledge == 600
        assert policy(at=moment - timedelta(seconds=1)).acknowledge == 900

    def test_a_later_row_supersedes_the_whole_of_its_scope(self, bridge: World) -> None:
        put_in_force(acknowledge=600, review=3600)
        bridge.advance(seconds=1)
        put_in_force(acknowledge=300)
        assert (policy().acknowledge, policy().review) == (300, 5 * 24 * 3600)
        assert Parameters.objects.count() == 2

    def test_a_moment_that_has_passed_when_the_second_person_agrees_is_now(self, bridge: World) -> None:
        asked = propose(HOUSE, acknowledge=600, effective_from=clock.now() + timedelta(minutes=1))
        bridge.advance(hours=1)
        agree(asked)
        assert policy().acknowledge == 600
        assert Parameters.objects.get().effective_from >= clock.now() - timedelta(minutes=1)

    def test_a_proposal_is_void_when_the_scope_has_changed_since(self, bridge: World) -> None:
        first = propose(HOUSE, acknowledge=600)
        with pytest.raises(approvals.AlreadyOpen):
            propose(HOUSE, acknowledge=700)
        other = propose(Scope(institution=MERIDIAN), acknowledge=500)
        agree(first)
        agree(other)
        assert (policy().acknowledge, policy(institution=MERIDIAN).acknowledge) == (600, 500)

    def test_one_unit_of_work_sees_one_policy_and_reads_it_once(
        self, bridge: World, django_assert_num_queries: object
    ) -> None:
        put_in_force(acknowledge=600)
        with unit_of_work(), django_assert_num_queries(1):  # type: ignore[operator]
            seen = {policy(institution=name).acknowledge for name in (MERIDIAN, HARBOR, "") for _ in range(50)}
        assert seen == {600}


class TestRefusals:
    @pytest.mark.parametrize(
        ("values", "word"),
        [
            ({"aknowledge": 60}, "no parameter"),
            ({"acknowledge": "soon"}, "business days"),
            ({"acknowledge": -1}, "business days"),
            ({"acknowledge": 1.5}, "business days"),
            ({"acknowledge": True}, "business days"),
            ({"review": "2 business days"}, "whole number"),
            ({"resend_share": 101}, "from 1 to 100"),
            ({"deposit_retries": 11}, "from 0 to 10"),
            ({"short_pay": "keep"}, "one of accept"),
            ({"exposure_limit": 5}, "by currency"),
            ({"exposure_limit": {"XXQ": 5}}, "no currency"),
            ({"exposure_limit": {"USD": -5}}, "from 1"),
            ({"ask_first": 600, "ask_last": 60}, "ask_last"),
            ({"exposure_alert": 90, "exposure_stop": 80}, "exposure_stop"),
            ({"lease": 60}, "BRIDGE_POLICY"),
        ],
    )
    def test_a_bad_name_or_value_is_refused_with_what_it_may_be(
        self, bridge: World, values: dict[str, object], word: str
    ) -> None:
        with pytest.raises(BadParameter, match=word):
            propose(HOUSE, **values)
        assert not Parameters.objects.exists()

    def test_a_total_is_of_the_house(self, bridge: World) -> None:
        with pytest.raises(BadParameter, match="house only"):
            propose(Scope(institution=MERIDIAN), exposure_limit_total={"USD": 5})

    def test_scopes_that_contradict_each_other_are_refused(self, bridge: World) -> None:
        put_in_force(Scope(institution=MERIDIAN), ask_last=60)
        with pytest.raises(BadParameter, match="ask_last"):
            propose(HOUSE, ask_first=120)

    def test_an_unknown_scope_is_refused(self, bridge: World) -> None:
        with pytest.raises(BadScope):
            propose(Scope(institution="nowhere"), acknowledge=60)
        with pytest.raises(BadScope):
            Scope(institution=MERIDIAN, fund_id=bridge.fund().id)
        with pytest.raises(BadScope):
            Scope(rail="pigeon")

    def test_the_past_is_not_changed(self, bridge: World) -> None:
        with pytest.raises(BridgeError, match="over"):
            propose(HOUSE, acknowledge=60, effective_from=clock.now() - timedelta(minutes=1))

    def test_the_reason_is_not_left_out(self, bridge: World) -> None:
        with pytest.raises(BridgeError, match="why"):
            propose(HOUSE, acknowledge=60, why=" ")

    def test_two_rows_of_a_scope_never_begin_at_one_moment(self, bridge: World) -> None:
        moment = clock.now() + timedelta(hours=1)
        put_in_force(acknowledge=600, effective_from=moment)
        with pytest.raises(BridgeError, match="another moment"):
            propose(HOUSE, acknowledge=60, effective_from=moment)

    @pytest.mark.parametrize("sql", ["UPDATE transfers_parameters SET why = 'x'", "DELETE FROM transfers_parameters"])
    def test_the_database_keeps_every_row(self, bridge: World, sql: str) -> None:
        put_in_force(acknowledge=600)
        with pytest.raises((InternalError, DatabaseError), match="permanent"), transaction.atomic():
            connection.cursor().execute(sql)

    def test_the_database_wants_two_people(self, bridge: World) -> None:
        put_in_force(acknowledge=600)
        with pytest.raises(DatabaseError, match="parameters_two_people"), transaction.atomic():
            Parameters.objects.create(
                scope_id=HOUSE.id, effective_from=clock.now() + timedelta(days=1), created_at=clock.now(),
                why="x", made_by="a", approved_by="a", approval_id=HOUSE.id,
            )  # fmt: skip


class TestInUse:
    def test_an_instruction_takes_what_its_institution_its_rail_and_its_fund_say(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund(rail="ach")
        put_in_force(Scope(institution=MERIDIAN), key_lifetime=3 * 24 * 3600)
        put_in_force(Scope(institution=HARBOR, rail="ach"), key_lifetime=2 * 24 * 3600)
        put_in_force(Scope(fund_id=fund.id), return_window=24 * 3600)
        transfer = bridge.request(account, fund, AMOUNT)
        bridge.run()
        done = bridge.fresh(transfer)
        assert done.state == "completed"
        withdrawal, deposit = BankInstruction.objects.filter(transfer=transfer).order_by("id")
        assert withdrawal.key_expires_at - withdrawal.created_at == timedelta(days=3)
        assert deposit.key_expires_at - deposit.created_at == timedelta(days=2)
        assert (withdrawal.rail, deposit.rail) == ("", "ach")
        assert done.final_at is not None
        assert done.completed_at is not None
        assert done.final_at - done.completed_at == timedelta(days=1)
        there = {row.terms.key: row.terms.rail for row in bridge.bank.books.instructions.values()}
        assert (there[withdrawal.key], there[deposit.key]) == ("", "ach")
        bridge.check()

    def test_ach_has_two_business_days_to_settle_and_a_wire_the_same_day(self, bridge: World) -> None:
        assert policy().settle_within == policy(rail="fedwire").settle_within == BusinessDays(0)
        assert policy(rail="ach").settle_within == BusinessDays(2)
        put_in_force(settle_within="1 business day")
        assert policy(rail="ach").settle_within == BusinessDays(1)
        put_in_force(Scope(rail="ach"), settle_within="3 business days")
        assert policy(rail="ach", institution=MERIDIAN).settle_within == BusinessDays(3)

    def test_from_a_quarter_of_a_million_a_second_person_must_agree(self, bridge: World) -> None:
        account, fund = bridge.account(balance=10**10), bridge.fund()
        assert bridge.request(account, fund, 249_999_99).state == "approved"
        assert bridge.request(account, fund, 250_000_00).state == "in_review"
        put_in_force(Scope(fund_id=fund.id), second_person_from={"USD": 1_000_000_00})
        assert bridge.request(account, fund, 999_999_99).state == "approved"
        bridge.advance(seconds=1)
        put_in_force(Scope(fund_id=fund.id), second_person_from={})
        assert bridge.request(account, fund, 2_000_000_00).state == "approved"
        bridge.run(rounds=14)
        bridge.check()
