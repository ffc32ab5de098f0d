"""The queue of decisions: who sees what is asked, who may decide, and why the others may not."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.compliance import NUMBER_FIELDS, record_compliance
from accounts.models import ComplianceProfile, InvestorAccount
from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.approvals.services import Proposal
from bridge.events.models import Event
from bridge.kernel import clock
from bridge.kernel.results import Actor, Change, Channel, Role
from bridge.sandbox.model import Fault
from funds.models import RuleOverride, Subscription
from funds.rulebook import ACTIVATE, Draft, draft_parameters
from tests.functional.admin.conftest import Console, SignIn
from tests.functional.admin.test_actions import act, item
from tests.functional.admin.test_pages import list_of, page_of
from tests.world import CHECKER, MAKER, World
from transfers.models import Transfer

AMOUNT = 1_000_000
DECIDE = "approvals_approval"


def as_actor(console: Console, role: Role) -> Actor:
    return Actor(str(console.user.pk), role, Channel.ADMIN)


def asked_by(console: Console) -> Approval:
    """A request to activate a draft."""
    actor = as_actor(console, Role.MAKER)
    draft = draft_parameters(draft=Draft("velocity", {"max_count_day": 3}), actor=actor)
    return approvals.propose(proposal=Proposal(ACTIVATE, draft.pk, {}, "Too many at once."), actor=actor)


def held_by_kyc(bridge: World) -> Transfer:
    fund = bridge.fund()
    row = draft_parameters(draft=Draft("kyc", {"required": True}, fund_id=fund.id), actor=MAKER)
    request = approvals.propose(proposal=Proposal(ACTIVATE, row.id), actor=MAKER)
    approvals.approve(changes=[Change(request.id)], actor=CHECKER)
    return bridge.request(bridge.account(), fund, AMOUNT)


class TestQueue:
    def test_open_requests_come_first_and_decided_ones_on_demand(self, bridge: World, sign_in: SignIn) -> None:
        maker, checker = sign_in(Role.MAKER), sign_in(Role.CHECKER)
        asked = asked_by(maker)
        assert asked.summary in checker.get(list_of(Approval))
        assert asked.summary in checker.get(list_of(Approval), queue="me")
        assert asked.summary not in maker.get(list_of(Approval), queue="me")
        assert asked.summary in maker.get(list_of(Approval), queue="asked")
        checker.post(act("approve", DECIDE), {"item": item(asked)})
        assert asked.summary not in checker.get(list_of(Approval))
        assert asked.summary in checker.get(list_of(Approval), queue="all")

    def test_the_first_page_counts_what_i_may_decide(self, bridge: World, sign_in: SignIn) -> None:
        maker, checker = sign_in(Role.MAKER), sign_in(Role.CHECKER)
        assert "nobody waits for your decision" in checker.get("/admin/")
        asked_by(maker)
        assert "somebody asked, you may decide" in checker.get("/admin/")
        assert "nobody waits for your decision" in maker.get("/admin/")

    @pytest.mark.parametrize("role", [Role.MAKER, Role.CHECKER, Role.COMPLIANCE, Role.AUDITOR])
    def test_everybody_of_the_firm_reads_a_request(self, bridge: World, sign_in: SignIn, role: Role) -> None:
        asked = asked_by(sign_in(Role.MAKER))
        page = sign_in(role).get(page_of(asked))
        assert asked.bound_hash in page
        assert "Too many at once." in page
        assert "max count day" in page or "max_count_day = 3" in page

    def test_staff_without_a_role_see_nothing(self, bridge: World, sign_in: SignIn) -> None:
        asked = asked_by(sign_in(Role.MAKER))
        nobody = sign_in(is_staff=True)
        assert nobody.status(list_of(Approval)) == 403
        assert nobody.status(page_of(asked)) == 403


class TestDeciding:
    def test_a_checker_approves_and_it_is_carried_out(self, bridge: World, sign_in: SignIn) -> None:
        asked, checker = asked_by(sign_in(Role.MAKER)), sign_in(Role.CHECKER)
        assert act("approve", DECIDE) in checker.get(page_of(asked))
        told = checker.post(act("approve", DECIDE), {"item": item(asked), "reason": "Agreed."})
        assert "Approved." in told
        asked.refresh_from_db()
        assert (asked.state, asked.checker, asked.decision_reason) == ("approved", str(checker.user.pk), "Agreed.")

    def test_a_rejection_needs_a_reason(self, bridge: World, sign_in: SignIn) -> None:
        asked, checker = asked_by(sign_in(Role.MAKER)), sign_in(Role.CHECKER)
        assert "This field is required" in checker.post(act("reject", DECIDE), {"item": item(asked)})
        checker.post(act("reject", DECIDE), {"item": item(asked), "reason": "Three is too few."})
        asked.refresh_from_db()
        assert (asked.state, asked.decision_reason) == ("rejected", "Three is too few.")

    def test_a_stale_version_decides_nothing(self, bridge: World, sign_in: SignIn) -> None:
        asked = asked_by(sign_in(Role.MAKER))
        told = sign_in(Role.CHECKER).post(act("approve", DECIDE), {"item": item(asked, 7)})
        assert "Nothing was changed." in told
        asked.refresh_from_db()
        assert asked.state == "open"

    @pytest.mark.parametrize("superuser", [False, True])
    def test_the_maker_is_told_why_he_cannot_decide(self, bridge: World, sign_in: SignIn, superuser: bool) -> None:
        both = sign_in(Role.MAKER, Role.CHECKER, Role.COMPLIANCE, is_superuser=superuser)
        asked = asked_by(both)
        page = both.get(page_of(asked))
        assert "You asked for this yourself" in page
        assert act("approve", DECIDE) not in page
        told = both.post(act("approve", DECIDE), {"item": item(asked)})
        assert "somebody else must decide" in told
        asked.refresh_from_db()
        assert asked.state == "open"

    def test_a_superuser_without_a_role_decides_nothing(
        self, bridge: World, sign_in: SignIn, superuser: Console
    ) -> None:
        asked = asked_by(sign_in(Role.MAKER))
        page = superuser.get(page_of(asked))
        assert "Being a superuser is no role" in page
        assert act("approve", DECIDE) not in page
        assert superuser.client.post(act("approve", DECIDE), {"item": item(asked)}).status_code == 403

    def test_the_maker_takes_it_back_and_nobody_else_can(self, bridge: World, sign_in: SignIn) -> None:
        maker, checker = sign_in(Role.MAKER), sign_in(Role.CHECKER)
        asked = asked_by(maker)
        assert act("withdraw", DECIDE) not in checker.get(page_of(asked))
        assert "Only the one who asked" in checker.post(act("withdraw", DECIDE), {"item": item(asked)})
        assert act("withdraw", DECIDE) in maker.get(page_of(asked))
        maker.post(act("withdraw", DECIDE), {"item": item(asked)})
        asked.refresh_from_db()
        assert asked.state == "withdrawn"

    def test_somebody_with_two_roles_acts_in_the_one_that_is_needed(self, bridge: World, sign_in: SignIn) -> None:
        held = held_by_kyc(bridge)
        payload = {"rule": "kyc", "why": "Known client"}
        asked = approvals.propose(proposal=Proposal("transfer.override", held.pk, payload), actor=MAKER)
        both = sign_in(Role.CHECKER, Role.COMPLIANCE)
        assert "Approved." in both.post(act("approve", DECIDE), {"item": item(asked)})
        assert RuleOverride.objects.get().checker_role == "compliance"


class TestTransfers:
    def test_a_rule_in_the_way_is_set_aside_by_two_people(self, bridge: World, sign_in: SignIn) -> None:
        held = held_by_kyc(bridge)
        maker, officer = sign_in(Role.MAKER), sign_in(Role.COMPLIANCE)
        asking = maker.get(act("aside"), item=item(held))
        assert 'value="kyc"' in asking
        assert 'value="sanctions"' not in asking
        form = {"item": item(held), "rule": "kyc", "why": "Known client", "evidence": "file 12", "days": "10"}
        assert "a second person decides" in maker.post(act("aside"), form)
        asked = Approval.objects.get(kind="transfer.override")
        assert act("approve", DECIDE) not in sign_in(Role.CHECKER).get(page_of(asked))
        officer.post(act("approve", DECIDE), {"item": item(asked)})
        row = RuleOverride.objects.get(transfer_id=held.pk)
        assert (row.rule, row.why, row.evidence) == ("kyc", "Known client", "file 12")

    def test_a_rule_that_is_not_in_the_way_cannot_be_chosen(self, bridge: World, sign_in: SignIn) -> None:
        held = held_by_kyc(bridge)
        form = {"item": item(held), "rule": "sanctions", "why": "please", "days": "10"}
        assert "Select a valid choice" in sign_in(Role.MAKER).post(act("aside"), form)
        assert not Approval.objects.filter(kind="transfer.override").exists()

    def test_an_outcome_that_no_bank_tells_is_decided_by_two_people(self, bridge: World, sign_in: SignIn) -> None:
        bridge.fault(Fault.TIMEOUT_BEFORE, kind="withdrawal")
        silent = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=1)
        silent = bridge.fresh(silent)
        maker, checker = sign_in(Role.MAKER), sign_in(Role.CHECKER)
        form = {"item": item(silent), "outcome": "rejected", "why": "No trace at the bank", "evidence": "letter 7"}
        assert "a second person decides" in maker.post(act("outcome"), form)
        asked = Approval.objects.get(kind="transfer.outcome")
        assert silent.public_id in checker.get(page_of(asked))
        checker.post(act("approve", DECIDE), {"item": item(asked)})
        assert bridge.fresh(silent).state == "failed"

    def test_a_stale_transfer_is_not_exempted(self, bridge: World, sign_in: SignIn) -> None:
        held = held_by_kyc(bridge)
        form = {"item": item(held, held.version + 3), "rule": "kyc", "why": "Known client", "days": "10"}
        assert "Nothing was changed." in sign_in(Role.MAKER).post(act("aside"), form)
        assert not Approval.objects.filter(kind="transfer.override").exists()

    def test_compliance_freezes_and_two_of_it_release(self, bridge: World, sign_in: SignIn) -> None:
        from bridge.sandbox.model import Fault
        from tests.world import HARBOR

        bridge.fault(Fault.REJECT, institution=HARBOR)
        transfer = bridge.request(bridge.account(), bridge.fund(on_deposit_failure="hold"), AMOUNT)
        bridge.run()
        blocked = bridge.fresh(transfer)
        assert blocked.state == "withdrawn"
        maker, officer, other = sign_in(Role.MAKER), sign_in(Role.COMPLIANCE), sign_in(Role.COMPLIANCE)
        assert maker.client.post(act("freeze"), {"item": item(blocked)}).status_code == 403
        officer.post(act("freeze"), {"item": item(blocked), "reason": "A true hit."})
        frozen = bridge.fresh(transfer)
        assert frozen.state == "frozen"
        officer.post(act("unfreeze"), {"item": item(frozen), "why": "It is no match."})
        asked = Approval.objects.get(kind="transfer.unfreeze")
        assert "somebody else must decide" in officer.post(act("approve", DECIDE), {"item": item(asked)})
        other.post(act("approve", DECIDE), {"item": item(asked)})
        assert bridge.fresh(transfer).state == "withdrawn"

    def test_the_review_queue_says_why_each_one_waits(self, bridge: World, sign_in: SignIn) -> None:
        held = held_by_kyc(bridge)
        assert held.blocker_message[:40] in sign_in(Role.CHECKER).get(list_of(Transfer), state="in_review")


class TestBankDetails:
    def test_a_change_is_asked_for_and_shows_no_number(self, bridge: World, sign_in: SignIn) -> None:
        account = bridge.account()
        maker, checker = sign_in(Role.MAKER), sign_in(Role.CHECKER)
        form = {"item": item(account), "account_number": "99887766", "routing_number": account.routing_number}
        form |= {"owner_name": "", "why": "The investor moved banks."}
        told = maker.post(act("details", "accounts_investoraccount"), form)
        assert "a second person decides" in told
        asked = Approval.objects.get(kind="account.change_details")
        assert set(asked.payload) == {"why", "verified", *NUMBER_FIELDS}
        account.refresh_from_db()
        before = account.number_index
        for page in (checker.get(page_of(asked)), checker.get(act("approve", DECIDE), item=item(asked))):
            assert "···7766" in page
            secrets = ("99887766", asked.payload["number_sealed"], asked.payload["number_index"], before)
            assert not [secret for secret in secrets if secret in page]
        checker.post(act("approve", DECIDE), {"item": item(asked)})
        assert InvestorAccount.objects.get(pk=account.pk).reveal_number() == "99887766"

    def test_nothing_to_change_is_no_request(self, bridge: World, sign_in: SignIn) -> None:
        account = bridge.account()
        form = {"item": item(account), "routing_number": account.routing_number, "owner_name": "", "why": "no reason"}
        told = sign_in(Role.MAKER).post(act("details", "accounts_investoraccount"), form)
        assert "Nothing differs" in told
        assert not Approval.objects.exists()


def compliance_form(investor: Any, **given: Any) -> dict[str, Any]:
    profile = ComplianceProfile.objects.filter(pk=investor.pk).first()
    return {"item": item(investor), "seen_version": profile.version if profile else 0, "reason": "Annual.", **given}


class TestCompliance:
    def test_compliance_records_what_it_established(self, bridge: World, sign_in: SignIn) -> None:
        investor, officer = bridge.investor(), sign_in(Role.COMPLIANCE)
        assert "Nothing is established" in officer.get(page_of(investor))
        form = compliance_form(investor, kyc="verified", kyc_verified_at="2026-01-05T10:00", accredited="True")
        assert "Recorded." in officer.post(act("compliance", "accounts_investor"), form)
        row = ComplianceProfile.objects.get(pk=investor.pk)
        assert (row.kyc, row.accredited, row.qualified_purchaser, row.version) == ("verified", True, None, 1)
        event = Event.objects.get(subject_id=investor.pk, type="compliance.recorded")
        assert event.data["reason"] == "Annual."
        assert "verified" in officer.get(page_of(investor))

    def test_a_profile_that_somebody_else_changed_is_refused(self, bridge: World, sign_in: SignIn) -> None:
        investor, officer = bridge.investor(), sign_in(Role.COMPLIANCE)
        form = compliance_form(investor, kyc="pending")
        record_compliance(
            change=Change(investor.pk),
            values={"kyc": "refused"},
            actor=Actor("x", Role.COMPLIANCE, Channel.ADMIN),
        )
        told = officer.post(act("compliance", "accounts_investor"), form)
        assert "Nothing was changed." in told
        assert "Annual." in told
        assert "A form opened now says: refused." in told
        assert 'name="seen_version" value="1"' in told
        assert ComplianceProfile.objects.get(pk=investor.pk).kyc == "refused"

    def test_a_moment_that_nobody_touched_keeps_its_seconds(self, bridge: World, sign_in: SignIn) -> None:
        investor, moment = bridge.investor(), clock.now()
        officer = sign_in(Role.COMPLIANCE)
        record_compliance(
            change=Change(investor.pk),
            values={"kyc": "verified", "kyc_verified_at": moment},
            actor=as_actor(officer, Role.COMPLIANCE),
        )
        shown = f"{moment:%Y-%m-%dT%H:%M}"
        form = compliance_form(investor, kyc="verified", kyc_verified_at=shown, accredited="True")
        officer.post(act("compliance", "accounts_investor"), form)
        assert ComplianceProfile.objects.get(pk=investor.pk).kyc_verified_at == moment

    @pytest.mark.parametrize("role", [Role.MAKER, Role.CHECKER, Role.AUDITOR])
    def test_other_roles_read_and_do_not_record(self, bridge: World, sign_in: SignIn, role: Role) -> None:
        investor, console = bridge.investor(), sign_in(role)
        assert act("compliance", "accounts_investor") not in console.get(page_of(investor))
        url = act("compliance", "accounts_investor")
        assert console.client.post(url, compliance_form(investor, kyc="verified")).status_code == 403

    def test_papers_are_recorded_with_an_event_and_edited(self, bridge: World, sign_in: SignIn) -> None:
        fund, investor = bridge.fund(required_documents=("agreement", "tax form")), bridge.investor()
        officer = sign_in(Role.COMPLIANCE)
        form = {"item": item(fund), "investor": investor.legal_name, "signed": ["agreement"], "reason": "On paper."}
        assert "Papers recorded." in officer.post(act("papers", "funds_fund"), form)
        row = Subscription.objects.get(fund=fund, investor=investor)
        assert (row.signed, row.version) == (["agreement"], 1)
        assert "not signed: tax form" in officer.get(page_of(row))
        assert "There are papers on file" in officer.post(act("papers", "funds_fund"), form)
        edit = {"item": item(row), "signed": ["agreement", "tax form"], "counsel_weight": "4"}
        assert "Say which counsel" in officer.post(act("edit", "funds_subscription"), edit)
        officer.post(act("edit", "funds_subscription"), {**edit, "counsel_note": "Opinion of 3 March."})
        row.refresh_from_db()
        assert (row.signed, row.counsel_weight, row.version) == (["agreement", "tax form"], 4, 2)
        assert Event.objects.filter(subject_id=row.pk, type="subscription.recorded").count() == 2
        assert sign_in(Role.MAKER).client.post(act("edit", "funds_subscription"), edit).status_code == 403
