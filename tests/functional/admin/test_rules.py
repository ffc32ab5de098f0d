"""The rule editor: what is in force, drafts by typed fields, activation by two people, replay before it."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.approvals.services import Proposal
from bridge.kernel import clock
from bridge.kernel.results import Change, Role
from funds.admin import replay
from funds.models import RuleParameters
from funds.rulebook import ACTIVATE, Draft, draft_parameters
from funds.rules.catalogue import RULES
from tests.functional.admin.conftest import SignIn
from tests.functional.admin.test_actions import act, item
from tests.functional.admin.test_pages import page_of
from tests.world import CHECKER, MAKER, World

AMOUNT = 1_000_000


def rules() -> str:
    return reverse("admin:funds_rule_list")


def rule(name: str) -> str:
    return reverse("admin:funds_rule_page", args=[name])


def drafting(name: str) -> str:
    return reverse("admin:funds_rule_draft", args=[name])


def activate(name: str, values: dict[str, Any], **given: Any) -> RuleParameters:
    row = draft_parameters(draft=Draft(name, values, **given), actor=MAKER)
    asked = approvals.propose(proposal=Proposal(ACTIVATE, row.id), actor=MAKER)
    approvals.approve(changes=[Change(asked.id)], actor=CHECKER)
    return row


class TestReading:
    @pytest.mark.parametrize("role", [Role.MAKER, Role.CHECKER, Role.COMPLIANCE, Role.AUDITOR])
    def test_every_rule_has_its_page(self, bridge: World, sign_in: SignIn, role: Role) -> None:
        console = sign_in(role)
        page = console.get(rules())
        for known in RULES:
            assert rule(known.id) in page
        assert console.status(rule("velocity")) == 200
        assert (drafting("velocity") in console.get(rule("velocity"))) == (role != Role.AUDITOR)

    def test_all_rules_pages_open(self, bridge: World, sign_in: SignIn) -> None:
        console = sign_in(Role.COMPLIANCE)
        for known in RULES:
            assert known.asks.split("'")[0] in console.get(rule(known.id))
            assert console.status(drafting(known.id)) == 200
        assert console.status(rule("no_such_rule")) == 404

    def test_staff_without_a_role_see_no_rule(self, sign_in: SignIn) -> None:
        console = sign_in(is_staff=True)
        for url in (rules(), rule("velocity"), drafting("velocity"), reverse("admin:funds_rule_replay")):
            assert console.status(url) == 403

    def test_the_timeline_shows_past_present_and_plans(self, bridge: World, sign_in: SignIn) -> None:
        fund = bridge.fund(name="Cedar Ridge")
        activate("velocity", {"max_count_day": 3})
        bridge.advance(days=2)
        activate("velocity", {"max_count_day": 5})
        activate("velocity", {"max_count_day": 9}, effective_from=clock.now() + timedelta(days=7))
        activate("velocity", {"max_count_day": 2}, fund_id=fund.id)
        page = sign_in(Role.AUDITOR).get(rule("velocity"))
        for tone in ("past", "now", "planned"):
            assert f"bridge-span--{tone}" in page
        assert "Cedar Ridge" in page
        assert "max count day = 9" in page


class TestDrafting:
    def test_a_draft_is_kept_with_typed_values(self, bridge: World, sign_in: SignIn) -> None:
        fund, maker = bridge.fund(), sign_in(Role.MAKER)
        form = {"fund": str(fund.pk), "value_max_count_day": "3", "note": "Too many at once."}
        assert "Nothing changes before it is activated" in maker.post(drafting("velocity"), form)
        row = RuleParameters.objects.get()
        assert (row.state, row.fund_id, row.values) == ("draft", fund.pk, {"max_count_day": 3})
        assert row.made_by == str(maker.user.pk)

    def test_what_the_rule_refuses_is_said_beside_the_field(self, bridge: World, sign_in: SignIn) -> None:
        maker = sign_in(Role.MAKER)
        assert "must be a time as HH:MM" in maker.post(drafting("rail_cut_off"), {"value_cut_off_ach": "soon"})
        assert "greater than or equal to 0" in maker.post(drafting("velocity"), {"value_max_count_day": "-1"})
        begins = {"effective_from": "2026-05-02T10:00", "effective_to": "2026-05-01T10:00"}
        assert "must end after it begins" in maker.post(drafting("velocity"), begins)
        assert not RuleParameters.objects.exists()

    def test_an_empty_draft_is_refused_in_words(self, bridge: World, sign_in: SignIn) -> None:
        maker = sign_in(Role.MAKER)
        assert "are in force for all funds already" in maker.post(drafting("velocity"), {"note": "Nothing in it."})
        assert not RuleParameters.objects.exists()

    def test_a_rule_without_parameters_offers_no_draft(self, bridge: World, sign_in: SignIn) -> None:
        maker = sign_in(Role.MAKER)
        assert drafting("second_person") not in maker.get(rule("second_person"))
        page = maker.get(drafting("second_person"))
        assert "there is nothing to draft" in page
        assert "Keep the draft" not in page
        maker.post(drafting("second_person"), {"note": "All the same."})
        assert not RuleParameters.objects.exists()

    def test_what_a_draft_leaves_empty_is_said_to_go_back(self, bridge: World, sign_in: SignIn) -> None:
        activate("rail_limit", {"limit_rtp": 250_000_00, "limit_fednow": 250_000_00})
        maker = sign_in(Role.MAKER)
        assert "Parameters in force" in maker.get(drafting("rail_limit"))
        maker.post(drafting("rail_limit"), {"value_limit_rtp": "300,000.00"})
        row = RuleParameters.objects.get(state="draft")
        page = maker.get(page_of(row))
        assert "1 value that this draft leaves empty would go back to the default." in page
        for told in ("USD 250,000.00", "<strong>USD 300,000.00</strong>", "<strong>USD 10,000,000.00</strong>"):
            assert told in page
        assert page.count("left empty: back to the default") == 1
        asked = maker.get(act("activate", "funds_ruleparameters"), item=item(row))
        assert "limit fednow: USD 250,000.00 → USD 10,000,000.00, the default" in asked

    def test_all_values_are_set_back_deliberately(self, bridge: World, sign_in: SignIn) -> None:
        activate("velocity", {"max_count_day": 3})
        maker = sign_in(Role.MAKER)
        page = maker.post(drafting("velocity"), {"note": "No limits any more."})
        assert "Nothing changes before it is activated" in page
        assert "<strong>no limit</strong>" in page

    def test_amounts_with_a_currency_are_written_as_people_write_them(self, bridge: World, sign_in: SignIn) -> None:
        maker = sign_in(Role.MAKER)
        page = maker.get(drafting("rail_limit"))
        assert "Default: USD 1,000,000.00." in page
        assert "In USD, such as 25,000.00." in page
        assert "Write an amount in USD" in maker.post(drafting("rail_limit"), {"value_limit_rtp": "much"})
        maker.post(drafting("rail_limit"), {"value_limit_rtp": "250,000.00"})
        row = RuleParameters.objects.get()
        assert row.values == {"limit_rtp": 250_000_00}
        assert "limit rtp = USD 250,000.00" in maker.get(page_of(row))
        assert "limit rtp = USD 250,000.00" in maker.get(rule("rail_limit"))
        assert 'value="250,000.00"' in maker.get(reverse("admin:funds_rule_edit", args=[row.pk]))

    def test_an_amount_is_read_in_the_currency_that_stands_beside_it(self, bridge: World, sign_in: SignIn) -> None:
        maker, beside = sign_in(Role.MAKER), "value_venture_threshold_currency"
        url, form = drafting("legal_regime"), {"value_venture_threshold": "13,000,000"}
        assert "Name a currency of ISO 4217" in maker.post(url, {**form, beside: "odd"})
        assert not RuleParameters.objects.exists()
        for code, kept in (("", 13_000_000_00), ("JPY", 13_000_000)):
            maker.post(url, {**form, beside: code})
            assert RuleParameters.objects.latest("number").values["venture_threshold"] == kept

    def test_sums_without_a_currency_say_in_which_units_they_are(self, bridge: World, sign_in: SignIn) -> None:
        row = activate("velocity", {"max_sum_day": 5_000_000, "max_count_day": 3})
        auditor = sign_in(Role.AUDITOR)
        for page in (auditor.get(rule("velocity")), auditor.get(page_of(row))):
            assert "5,000,000 minor units of the transfer&#x27;s currency" in page
            assert "max count day = 3" in page
        assert "in minor units of the transfer&#x27;s currency" in sign_in(Role.MAKER).get(drafting("velocity"))

    def test_a_stale_edit_changes_nothing(self, bridge: World, sign_in: SignIn) -> None:
        row = draft_parameters(draft=Draft("velocity", {"max_count_day": 3}), actor=MAKER)
        url, maker = reverse("admin:funds_rule_edit", args=[row.pk]), sign_in(Role.MAKER)
        assert 'value="3"' in maker.get(url)
        maker.post(url, {"value_max_count_day": "4", "seen_version": "1"})
        assert "Nothing was changed." in maker.post(url, {"value_max_count_day": "5", "seen_version": "1"})
        assert "Nothing was changed." in maker.post(url, {"value_max_count_day": "5"})
        row.refresh_from_db()
        assert row.values == {"max_count_day": 4}

    def test_an_auditor_drafts_nothing(self, bridge: World, sign_in: SignIn) -> None:
        row = draft_parameters(draft=Draft("velocity", {"max_count_day": 3}), actor=MAKER)
        auditor = sign_in(Role.AUDITOR)
        assert auditor.client.post(drafting("velocity"), {"value_max_count_day": "1"}).status_code == 403
        assert auditor.client.post(reverse("admin:funds_rule_edit", args=[row.pk]), {}).status_code == 403
        assert auditor.client.post(act("discard", "funds_ruleparameters"), {"item": item(row)}).status_code == 403

    def test_two_people_put_a_draft_in_force(self, bridge: World, sign_in: SignIn) -> None:
        maker, checker = sign_in(Role.MAKER, Role.CHECKER), sign_in(Role.CHECKER)
        maker.post(drafting("velocity"), {"value_max_count_day": "3"})
        row = RuleParameters.objects.get()
        maker.post(act("activate", "funds_ruleparameters"), {"item": item(row), "reason": "Agreed in the committee."})
        asked = Approval.objects.get()
        assert "somebody else must" in maker.post(act("approve", "approvals_approval"), {"item": item(asked)})
        checker.post(act("approve", "approvals_approval"), {"item": item(asked)})
        row.refresh_from_db()
        assert (row.state, row.activated_by) == ("active", str(checker.user.pk))
        assert "in force" in checker.get(page_of(row))

    def test_a_draft_is_discarded_and_stays_in_the_record(self, bridge: World, sign_in: SignIn) -> None:
        row = draft_parameters(draft=Draft("velocity", {"max_count_day": 3}), actor=MAKER)
        maker = sign_in(Role.MAKER)
        maker.post(act("discard", "funds_ruleparameters"), {"item": item(row)})
        row.refresh_from_db()
        assert row.state == "discarded"
        assert act("activate", "funds_ruleparameters") not in maker.get(page_of(row))


class TestReplaying:
    def _ask(self, console: Any, row: RuleParameters) -> str:
        today = f"{clock.now():%Y-%m-%d}"
        return console.get(reverse("admin:funds_rule_replay"), draft=str(row.pk), begins="2026-01-01", ends=today)

    def test_a_replay_shows_what_would_have_changed(self, bridge: World, sign_in: SignIn) -> None:
        fund = bridge.fund()
        small, large = (bridge.request(bridge.account(), fund, AMOUNT * n) for n in (1, 9))
        row = draft_parameters(draft=Draft("kyc", {"required": True}, fund_id=fund.id), actor=MAKER)
        bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        page = self._ask(sign_in(Role.AUDITOR), row)
        assert "not run → hold" in page
        assert small.public_id in page
        assert large.public_id in page
        assert "<dd>2</dd>" in page  # runs of the draft's own fund only
        assert RuleParameters.objects.get(pk=row.pk).state == "draft"

    def test_what_was_not_recorded_is_not_taken_for_the_same(self, bridge: World, sign_in: SignIn) -> None:
        account, fund = bridge.account(), bridge.fund()
        bridge.request(account, fund, AMOUNT)
        large = bridge.request(account, fund, AMOUNT * 9)
        row = draft_parameters(draft=Draft("velocity", {"max_count_day": 1}), actor=MAKER)
        auditor = sign_in(Role.AUDITOR)
        page = self._ask(auditor, row)
        assert "Could not be played: 2, the facts were not recorded." in page
        assert "Nobody can tell" in page
        assert "Nothing:" not in page
        row = draft_parameters(draft=Draft("velocity", {"max_count_day": 1, "max_sum_day": AMOUNT * 8}), actor=MAKER)
        page = self._ask(auditor, row)
        assert "Could not be played: 1, the facts were not recorded." in page
        assert "not run → hold" in page
        assert large.public_id in page

    def test_nothing_is_said_only_where_all_runs_were_played(self, bridge: World, sign_in: SignIn) -> None:
        row = draft_parameters(draft=Draft("source_balance", {"max_age_seconds_at_create": 901}), actor=MAKER)
        auditor = sign_in(Role.AUDITOR)
        assert "There was no run of this rule" in self._ask(auditor, row)
        bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        page = self._ask(auditor, row)
        assert "Nothing: every past run would have been decided the same way." in page
        assert "not be played" not in page

    def test_a_long_replay_stops_and_names_the_command(
        self, bridge: World, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(replay, "MOST_RUNS", 1)
        for _ in range(2):
            bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        row = draft_parameters(draft=Draft("kyc", {"required": True}), actor=MAKER)
        page = self._ask(sign_in(Role.CHECKER), row)
        assert "manage.py replay_rules --rule kyc" in page
        assert "<dd>1</dd>" in page

    def test_without_a_draft_there_is_nothing_to_play(self, bridge: World, sign_in: SignIn) -> None:
        assert "There is no draft" in sign_in(Role.AUDITOR).get(reverse("admin:funds_rule_replay"))
