"""The pages of what is open: the list, the case, the clock; and that they offer what the registry allows."""

from __future__ import annotations

import re

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from bridge.kernel.results import Change, Role
from bridge.sandbox.model import Fault
from funds import limits
from tests.functional.admin.conftest import SignIn
from tests.world import HARBOR, MAKER, MERIDIAN, World
from transfers.models import Transfer

AMOUNT = 1_000_000
OPEN = "/admin/transfers/work/open/"


def case_url(transfer: Transfer) -> str:
    return reverse("admin:transfers_transfer_case", args=[transfer.pk])


@pytest.fixture
def waiting(bridge: World) -> Transfer:
    """Its deposit was rejected, and the fund wants people to decide."""
    bridge.fault(Fault.REJECT, institution=HARBOR, code="R02", reason="Account closed")
    transfer = bridge.request(bridge.account(), bridge.fund(on_deposit_failure="hold"), AMOUNT)
    bridge.run(rounds=8)
    return bridge.fresh(transfer)


class TestWaitlist:
    def test_why_one_waits_stays_true_when_the_limits_change(self, bridge: World, sign_in: SignIn) -> None:
        fund = bridge.fund(name="Cedar Ridge", seat_limit=1, hard_cap=10 * AMOUNT)
        for _ in range(3):
            bridge.request(bridge.account(), fund, AMOUNT)
        change = Change(fund.pk, reason="One more.")
        limits.change_limits(change=change, seat_limit=2, hard_cap=10 * AMOUNT, actor=MAKER)
        bridge.run()
        auditor = sign_in(Role.AUDITOR)
        page = auditor.get(reverse("admin:transfers_transfer_changelist"), state="waitlisted")
        assert page.count("No seat in Cedar Ridge is free.") == 1
        assert "All 1 seats" not in page


class TestOpen:
    def test_each_thing_says_why_and_offers_what_is_safe(
        self, bridge: World, waiting: Transfer, sign_in: SignIn
    ) -> None:
        bridge.fault(Fault.TIMEOUT_BEFORE, institution=MERIDIAN)
        unknown = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=2)
        page = sign_in(Role.MAKER).get(OPEN)
        assert "Account closed" in page
        deeds = re.findall(r"/act/(\w+)/\?item=([0-9a-f-]+):", page)
        assert {deed for deed, pk in deeds if pk == str(waiting.pk)} == {"retry", "refund", "redirect"}
        assert {deed for deed, pk in deeds if pk == str(unknown.pk)} == {"outcome"}

    def test_a_queue_alone_and_what_asks_my_roles(self, bridge: World, waiting: Transfer, sign_in: SignIn) -> None:
        checker = sign_in(Role.CHECKER)
        assert "Account closed" in checker.get(OPEN, queue="compensate")
        assert "Account closed" in checker.get(OPEN, queue="me")
        assert "Nothing is open here." in checker.get(OPEN, queue="compliance")
        assert "Account closed" in checker.get(OPEN, page="99999999999999")

    def test_a_queue_that_there_is_not_is_named(self, bridge: World, waiting: Transfer, sign_in: SignIn) -> None:
        page = sign_in(Role.CHECKER).get(OPEN, queue="zzz<b>")
        assert "This page has no such queue: zzz&lt;b&gt;. No rows are shown; choose anew." in page
        assert "Nothing is open here." not in page

    def test_rows_name_investor_and_account_for_one_query(
        self, bridge: World, waiting: Transfer, sign_in: SignIn
    ) -> None:
        console = sign_in(Role.MAKER)
        account = waiting.source_account
        whose = f"{waiting.investor} ···{account.number_last4}"
        assert f"<div>{whose}</div>" in console.get(OPEN)
        with CaptureQueriesContext(connection) as few:
            console.get(OPEN)
        for _ in range(3):
            bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        with CaptureQueriesContext(connection) as many:
            console.get(OPEN)
        assert len(many) == len(few)

    def test_a_confirmation_names_the_account(self, bridge: World, waiting: Transfer, sign_in: SignIn) -> None:
        item = f"{waiting.pk}:{waiting.version}"
        page = sign_in(Role.MAKER).get("/admin/transfers/transfer/act/refund/", item=item)
        assert f"{waiting.investor} ···{waiting.source_account.number_last4} → {waiting.fund}" in page

    def test_an_auditor_reads_and_is_offered_nothing(self, bridge: World, waiting: Transfer, sign_in: SignIn) -> None:
        page = sign_in(Role.AUDITOR).get(OPEN)
        assert "Account closed" in page
        assert "/act/" not in page

    def test_whoever_has_no_role_sees_nothing(self, bridge: World, sign_in: SignIn) -> None:
        nobody = sign_in(is_staff=True)
        assert nobody.status(OPEN) == 403


class TestCase:
    def test_an_open_case_shows_place_age_decisions_and_what_is_safe(
        self, bridge: World, waiting: Transfer, sign_in: SignIn
    ) -> None:
        bridge.advance(days=2)
        page = sign_in(Role.MAKER).get(case_url(waiting))
        assert "2 days on the bridge" in page
        assert "hold the money until people decide" in page
        assert "Account closed" in page
        assert "the case is still open" in page
        assert "Left the investor's account" in page or "Left the investor&#x27;s account" in page
        assert "−USD" not in page
        assert "deposit rejected</span>" in page
        assert "act/refund/" in page
        assert "USD 10,000.00" in page

    def test_its_timeline_speaks_in_words(self, bridge: World, waiting: Transfer, sign_in: SignIn) -> None:
        page = sign_in(Role.MAKER).get(f"/admin/transfers/transfer/{waiting.pk}/change/")
        for words in ("Next: people decide.", "code: R02.", ">deposit 1 at harbor</a>", "withdrawal settled</span>"):
            assert words in page
        for bare in ("next step: none", ">instruction</a>"):
            assert bare not in page

    def test_a_refunded_case_has_netted_to_zero(self, bridge: World, sign_in: SignIn) -> None:
        bridge.fault(Fault.REJECT, institution=HARBOR, code="R02")
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=10)
        page = sign_in(Role.AUDITOR).get(case_url(transfer))
        assert "Netted to zero" in page
        assert "bridge-badge--green" in page
        assert "act/" not in page

    def test_it_is_reached_from_the_transfer_once_money_moves(
        self, bridge: World, waiting: Transfer, sign_in: SignIn
    ) -> None:
        maker = sign_in(Role.MAKER)
        assert case_url(waiting) in maker.get(f"/admin/transfers/transfer/{waiting.pk}/change/")
        fresh = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        assert case_url(fresh) not in maker.get(f"/admin/transfers/transfer/{fresh.pk}/change/")

    def test_it_is_not_there_for_others(self, bridge: World, waiting: Transfer, sign_in: SignIn) -> None:
        assert sign_in(is_staff=True).status(case_url(waiting)) == 403
        missing = case_url(waiting).replace(str(waiting.pk), str(waiting.fund_id))
        assert sign_in(Role.MAKER).status(missing) == 404


class TestFirstPage:
    def test_the_clock_shows_who_has_how_much_of_what_age(
        self, bridge: World, waiting: Transfer, sign_in: SignIn
    ) -> None:
        bridge.advance(days=9)
        page = sign_in(Role.MAKER).get("/admin/")
        assert "How long money has been with us" in page
        assert "settlement account" in page
        assert "9 days" in page
        assert f"···{waiting.source_account.number_last4}</a>" in page
        assert str(waiting.investor) in page
        assert case_url(waiting) in page
        assert OPEN in page
