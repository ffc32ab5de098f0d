"""What a second person reads before deciding: whose money, how much in which currency, what changes, and what did."""

from __future__ import annotations

import re
from typing import Any

from django.utils.html import strip_tags

from accounts.compliance import CHANGE_DETAILS, sealed_number
from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.approvals.services import Proposal
from bridge.kernel.results import ENGINE, Change, Done, Refused, Role
from bridge.sandbox.model import Fault
from funds.models import Fund
from funds.rulebook import ACTIVATE, Draft, draft_parameters, edit_draft
from tests.functional.admin.conftest import Console, SignIn
from tests.functional.admin.test_actions import act, item
from tests.functional.admin.test_approvals import DECIDE
from tests.functional.admin.test_pages import list_of, page_of
from tests.world import CHECKER, MAKER, World
from transfers.closing import PlanKind, Terms
from transfers.closing_approvals import kind_of, payload_of
from transfers.closing_overview import plan_closing
from transfers.engine import drain
from transfers.manual_outcomes import OUTCOME
from transfers.models import Transfer
from transfers.money_approvals import TOP_UP
from transfers.services import resend_instructions

AMOUNT = 5_012_345
TOLD = {"why": "Their letter says so.", "evidence": "letter 7"}


def words(page: str) -> str:
    """A page as one reads it."""
    return re.sub(r"\s+", " ", strip_tags(re.sub(r"</(dt|dd|td|div)>", " ", page)))


def shown(console: Console, asked: Approval) -> tuple[str, str]:
    """Its page and the confirmation of its approval."""
    return words(console.get(page_of(asked))), words(console.get(act("approve", DECIDE), item=item(asked)))


def propose(kind: str, subject: Any, payload: dict[str, Any]) -> Approval:
    return approvals.propose(proposal=Proposal(kind, subject.pk, payload), actor=MAKER)


def unknown(bridge: World, **given: Any) -> Transfer:
    """Nobody knows what became of its withdrawal, and the bank has no trace of it."""
    bridge.fault(Fault.TIMEOUT_BEFORE, kind="withdrawal")
    transfer = bridge.request(bridge.account(), bridge.fund(**given), AMOUNT)
    bridge.run(rounds=1)
    assert bridge.fresh(transfer).blocker_code == "outcome_unknown"
    return bridge.fresh(transfer)


class TestOutcomes:
    def test_an_outcome_for_less_says_how_much_less(self, bridge: World, sign_in: SignIn) -> None:
        silent = unknown(bridge)
        asked = propose(OUTCOME, silent, {"outcome": "settled", "settled_amount": 50_123, "fee": 45, **TOLD})
        said = "the withdrawal was settled with USD 501.23 of USD 50,123.45, and the bank kept USD 0.45"
        assert asked.summary == f"Decide that {said}"
        for page in shown(sign_in(Role.CHECKER), asked):
            assert said in page
            assert "settled amount USD 501.23" in page
            assert "fee that the bank kept USD 0.45" in page
            assert "never moved USD 49,621.77" in page
            assert "minor units" not in page
            assert "50123" not in page

    def test_what_is_not_said_to_be_a_fee_is_told_as_one(self, bridge: World) -> None:
        asked = propose(OUTCOME, unknown(bridge), {"outcome": "settled", "settled_amount": 50_123, **TOLD})
        assert asked.summary.endswith("with USD 501.23 of USD 50,123.45, and the bank kept USD 49,622.22")

    def test_all_of_it_or_nothing_is_said_as_before(self, bridge: World) -> None:
        asked = propose(OUTCOME, unknown(bridge), {"outcome": "rejected", **TOLD})
        assert asked.summary == "Decide that the withdrawal of USD 50,123.45 was rejected"

    def test_nothing_is_sent_again_while_two_people_decide(self, bridge: World) -> None:
        silent = unknown(bridge)
        asked = propose(OUTCOME, silent, {"outcome": "rejected", **TOLD})
        bridge.wait_out("finality")
        drain()
        assert silent.instructions.get().sends == 1
        (result,) = approvals.approve(changes=[Change(asked.id)], actor=CHECKER)
        assert isinstance(result, Done)
        assert bridge.fresh(silent).state == "failed"

    def test_it_is_sent_again_once_they_decided_against_it(self, bridge: World) -> None:
        silent = unknown(bridge)
        asked = propose(OUTCOME, silent, {"outcome": "rejected", **TOLD})
        bridge.wait_out("finality")
        drain()
        approvals.reject(changes=[Change(asked.id, reason="Wait for the bank.")], actor=CHECKER)
        bridge.run(rounds=8, seconds=60)
        assert silent.instructions.get(kind="withdrawal").sends == 2
        assert bridge.fresh(silent).state == "completed"

    def test_a_void_request_says_what_changed(self, bridge: World, sign_in: SignIn) -> None:
        silent = unknown(bridge)
        asked = propose(OUTCOME, silent, {"outcome": "rejected", **TOLD})
        order = silent.instructions.get()
        resend_instructions(instruction_ids=[order.pk], actor=ENGINE)  # it had looked before they were asked
        told = sign_in(Role.CHECKER).post(act("approve", DECIDE), {"item": item(asked)})
        assert "changed since: times sent was 1 and is 2." in told
        asked.refresh_from_db()
        assert (asked.state, asked.decision_reason) == ("void", "Changed since: times sent was 1 and is 2.")


