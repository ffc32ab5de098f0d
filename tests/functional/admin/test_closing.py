"""Closing a fund in the console: everything is shown before anything is asked for, and two people decide."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse

from bridge.approvals.models import Approval
from bridge.kernel.results import Change, Role
from funds.models import Closing, Fund
from funds.services import set_fund_status
from tests.functional.admin.conftest import SignIn
from tests.functional.admin.test_actions import act, item
from tests.functional.admin.test_pages import page_of
from tests.world import SETUP, World
from transfers.services.closing import continue_closings

AMOUNT = 1_000_000


def page(fund: Fund) -> str:
    return reverse("admin:funds_closing_plan", args=[fund.pk])


def closing_fund(bridge: World) -> Fund:
    """One transfer at the fund, one that has not moved."""
    fund = bridge.fund(name="Cedar Ridge")
    bridge.request(bridge.account(), fund, AMOUNT)
    bridge.run()
    bridge.request(bridge.account(), fund, 3 * AMOUNT)
    set_fund_status(changes=[Change(fund.pk)], status="closing", actor=SETUP)
    fund.refresh_from_db()
    return fund


def shown_hash(text: str) -> str:
    found = re.search(r'name="expect" value="([0-9a-f]{64})"', text)
    assert found is not None
    return found[1]


class TestClosing:
    @pytest.mark.parametrize("role", [Role.MAKER, Role.CHECKER, Role.COMPLIANCE, Role.AUDITOR])
    def test_the_page_lists_what_is_open_and_the_plans(self, bridge: World, sign_in: SignIn, role: Role) -> None:
        fund, console = closing_fund(bridge), sign_in(role)
        assert page(fund) in console.get(page_of(fund))
        text = console.get(page(fund))
        for word in ("Settle", "Cut back", "Recall and return all", "at the fund", "not moved"):
            assert word.lower() in text.lower()
        assert sign_in(is_staff=True).status(page(fund)) == 403

    def test_an_open_fund_offers_no_plan_to_propose(self, bridge: World, sign_in: SignIn) -> None:
        fund, maker = bridge.fund(), sign_in(Role.MAKER)
        assert page(fund) not in maker.get(page_of(fund))
        assert "Set it to closing first" in maker.get(page(fund))

    @pytest.mark.parametrize(
        ("given", "words"),
        [
            ({"plan": "settle"}, ("cancel", "USD 30,000.00")),
            ({"plan": "return-all"}, ("recall", "cancel")),
            (
                {"plan": "cut-back", "target": "20,000.00", "method": "pro-rata", "below": "keep"},
                ("reduce", "USD 5,000.00"),
            ),
        ],
        ids=["settle", "return all", "cut back"],
    )
    def test_a_preview_changes_nothing(
        self, bridge: World, sign_in: SignIn, given: dict[str, str], words: tuple[str, ...]
    ) -> None:
        fund = closing_fund(bridge)
        text = sign_in(Role.MAKER).get(page(fund), **given)
        assert shown_hash(text)
        for word in words:
            assert word in text
        assert not Approval.objects.exists()
        assert not Closing.objects.exists()

    def test_a_cut_without_a_target_is_explained(self, bridge: World, sign_in: SignIn) -> None:
        given = {"plan": "cut-back", "target": "", "method": "pro-rata", "below": "keep"}
        assert "needs a target" in sign_in(Role.MAKER).get(page(closing_fund(bridge)), **given)

    def test_two_people_begin_it_and_its_steps_are_seen(self, bridge: World, sign_in: SignIn) -> None:
        fund, maker, checker = closing_fund(bridge), sign_in(Role.MAKER, Role.CHECKER), sign_in(Role.CHECKER)
        given: dict[str, Any] = {"plan": "cut-back", "target": "20,000.00", "method": "first-come", "below": "keep"}
        given["expect"] = shown_hash(maker.get(page(fund), **given))
        told = maker.post(page(fund), {**given, "reason": "Oversubscribed."})
        assert "This is exactly the plan that was asked for" in told
        asked = Approval.objects.get()
        assert (asked.kind, asked.reason, asked.payload["target"]) == ("fund.cut_back", "Oversubscribed.", 2_000_000)
        decide = act("approve", "approvals_approval")
        assert "somebody else must" in maker.post(decide, {"item": item(asked)})
        checker.post(decide, {"item": item(asked)})
        continue_closings(actor=SETUP)
        closing = Closing.objects.get()
        assert "Reduced before its money moved." in checker.get(page_of(closing))
        assert "1 of 1 done" in checker.get(page_of(closing))
        bridge.run()

    def test_a_plan_that_changed_meanwhile_is_refused(self, bridge: World, sign_in: SignIn) -> None:
        fund, maker = closing_fund(bridge), sign_in(Role.MAKER)
        shown_hash(maker.get(page(fund), plan="settle"))
        told = maker.post(page(fund), {"plan": "settle", "expect": "0" * 64})
        assert "The plan is out of date" in told
        assert not Approval.objects.exists()

    def test_every_plan_needs_a_reason(self, bridge: World, sign_in: SignIn) -> None:
        fund, maker = closing_fund(bridge), sign_in(Role.MAKER)
        cut = {"plan": "cut-back", "target": "20,000.00", "method": "pro-rata", "below": "keep"}
        plans: tuple[dict[str, str], ...] = ({"plan": "settle"}, {"plan": "return-all"}, cut)
        for given in plans:
            expect = shown_hash(maker.get(page(fund), **given))
            told = maker.post(page(fund), {**given, "expect": expect, "reason": "  "})
            assert "Say why: the second person decides with it." in told
            assert shown_hash(told) == expect
        assert 'value="20,000.00"' in told
        assert not Approval.objects.exists()

    def test_a_refused_plan_keeps_the_reason(self, bridge: World, sign_in: SignIn) -> None:
        fund, maker = closing_fund(bridge), sign_in(Role.MAKER)
        form = {"plan": "settle", "expect": "0" * 64, "reason": "The final closing was on Friday."}
        told = maker.post(page(fund), form)
        assert "The plan is out of date" in told
        assert 'value="The final closing was on Friday."' in told
        assert shown_hash(told) == shown_hash(maker.get(page(fund), plan="settle"))

    def test_an_auditor_sees_and_proposes_nothing(self, bridge: World, sign_in: SignIn) -> None:
        fund, auditor = closing_fund(bridge), sign_in(Role.AUDITOR)
        assert 'name="expect"' not in auditor.get(page(fund), plan="settle")
        assert auditor.client.post(page(fund), {"plan": "settle", "expect": "0" * 64}).status_code == 403
