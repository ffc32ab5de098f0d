"""Criteria that compliance owns: parameters by two people, overrides, reviews, freezes."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from accounts.compliance import CHANGE_DETAILS, record_compliance, sealed_number
from accounts.ledger.kinds import Kind
from accounts.ledger.queries import balance
from accounts.models import Investor
from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.approvals.services import Proposal
from bridge.events.models import Event
from bridge.kernel import clock
from bridge.kernel.errors import NotAllowed
from bridge.kernel.results import ENGINE, Actor, Change, Channel, Done, Refused, Role
from bridge.sandbox.model import Fault
from funds.criteria import RULES, as_row
from funds.models import FundCapacity, RuleOverride, RuleParameters, Subscription, Verification
from funds.rulebook import ACTIVATE, Draft, NoParameters, NothingChanges, WrongParameters, draft_parameters, edit_draft
from funds.rules.screening import MUST_FREEZE
from tests.world import CHECKER, INVESTOR, MAKER, World
from transfers import facts, services
from transfers.approvals import OVERRIDE, UNFREEZE
from transfers.engine import drain
from transfers.manual_outcomes import OUTCOME, OutcomeMalformed
from transfers.models import Transfer
from transfers.services.batch import REVIEW

AMOUNT = 1_000_000
COMPLIANCE = Actor("compliance-1", Role.COMPLIANCE, Channel.ADMIN)
OFFICER = Actor("compliance-2", Role.COMPLIANCE, Channel.ADMIN)
SUPERUSER = Actor("maker-login", Role.COMPLIANCE, Channel.ADMIN, label="superuser")


def establish(investor: Investor, **values: Any) -> None:
    record_compliance(change=Change(investor.id), values=values, actor=COMPLIANCE)


def clear(investor: Investor) -> None:
    now = clock.now()
    establish(
        investor, kyc="verified", kyc_verified_at=now, sanctions="clear", sanctions_screened_at=now, accredited=True
    )


def activate(rule: str, values: dict[str, Any], **given: Any) -> RuleParameters:
    row = draft_parameters(draft=Draft(rule, values, **given), actor=MAKER)
    asked = approvals.propose(proposal=Proposal(ACTIVATE, row.id), actor=MAKER)
    (done,) = approvals.approve(changes=[Change(asked.id)], actor=CHECKER)
    assert isinstance(done, Done), done
    row.refresh_from_db()
    return row


def code(result: object) -> str:
    assert isinstance(result, Refused), result
    return result.error.code


class TestSecondPerson:
    def test_a_large_amount_waits_for_a_checker_who_did_not_ask(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund(second_person_above=AMOUNT)
        assert bridge.request(account, fund, AMOUNT).state == "approved"
        large = bridge.request(account, fund, AMOUNT + 1)
        assert large.state == "in_review"
        asked = Approval.objects.get(kind=REVIEW, subject_id=large.id, state="open")
        assert asked.maker == INVESTOR.id
        own = Actor(INVESTOR.id, Role.CHECKER, Channel.ADMIN)
        assert code(approvals.approve(changes=[Change(asked.id)], actor=own)[0]) == "maker_is_checker"
        (done,) = approvals.approve(changes=[Change(asked.id)], actor=CHECKER)
        assert isinstance(done, Done)
        asked.refresh_from_db()
        assert (asked.state, asked.checker) == ("approved", CHECKER.id)
        bridge.run(rounds=8)
        assert bridge.fresh(large).state == "completed"

    def test_a_cancelled_transfer_leaves_no_open_review(self, bridge: World) -> None:
        large = bridge.request(bridge.account(), bridge.fund(second_person_above=1), AMOUNT)
        services.cancel_transfers(changes=[Change(large.id)], actor=INVESTOR)
        assert Approval.objects.get(subject_id=large.id).state == "withdrawn"

    def test_the_database_knows_no_checker_who_is_the_maker(self, bridge: World) -> None:
        large = bridge.request(bridge.account(), bridge.fund(second_person_above=1), AMOUNT)
        with pytest.raises(IntegrityError), transaction.atomic():
            Approval.objects.filter(subject_id=large.id).update(
                state="approved", checker=INVESTOR.id, decided_at=clock.now()
            )


class TestParameters:
    def test_a_draft_decides_nothing_until_a_second_person_activates_it(self, bridge: World) -> None:
        fund = bridge.fund()
        draft = draft_parameters(draft=Draft("kyc", {"required": True}, fund_id=fund.id), actor=MAKER)
        assert bridge.request(bridge.account(), fund, AMOUNT).state == "approved"
        asked = approvals.propose(proposal=Proposal(ACTIVATE, draft.id), actor=MAKER)
        same = Actor(MAKER.id, Role.CHECKER, Channel.ADMIN)
        assert code(approvals.approve(changes=[Change(asked.id)], actor=same)[0]) == "maker_is_checker"
        assert isinstance(approvals.approve(changes=[Change(asked.id)], actor=CHECKER)[0], Done)
        held = bridge.request(bridge.account(), fund, AMOUNT)
        assert held.state == "in_review"
        decision = next(d for d in Verification.objects.get(transfer_id=held.id).decisions if d["rule"] == "kyc")
        assert (decision["outcome"], decision["parameters"]) == ("hold", draft.number)

    def test_an_edit_voids_the_approval(self, bridge: World) -> None:
        draft = draft_parameters(draft=Draft("velocity", {"max_count_day": 3}), actor=MAKER)
        asked = approvals.propose(proposal=Proposal(ACTIVATE, draft.id), actor=MAKER)
        edit_draft(change=Change(draft.id), draft=Draft("velocity", {"max_count_day": 300}), actor=MAKER)
        assert code(approvals.approve(changes=[Change(asked.id)], actor=CHECKER)[0]) == "approval_void"
        draft.refresh_from_db()
        assert draft.state == "draft"
        asked.refresh_from_db()
        assert asked.state == "void"

    def test_a_new_row_ends_the_one_in_force(self, bridge: World) -> None:
        first = activate("velocity", {"max_count_day": 3})
        bridge.advance(hours=1)
        second = activate("velocity", {"max_count_day": 5})
        first.refresh_from_db()
        assert first.effective_to == second.effective_from

    def test_what_is_in_force_is_read_as_the_tables_say(self, bridge: World) -> None:
        fund = bridge.fund()
        activate("velocity", {"max_count_day": 3})
        early = clock.now()
        bridge.advance(hours=1)
        activate("velocity", {"max_count_day": 5})
        activate("kyc", {"required": True, "max_age_days": 30}, fund_id=fund.id)
        draft_parameters(draft=Draft("velocity", {"max_count_day": 9}), actor=MAKER)
        for at, wanted in ((early, [{"max_count_day": 3}]), (clock.now(), None)):
            rows = RuleParameters.objects.filter(state="active", effective_from__lte=at).order_by("rule", "-number")
            found = [as_row(row) for row in rows if row.effective_to is None or row.effective_to > at]
            assert RULES.at(at) == found
            assert wanted is None or [row.values for row in found] == wanted
        assert len(RULES.at()) == 2

    def test_two_rows_in_force_at_once_are_refused_by_the_database(self, bridge: World) -> None:
        first = activate("velocity", {"max_count_day": 3})
        with pytest.raises(IntegrityError, match="rule_parameters_one_in_force"), transaction.atomic():
            RuleParameters.objects.create(
                number=99,
                rule="velocity",
                values={},
                state="active",
                effective_from=first.effective_from + timedelta(seconds=1),
                made_by="a",
                activated_by="b",
                created_at=clock.now(),
            )

    def test_values_that_the_rule_does_not_know_are_refused(self, bridge: World) -> None:
        with pytest.raises(WrongParameters):
            draft_parameters(draft=Draft("velocity", {"max_count_dya": 3}), actor=MAKER)
        with pytest.raises(NotAllowed):
            draft_parameters(draft=Draft("velocity", {"max_count_day": 3}), actor=INVESTOR)

    def test_a_draft_that_changes_nothing_is_refused(self, bridge: World) -> None:
        fund, later = bridge.fund(), clock.now() + timedelta(days=7)
        for values in ({}, {"required": False}, {"max_count_day": None}):
            with pytest.raises(NothingChanges):
                draft_parameters(draft=Draft("velocity", values), actor=MAKER)
            with pytest.raises(NothingChanges):
                draft_parameters(draft=Draft("velocity", values, fund_id=fund.id), actor=MAKER)
        activate("velocity", {"max_count_day": 3})
        for given in ({}, {"fund_id": fund.id}, {"effective_from": later}):
            with pytest.raises(NothingChanges, match="in force for"):
                draft_parameters(draft=Draft("velocity", {"max_count_day": 3, "required": False}, **given), actor=MAKER)
        draft = draft_parameters(draft=Draft("velocity", {"max_count_day": 4}), actor=MAKER)
        with pytest.raises(NothingChanges):
            edit_draft(change=Change(draft.id), draft=Draft("velocity", {"max_count_day": 3}), actor=MAKER)

    def test_the_same_values_for_another_time_change_something(self, bridge: World) -> None:
        now = clock.now()
        activate("velocity", {"max_count_day": 3}, effective_to=now + timedelta(days=30))
        draft_parameters(draft=Draft("velocity", {"max_count_day": 3}), actor=MAKER)  # without an end
        early = Draft("velocity", {"max_count_day": 3}, effective_to=now + timedelta(days=7))
        draft_parameters(draft=early, actor=MAKER)
        activate("velocity", {"max_count_day": 5}, effective_from=now + timedelta(days=10))
        back = Draft("velocity", {"max_count_day": 3}, effective_from=now + timedelta(days=20))
        draft_parameters(draft=back, actor=MAKER)

    def test_a_fund_keeps_its_values_where_those_for_all_are_about_to_change(self, bridge: World) -> None:
        fund, own = bridge.fund(), {"max_count_day": 3}
        activate("velocity", own)
        with pytest.raises(NothingChanges, match="this fund"):
            draft_parameters(draft=Draft("velocity", own, fund_id=fund.id), actor=MAKER)
        activate("velocity", {"max_count_day": 5}, effective_from=clock.now() + timedelta(days=7))
        draft_parameters(draft=Draft("velocity", own, fund_id=fund.id), actor=MAKER)

    def test_a_rule_is_set_back_to_its_defaults_and_who_approves_is_told(self, bridge: World) -> None:
        activate("velocity", {"max_count_day": 3, "max_sum_day": AMOUNT})
        row = draft_parameters(draft=Draft("velocity", {"max_count_day": 2}), actor=MAKER)
        asked = approvals.propose(proposal=Proposal(ACTIVATE, row.id), actor=MAKER)
        assert asked.summary.endswith("for all funds; back to the default: max sum day")
        assert activate("velocity", {}).state == "active"

    def test_a_rule_without_parameters_takes_no_draft(self, bridge: World) -> None:
        with pytest.raises(NoParameters, match="has no parameters"):
            draft_parameters(draft=Draft("second_person", {}), actor=MAKER)

    def test_velocity_counts_what_was_asked_for_before(self, bridge: World) -> None:
        activate("velocity", {"max_count_day": 2})
        account, fund = bridge.account(), bridge.fund()
        states = [bridge.request(account, fund, AMOUNT + n).state for n in range(3)]
        assert states[:2] == ["approved", "approved"]
        assert states[2] != "approved"


class TestEligibilityAndPapers:
    def test_only_accredited_investors_pass(self, bridge: World) -> None:
        fund = bridge.fund()
        type(fund).objects.filter(pk=fund.pk).update(eligibility="accredited")
        known, unknown = bridge.account(), bridge.account()
        clear(known.investor)
        assert bridge.request(known, fund, AMOUNT).state == "approved"
        assert bridge.request(unknown, fund, AMOUNT).state == "in_review"

    def test_unsigned_documents_stop_a_transfer(self, bridge: World) -> None:
        fund, account = bridge.fund(required_documents=("subscription agreement",)), bridge.account()
        assert bridge.request(account, fund, AMOUNT).state != "approved"
        Subscription.objects.create(
            fund=fund, investor=account.investor, signed=["subscription agreement"], updated_at=clock.now()
        )
        assert bridge.request(account, fund, AMOUNT + 1).state == "approved"

    def test_a_fund_under_section_3c1_stops_at_its_owners(self, bridge: World) -> None:
        fund = bridge.fund(seat_limit=None, regime="3c1")
        activate("legal_regime", {"limit_3c1": 2}, fund_id=fund.id)
        accounts = [bridge.account() for _ in range(3)]
        states = [bridge.request(account, fund, AMOUNT).state for account in accounts]
        assert states == ["approved", "approved", "waitlisted"]
        assert bridge.request(accounts[0], fund, AMOUNT + 5).state == "approved"

    def test_the_owners_behind_a_small_share_are_not_counted_once_it_has_its_place(self, bridge: World) -> None:
        fund, feeder = bridge.fund(regime="3c1"), bridge.account()
        activate("legal_regime", {"limit_3c1": 3}, fund_id=fund.id)
        clear(feeder.investor)
        establish(feeder.investor, is_fund=True, look_through_owners=50)
        asked = [(bridge.account(), 10 * AMOUNT), (feeder, AMOUNT // 10), (bridge.account(), AMOUNT)]
        assert [bridge.request(account, fund, amount).state for account, amount in asked] == ["approved"] * 3
        assert bridge.request(feeder, fund, 2 * AMOUNT).state == "waitlisted"  # it would have a large share
        assert bridge.request(bridge.account(), fund, AMOUNT).state == "waitlisted"

    def test_requests_of_one_batch_count_each_other_the_same_way(self, bridge: World) -> None:
        fund, feeder = bridge.fund(regime="3c1"), bridge.account()
        activate("legal_regime", {"limit_3c1": 3}, fund_id=fund.id)
        clear(feeder.investor)
        establish(feeder.investor, is_fund=True, look_through_owners=50)
        amounts = [(bridge.account(), 10 * AMOUNT), (feeder, AMOUNT), (bridge.account(), AMOUNT), (feeder, AMOUNT)]
        results = bridge.requests([(account, fund, amount) for account, amount in amounts])
        assert [getattr(result, "state", "") for result in results] == [*["approved"] * 3, "waitlisted"]

    def test_a_fund_behind_which_nobody_was_found_is_one_owner(self, bridge: World) -> None:
        fund, feeder = bridge.fund(regime="3c1"), bridge.account()
        activate("legal_regime", {"limit_3c1": 1}, fund_id=fund.id)
        clear(feeder.investor)
        establish(feeder.investor, is_fund=True, look_through_owners=0)
        states = [bridge.request(account, fund, AMOUNT).state for account in (bridge.account(), feeder)]
        assert states == ["approved", "waitlisted"]


class TestOverrides:
    def _held(self, bridge: World) -> Any:
        fund = bridge.fund()
        activate("kyc", {"required": True}, fund_id=fund.id)
        return bridge.request(bridge.account(), fund, AMOUNT)

    def test_two_people_set_a_rule_aside_for_one_transfer(self, bridge: World) -> None:
        held = self._held(bridge)
        proposal = Proposal(OVERRIDE, held.id, {"rule": "kyc", "why": "Known client", "evidence": "file 12"})
        asked = approvals.propose(proposal=proposal, actor=MAKER)
        assert isinstance(approvals.approve(changes=[Change(asked.id)], actor=COMPLIANCE)[0], Done)
        row = RuleOverride.objects.get(transfer_id=held.id)
        assert (row.made_by, row.approved_by, row.why) == (MAKER.id, COMPLIANCE.id, "Known client")
        known = facts.gather(account_ids=[held.source_account_id], max_age=900)
        services.approve_transfers(changes=[Change(held.id)], actor=CHECKER, facts=known)
        bridge.run(rounds=8)
        assert bridge.fresh(held).state == "completed"
        with pytest.raises(DatabaseError, match="append_only"), transaction.atomic():
            RuleOverride.objects.update(why="rewritten")

    @pytest.mark.parametrize("actor", [SUPERUSER, MAKER], ids=["superuser", "maker"])
    def test_who_asked_cannot_approve_whatever_the_role(self, bridge: World, actor: Actor) -> None:
        held = self._held(bridge)
        asked = approvals.propose(
            proposal=Proposal(OVERRIDE, held.id, {"rule": "kyc", "why": "Known client"}), actor=MAKER
        )
        refused = code(approvals.approve(changes=[Change(asked.id)], actor=actor)[0])
        assert refused in ("maker_is_checker", "not_allowed")
        assert not RuleOverride.objects.exists()
        assert Event.objects.filter(type="approval.refused", subject_id=held.id).count() == 1

    @pytest.mark.parametrize("rule", ["seats", "sanctions", "source_balance", "no_such_rule"])
    def test_what_must_never_be_set_aside_cannot_be(self, bridge: World, rule: str) -> None:
        held = self._held(bridge)
        with pytest.raises(Exception, match="set aside"):
            approvals.propose(proposal=Proposal(OVERRIDE, held.id, {"rule": rule, "why": "please"}), actor=MAKER)

    def test_one_open_request_per_subject(self, bridge: World) -> None:
        held = self._held(bridge)
        proposal = Proposal(OVERRIDE, held.id, {"rule": "kyc", "why": "Known client"})
        approvals.propose(proposal=proposal, actor=MAKER)
        with pytest.raises(approvals.AlreadyOpen):
            approvals.propose(proposal=proposal, actor=COMPLIANCE)

    def test_nobody_decides_twice(self, bridge: World) -> None:
        held = self._held(bridge)
        asked = approvals.propose(
            proposal=Proposal(OVERRIDE, held.id, {"rule": "kyc", "why": "Known client"}), actor=MAKER
        )
        approvals.reject(changes=[Change(asked.id)], actor=COMPLIANCE)
        assert code(approvals.approve(changes=[Change(asked.id)], actor=COMPLIANCE)[0]) == "approval_closed"
        assert code(approvals.approve(changes=[Change(uuid.uuid4())], actor=COMPLIANCE)[0]) == "not_found"


class TestSanctions:
    def test_a_true_hit_after_the_withdrawal_freezes_and_is_never_refunded(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        clear(account.investor)
        transfer = bridge.request(account, fund, AMOUNT)
        bridge.run(rounds=1, seconds=0)
        establish(account.investor, sanctions="true_hit", sanctions_screened_at=clock.now())
        bridge.run(rounds=10)
        frozen = bridge.fresh(transfer)
        assert (frozen.state, frozen.blocker_code) == ("frozen", "frozen")
        assert balance(owner_id=account.id, kind=Kind.FROZEN, currency="USD") == AMOUNT
        assert FundCapacity.objects.get(fund=fund).seats_taken == 0
        refused = services.refund_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        assert isinstance(refused, list)
        assert code(refused[0]) == "wrong_state"

        asked = approvals.propose(proposal=Proposal(UNFREEZE, transfer.id, {"why": "False match"}), actor=COMPLIANCE)
        assert code(approvals.approve(changes=[Change(asked.id)], actor=COMPLIANCE)[0]) == "maker_is_checker"
        assert isinstance(approvals.approve(changes=[Change(asked.id)], actor=OFFICER)[0], Done)
        assert bridge.fresh(transfer).state == "withdrawn"
        services.refund_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        bridge.run(rounds=8)
        assert bridge.fresh(transfer).state == "refunded"

    def test_a_rejected_deposit_of_a_true_hit_is_frozen_instead_of_refunded(self, bridge: World) -> None:
        bridge.fault(Fault.REJECT, kind="deposit", code="AC04", at_settlement=True)
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        drain()
        bridge.advance(seconds=2)
        bridge.receive()
        drain()
        assert bridge.fresh(transfer).state == "depositing"
        establish(transfer.investor, sanctions="true_hit", sanctions_screened_at=clock.now())
        bridge.run(rounds=8)
        frozen = bridge.fresh(transfer)
        assert (frozen.state, frozen.blocker_message) == ("frozen", MUST_FREEZE)
        assert not transfer.instructions.filter(kind="refund").exists()
        assert balance(owner_id=transfer.source_account_id, kind=Kind.FROZEN, currency="USD") == AMOUNT
        assert FundCapacity.objects.get(fund=transfer.fund).seats_taken == 0

    def test_a_surplus_of_a_true_hit_is_frozen_with_the_rest(self, bridge: World) -> None:
        bridge.fault(Fault.WRONG_AMOUNT, kind="withdrawal", delta=6)
        transfer = bridge.request(bridge.account(), bridge.fund(escrow_minimum=10 * AMOUNT), AMOUNT)
        drain()
        establish(transfer.investor, sanctions="true_hit", sanctions_screened_at=clock.now())
        bridge.run(seconds=400, rounds=8)
        assert set(Transfer.objects.values_list("amount", "state")) == {(AMOUNT, "frozen"), (6, "frozen")}

    def test_a_decision_of_people_refunds_no_true_hit(self, bridge: World) -> None:
        bridge.fault(Fault.REJECT, kind="deposit", code="AC04")
        transfer = bridge.request(bridge.account(), bridge.fund(on_deposit_failure="hold"), AMOUNT)
        bridge.run()
        establish(transfer.investor, sanctions="true_hit", sanctions_screened_at=clock.now())
        assert bridge.fresh(transfer).blocker_code == "deposit_rejected"
        services.refund_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        bridge.run()
        assert bridge.fresh(transfer).state == "frozen"

    def test_what_arrives_for_frozen_money_is_frozen_until_it_is_released_itself(self, bridge: World) -> None:
        """Compliance froze it by hand; then the investor's bank pays a second time."""
        transfer = bridge.request(bridge.account(), bridge.fund(escrow_minimum=10 * AMOUNT), AMOUNT)
        bridge.run()
        services.freeze_transfers(changes=[Change(transfer.id)], actor=COMPLIANCE)
        key = transfer.instructions.get(kind="withdrawal").key
        with bridge.house.lock:
            order = next(one for one in bridge.bank.books.instructions.values() if one.terms.key == key)
            assert bridge.bank.force(order, verb="settle", given={}, now=bridge.bank_time()) is None
        bridge.run()
        child = Transfer.objects.get(split_from=transfer)
        assert (child.amount, child.state, child.blocker_code) == (AMOUNT, "frozen", "frozen")
        asked = approvals.propose(proposal=Proposal(UNFREEZE, child.id, {"why": "A licence"}), actor=COMPLIANCE)
        assert isinstance(approvals.approve(changes=[Change(asked.id)], actor=OFFICER)[0], Done)
        services.refund_transfers(changes=[Change(child.id)], actor=CHECKER)
        bridge.run()
        assert (bridge.fresh(child).state, bridge.fresh(transfer).state) == ("refunded", "frozen")

    def test_a_hit_after_the_release_freezes_again(self, bridge: World) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(escrow_minimum=10 * AMOUNT), AMOUNT)
        bridge.run()
        services.freeze_transfers(changes=[Change(transfer.id)], actor=COMPLIANCE)
        asked = approvals.propose(proposal=Proposal(UNFREEZE, transfer.id, {"why": "False match"}), actor=COMPLIANCE)
        assert isinstance(approvals.approve(changes=[Change(asked.id)], actor=OFFICER)[0], Done)
        bridge.advance(hours=1)
        establish(transfer.investor, sanctions="true_hit", sanctions_screened_at=clock.now())
        services.refund_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        bridge.run()
        assert bridge.fresh(transfer).state == "frozen"

    def test_a_true_hit_before_any_money_moved_rejects(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        establish(account.investor, sanctions="true_hit", sanctions_screened_at=clock.now())
        assert bridge.request(account, fund, AMOUNT).state == "rejected"


class TestEscrow:
    def test_nothing_is_released_before_the_minimum_is_raised(self, bridge: World) -> None:
        fund = bridge.fund(escrow_minimum=2 * AMOUNT)
        first = bridge.request(bridge.account(), fund, AMOUNT)
        bridge.run(rounds=6)
        waiting = bridge.fresh(first)
        assert (waiting.state, waiting.blocker_code) == ("withdrawn", "waiting_for_escrow")
        second = bridge.request(bridge.account(), fund, AMOUNT)
        bridge.run(seconds=400, rounds=8)
        assert {bridge.fresh(first).state, bridge.fresh(second).state} == {"completed"}

    def test_a_surplus_that_goes_back_is_not_raised(self, bridge: World) -> None:
        fund = bridge.fund(escrow_minimum=2 * AMOUNT)
        bridge.fault(Fault.WRONG_AMOUNT, kind="withdrawal", delta=AMOUNT)
        bridge.fault(Fault.REJECT, kind="refund", count=9)
        transfer = bridge.request(bridge.account(), fund, AMOUNT)
        bridge.run(seconds=400, rounds=8)
        found = Transfer.objects.values_list("amount", "state", "blocker_code").order_by("id")
        assert list(found) == [
            (AMOUNT, "withdrawn", "waiting_for_escrow"),
            (AMOUNT, "withdrawn", "refund_rejected"),
        ]
        assert bridge.fresh(transfer).next_step == "deposit"

    def test_what_waits_for_people_is_raised_once_they_send_it_on(self, bridge: World) -> None:
        fund = bridge.fund(escrow_minimum=2 * AMOUNT)
        bridge.fault(Fault.WRONG_AMOUNT, kind="withdrawal", delta=-AMOUNT)
        short = bridge.request(bridge.account(), fund, 2 * AMOUNT)
        bridge.run(rounds=3)
        assert (bridge.fresh(short).amount, bridge.fresh(short).blocker_code) == (AMOUNT, "short_paid")
        other = bridge.request(bridge.account(), fund, AMOUNT)
        bridge.run(seconds=400, rounds=8)
        assert bridge.fresh(other).blocker_code == "waiting_for_escrow"
        services.retry_transfers(changes=[Change(short.id)], actor=CHECKER)
        bridge.run(seconds=400, rounds=8)
        assert {bridge.fresh(short).state, bridge.fresh(other).state} == {"completed"}


class TestBankDetails:
    def test_a_change_takes_two_people_and_is_noticed_by_the_rules(self, bridge: World) -> None:
        account = bridge.account()
        payload = {**sealed_number(account_id=account.id, number="99887766"), "why": "The investor moved banks"}
        asked = approvals.propose(proposal=Proposal(CHANGE_DETAILS, account.id, payload), actor=MAKER)
        assert "99887766" not in str(Approval.objects.values_list("payload", "summary"))
        assert isinstance(approvals.approve(changes=[Change(asked.id)], actor=CHECKER)[0], Done)
        account.refresh_from_db()
        assert (account.number_last4, account.reveal_number()) == ("7766", "99887766")
        assert account.details_changed_at is not None
        assert not Event.objects.filter(data__icontains="99887766").exists()

    @pytest.mark.parametrize(
        ("number", "valid"), [("DE89370400440532013000", True), ("DE89370400440532013001", False), ("99887766", None)]
    )
    def test_the_check_digits_of_an_iban_are_kept_and_asked(
        self, bridge: World, number: str, valid: bool | None
    ) -> None:
        account = bridge.account()
        payload = {**sealed_number(account_id=account.id, number=number), "why": "New bank", "verified": True}
        asked = approvals.propose(proposal=Proposal(CHANGE_DETAILS, account.id, payload), actor=MAKER)
        approvals.approve(changes=[Change(asked.id)], actor=CHECKER)
        account.refresh_from_db()
        assert (account.iban, account.number_valid) == (valid is not None, valid)
        state = bridge.request(account, bridge.fund(), AMOUNT).state
        refused = Verification.objects.latest("id").decisions
        outcome = next(decision["outcome"] for decision in refused if decision["rule"] == "bank_number")
        assert (outcome == "pass") == (valid is not False)
        assert state != "approved"  # the details were changed just now: a person looks in any case


class TestManualOutcomes:
    def _unknown(self, bridge: World) -> Any:
        bridge.fault(Fault.TIMEOUT_BEFORE, kind="withdrawal")
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=1)
        assert bridge.fresh(transfer).blocker_code == "outcome_unknown"
        return transfer

    def test_two_people_decide_that_it_was_never_carried_out(self, bridge: World) -> None:
        transfer = self._unknown(bridge)
        payload = {"outcome": "rejected", "why": "The bank has no trace of it", "evidence": "letter of 20 November"}
        asked = approvals.propose(proposal=Proposal(OUTCOME, transfer.id, payload), actor=MAKER)
        same = Actor(MAKER.id, Role.CHECKER, Channel.ADMIN)
        assert code(approvals.approve(changes=[Change(asked.id)], actor=same)[0]) == "maker_is_checker"
        assert bridge.fresh(transfer).state == "withdrawing"
        assert isinstance(approvals.approve(changes=[Change(asked.id)], actor=CHECKER)[0], Done)
        assert bridge.fresh(transfer).state == "failed"
        assert balance(owner_id=transfer.source_account_id, kind=Kind.CASH, currency="USD") == 0

    def test_what_never_left_the_account_is_no_fee(self, bridge: World) -> None:
        bridge.fault(Fault.TIMEOUT_AFTER)
        bridge.fault(Fault.WRONG_AMOUNT, delta=-5)
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        drain()
        bridge.advance(seconds=5)  # the bank settles, and Bridge has not asked yet
        bridge.house.take_callbacks()
        payload = {"outcome": "settled", "settled_amount": AMOUNT - 5, "fee": 0, "why": "Its record", "evidence": "e"}
        asked = approvals.propose(proposal=Proposal(OUTCOME, transfer.id, payload), actor=MAKER)
        assert isinstance(approvals.approve(changes=[Change(asked.id)], actor=CHECKER)[0], Done)
        withdrawn = bridge.fresh(transfer)
        assert (withdrawn.state, withdrawn.amount) == ("withdrawn", AMOUNT - 5)
        assert balance(owner_id=transfer.source_account_id, kind=Kind.CASH, currency="USD") == 5 - AMOUNT
        bridge.run()  # what the bank says of it in the end is the same
        assert bridge.fresh(transfer).state == "completed"

    def test_what_the_bank_tells_meanwhile_voids_the_request(self, bridge: World) -> None:
        bridge.fault(Fault.TIMEOUT_AFTER, kind="withdrawal")
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        drain()
        payload = {"outcome": "rejected", "why": "No trace", "evidence": "letter"}
        asked = approvals.propose(proposal=Proposal(OUTCOME, transfer.id, payload), actor=MAKER)
        bridge.wait_out("finality")
        bridge.run(rounds=8)
        assert bridge.fresh(transfer).state == "completed"
        assert code(approvals.approve(changes=[Change(asked.id)], actor=CHECKER)[0]) == "approval_void"

    def test_what_was_sent_again_meanwhile_voids_the_request(self, bridge: World) -> None:
        """The bank had no trace of it; now it may have one."""
        transfer = self._unknown(bridge)
        payload = {"outcome": "rejected", "why": "No trace", "evidence": "letter"}
        asked = approvals.propose(proposal=Proposal(OUTCOME, transfer.id, payload), actor=MAKER)
        order = transfer.instructions.get()
        services.resend_instructions(instruction_ids=[order.id], actor=ENGINE)  # it had looked before they were asked
        order.refresh_from_db()
        assert (order.state, order.sends) == ("unknown", 2)
        assert code(approvals.approve(changes=[Change(asked.id)], actor=CHECKER)[0]) == "approval_void"

    @pytest.mark.parametrize(
        "payload",
        [
            {"outcome": "maybe", "why": "w", "evidence": "e"},
            {"outcome": "rejected", "why": "", "evidence": "e"},
            {"outcome": "rejected", "why": "w"},
            {"outcome": "settled", "settled_amount": AMOUNT + 1, "why": "w", "evidence": "e"},
            {"outcome": "settled", "settled_amount": True, "why": "w", "evidence": "e"},
            {"outcome": "settled", "settled_amount": AMOUNT - 5, "fee": 6, "why": "w", "evidence": "e"},
        ],
    )
    def test_an_outcome_without_grounds_is_refused(self, bridge: World, payload: dict[str, Any]) -> None:
        transfer = self._unknown(bridge)
        with pytest.raises(OutcomeMalformed):
            approvals.propose(proposal=Proposal(OUTCOME, transfer.id, payload), actor=MAKER)