class TestReviews:
    def test_a_review_names_who_pays_which_fund(self, bridge: World, sign_in: SignIn) -> None:
        account, fund = bridge.account(), bridge.fund(second_person_above=1)
        transfer = bridge.request(account, fund, AMOUNT)
        asked = Approval.objects.get(subject_id=transfer.pk)
        parties = f"{account.investor.legal_name} ···{account.number_last4} → {fund.name}"
        assert asked.summary == f"USD 50,123.45 of {parties}: {transfer.blocker_message}"
        checker = sign_in(Role.CHECKER)
        assert parties in checker.get(list_of(Approval))
        for page in shown(checker, asked):
            assert f"investor {account.investor.legal_name}" in page
            assert f"account {account} at Meridian" in page
            assert f"fund {fund.name}" in page
            assert "amount USD 50,123.45" in page
            assert "nothing more than the summary says" not in page

    def test_a_review_that_comes_later_names_them_too(self, bridge: World, sign_in: SignIn) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        sign_in(Role.MAKER).post(act("hold"), {"item": item(transfer), "reason": "Look at it."})
        asked = Approval.objects.get(subject_id=transfer.pk)
        assert f"of {transfer.investor.legal_name} ···" in asked.summary
        assert f"→ {transfer.fund.name}: Look at it." in asked.summary

    def test_reviews_may_be_approved_together(self, bridge: World, sign_in: SignIn) -> None:
        rows = [bridge.request(bridge.account(), bridge.fund(second_person_above=1), AMOUNT) for _ in range(2)]
        asked = list(Approval.objects.filter(subject_id__in=[row.pk for row in rows]))
        checker = sign_in(Role.CHECKER)
        told = words(checker.post(list_of(Approval), {"action": "approve", "_selected_action": [a.pk for a in asked]}))
        assert all(row.fund.name in told and row.investor.legal_name in told for row in rows)
        checker.post(act("approve", DECIDE), {"item": [item(each) for each in asked]})
        assert {bridge.fresh(row).state for row in rows} == {"approved"}

    def test_other_kinds_are_approved_one_by_one(self, bridge: World, sign_in: SignIn) -> None:
        review = bridge.request(bridge.account(), bridge.fund(second_person_above=1), AMOUNT)
        details = propose(CHANGE_DETAILS, bridge.account(), {"owner_name": "Another", "why": "Moved."})
        asked = [Approval.objects.get(subject_id=review.pk), details]
        checker = sign_in(Role.CHECKER)
        for url, data in (
            (list_of(Approval), {"action": "approve", "_selected_action": [each.pk for each in asked]}),
            (act("approve", DECIDE), {"item": [item(each) for each in asked]}),
        ):
            told = checker.post(url, data)
            assert "Approve each of these by itself" in told
            assert "only transfer: review may be approved together" in told
            assert "account: change details" in told
        assert set(Approval.objects.values_list("state", flat=True)) == {"open"}
        reason = {"item": [item(each) for each in asked], "reason": "Not these."}
        checker.post(act("reject", DECIDE), reason)
        assert set(Approval.objects.values_list("state", flat=True)) == {"rejected"}


class TestBankDetails:
    def test_they_name_the_investor_and_explain_the_number(self, bridge: World, sign_in: SignIn) -> None:
        account = bridge.account()
        number = sealed_number(account_id=account.pk, number="99887777")
        payload = {**number, "owner_name": "Ada", "verified": False, "why": "Moved banks."}
        asked = propose(CHANGE_DETAILS, account, payload)
        name = account.investor.legal_name
        assert asked.summary == f"Change the bank details of {name}: {account} at Meridian (USD) to ···7777"
        for page in shown(sign_in(Role.CHECKER), asked):
            assert f"investor {name}" in page
            assert "new account number ···7777" in page
            assert "its check digits cannot be checked" in page
            assert "owner name none → Ada" in page
            assert "verified with the institution no: until they are" in page
            assert "iban no" not in page
            assert "number valid" not in page

    def test_an_iban_says_that_its_check_digits_are_right(self, bridge: World, sign_in: SignIn) -> None:
        account = bridge.account(currency="EUR")
        number = sealed_number(account_id=account.pk, number="DE89370400440532013000")
        asked = propose(CHANGE_DETAILS, account, {**number, "verified": True, "why": "Moved banks."})
        for page in shown(sign_in(Role.CHECKER), asked):
            assert "its check digits right" in page
            assert "verified with the institution yes" in page


class TestRules:
    def test_the_confirmation_shows_old_and_new_values(self, bridge: World, sign_in: SignIn) -> None:
        fund, checker = bridge.fund(), sign_in(Role.CHECKER)
        first = draft_parameters(draft=Draft("velocity", {"max_count_day": 9}), actor=MAKER)
        approvals.approve(changes=[Change(propose(ACTIVATE, first, {}).pk)], actor=CHECKER)
        values = {"max_sum_day": 5_000_000, "max_count_week": 4}
        draft = draft_parameters(draft=Draft("velocity", values, fund_id=fund.pk), actor=MAKER)
        asked = propose(ACTIVATE, draft, {})
        for page in shown(checker, asked):
            assert "max sum day no limit → USD 50,000.00: sum of transfers" in page
            assert "max count week no limit → 4: transfers in 7 days" in page
            assert "max count day 9 → no limit (the default, because it is left out)" in page
            assert "max_sum_day" not in page
            assert f"effective from {draft.effective_from:%d %b %Y %H:%M} UTC" in page
        for url in (page_of(asked), f"{act('approve', DECIDE)}?item={item(asked)}"):
            link = f"/admin/funds/ruleparameters/replay/?draft={draft.pk}"
            assert f'href="{link}"' in checker.get(url)
        assert "Replay" in checker.get(link)

    def test_an_amount_for_all_funds_says_that_it_is_in_the_transfers_currency(
        self, bridge: World, sign_in: SignIn
    ) -> None:
        draft = draft_parameters(draft=Draft("velocity", {"max_sum_day": 5_000_000}), actor=MAKER)
        asked = propose(ACTIVATE, draft, {})
        said = "5,000,000 minor units of the transfer's currency (as USD 50,000.00)"
        assert said.replace("'", "&#x27;") in shown(sign_in(Role.CHECKER), asked)[1]

    def test_a_draft_that_was_edited_says_so(self, bridge: World) -> None:
        draft = draft_parameters(draft=Draft("velocity", {"max_count_day": 3}), actor=MAKER)
        asked = propose(ACTIVATE, draft, {})
        edit_draft(change=Change(draft.pk), draft=Draft("velocity", {"max_count_day": 4}), actor=MAKER)
        (result,) = approvals.approve(changes=[Change(asked.pk)], actor=CHECKER)
        assert isinstance(result, Refused)
        assert "values was max count day = 3 and is max count day = 4" in result.error.detail


class TestMoney:
    def test_a_plan_shows_its_target_as_money_and_not_its_hash(self, bridge: World, sign_in: SignIn) -> None:
        fund = bridge.fund()
        bridge.request(bridge.account(), fund, 200_000)
        Fund.objects.filter(pk=fund.pk).update(status=Fund.Status.CLOSING)
        terms = Terms.of({"target": 150_000, "method": "pro-rata"}, kind=PlanKind.CUT_BACK)
        plan = plan_closing(fund_id=fund.pk, terms=terms)
        asked = propose(kind_of(PlanKind.CUT_BACK), fund, payload_of(terms, plan.hash))
        for page in shown(sign_in(Role.CHECKER), asked):
            assert "target USD 1,500.00" in page
            assert "minor units" not in page
            assert plan.hash not in page

    def test_what_is_missing_is_money_too(self, bridge: World, sign_in: SignIn) -> None:
        bridge.fault(Fault.WRONG_AMOUNT, delta=-200_000, kind="withdrawal")
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run()
        short = bridge.fresh(transfer)
        assert short.blocker_code == "short_paid"
        asked = propose(TOP_UP, short, {"amount": 200_000, "why": "Ours."})
        for page in shown(sign_in(Role.CHECKER), asked):
            assert "amount USD 2,000.00" in page
            assert "missing USD 2,000.00" in page
            assert "minor units" not in page


class TestSmallPrint:
    def test_hash_and_version_come_last(self, bridge: World, sign_in: SignIn) -> None:
        draft = draft_parameters(draft=Draft("velocity", {"max_count_day": 3}), actor=MAKER)
        asked = propose(ACTIVATE, draft, {})
        page = words(sign_in(Role.CHECKER).get(page_of(asked)))
        end = page.index(asked.bound_hash)
        assert page.lower().rindex("asked by") < page.lower().rindex("decided by") < end
        assert f"{asked.bound_hash}, version 1" in page
