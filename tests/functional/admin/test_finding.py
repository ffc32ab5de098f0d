"""The dashboard says what needs somebody, and a search by any id finds the row."""

from __future__ import annotations

from datetime import timedelta

from bridge.kernel import clock, ids
from bridge.kernel.results import Role
from funds.models import Fund
from tests.functional.admin.conftest import SignIn
from tests.functional.admin.test_actions import AMOUNT, in_review
from tests.functional.admin.test_pages import list_of, page_of
from tests.world import World


class TestSearch:
    def test_a_transfer_is_found_by_everything_that_names_it(self, bridge: World, sign_in: SignIn) -> None:
        investor = bridge.investor(legal_name="Okonkwo Family Trust")
        account = bridge.account(investor=investor)
        transfer = bridge.request(account, bridge.fund(), AMOUNT, external_id="REQ-7")
        other = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run()
        leg = transfer.instructions.get(kind="withdrawal")
        console = sign_in(Role.AUDITOR)
        names = [transfer.public_id, transfer.public_id.upper(), str(transfer.pk), "REQ-7", leg.key, leg.reference]
        names += [leg.institution_reference, leg.public_id, account.public_id, investor.public_id, "okonkwo"]
        for name in names:
            page = console.get(list_of("transfers.transfer"), q=name)
            assert str(transfer.pk) in page, name
            assert str(other.pk) not in page, name

    def test_an_id_of_another_kind_and_hostile_text_find_nothing(self, bridge: World, sign_in: SignIn) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        console = sign_in(Role.AUDITOR)
        nothing = [ids.encode("posting", transfer.pk), ids.encode("transfer", ids.new_id()), "trf_", "%"]
        for text in [*nothing, "' OR 1=1 --", "x" * 5000, "trf_" + "9" * 26]:
            for label in ("transfers.transfer", "events.event", "ledger.posting", "transfers.bankinstruction"):
                assert str(transfer.pk) not in console.get(list_of(label), q=text), (label, text)

    def test_a_text_with_a_null_character_is_told_so(self, bridge: World, sign_in: SignIn) -> None:
        assert "Null characters are not allowed" in sign_in(Role.AUDITOR).get(list_of("events.event"), q="\x00trf_")

    def test_the_log_is_searched_by_subject_and_type(self, bridge: World, sign_in: SignIn) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        console = sign_in(Role.AUDITOR)
        page = console.get(list_of("events.event"), q=transfer.public_id)
        assert "transfer.approved" in page
        assert "fund.opened" not in page
        assert "fund.opened" in console.get(list_of("events.event"), q="fund.opened")

    def test_a_pasted_id_jumps_to_its_page(self, bridge: World, sign_in: SignIn) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        found = sign_in(Role.AUDITOR).get("/admin/search/", s=transfer.public_id, extended="1")
        assert f"/admin/transfers/transfer/{transfer.pk}/change/" in found

    def test_the_search_beside_every_page_says_what_it_finds(self, sign_in: SignIn) -> None:
        page = sign_in(Role.AUDITOR).get("/admin/")
        assert "A page or an id" in page
        assert "Search apps" not in page


class TestDashboard:
    def test_an_empty_house_says_so_in_friendly_words(self, sign_in: SignIn) -> None:
        page = sign_in(Role.AUDITOR).get("/admin/")
        for words in ("No money is on the bridge", "Nobody has asked for a transfer today", "Every open fund has room"):
            assert words in page

    def test_what_waits_is_counted_and_linked(self, bridge: World, sign_in: SignIn) -> None:
        in_review(bridge)
        fund = bridge.fund(seat_limit=1, name="Cedar Ridge")
        bridge.request(bridge.account(), fund, AMOUNT)
        waiting = bridge.request(bridge.account(), fund, AMOUNT)
        console = sign_in(Role.AUDITOR)
        answer = console.client.get("/admin/")
        needs = {need.title: need for need in answer.context["needs"]}
        assert needs["In review"].count == 1
        assert needs["Waitlisted"].count == 1
        assert str(waiting.pk) in console.get(needs["Waitlisted"].url)
        assert "Cedar Ridge" in answer.content.decode()
        assert {bar["label"]: bar["count"] for bar in answer.context["day"]["bars"]} == {
            "in review": 1,
            "waitlisted": 1,
            "approved": 2,
        }

    def test_a_fund_past_its_closing_date_is_shown_until_somebody_closes_it(
        self, bridge: World, sign_in: SignIn
    ) -> None:
        fund, other = bridge.fund(name="Cedar Ridge"), bridge.fund(name="Aldine Credit")
        auditor = sign_in(Role.AUDITOR)
        assert "Every open fund has room and time." in auditor.get("/admin/")
        Fund.objects.filter(pk=fund.pk).update(closes_at=clock.now() - timedelta(hours=1))
        dashboard = auditor.get("/admin/")
        assert "Cedar Ridge" in dashboard
        assert "Aldine Credit" not in dashboard
        for page in (dashboard, auditor.get(list_of("funds.fund")), auditor.get(page_of(fund))):
            assert page.count("closing date passed") == 1
        assert "closing date passed" not in auditor.get(page_of(other))
        Fund.objects.filter(pk=fund.pk).update(status="closing")
        for url in ("/admin/", list_of("funds.fund"), page_of(fund)):
            assert "closing date passed" not in auditor.get(url)

    def test_money_on_the_bridge_is_shown_with_its_age(self, bridge: World, sign_in: SignIn) -> None:
        from transfers.engine import drain

        bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        drain()
        bridge.advance(hours=3)
        shown = sign_in(Role.AUDITOR).client.get("/admin/").context["bridge"]
        assert shown["totals"] == ["USD 10,000.00"]
        assert shown["oldest"]["age"] == "3 hours"
        bridge.run()

    def test_a_day_is_counted_by_the_clock_that_dates_the_rows(self, bridge: World, sign_in: SignIn) -> None:
        bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        console = sign_in(Role.AUDITOR)
        assert console.client.get("/admin/").context["day"]["total"] == 1
        bridge.advance(days=2)
        assert console.client.get("/admin/").context["day"]["total"] == 0
        bridge.run()
        bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        assert console.client.get("/admin/").context["day"]["total"] == 1


class TestPolicy:
    def test_only_the_admin_may_evaluate_and_nothing_is_inline(self, sign_in: SignIn) -> None:
        console = sign_in(Role.AUDITOR)
        inside = console.client.get("/admin/")["Content-Security-Policy"]
        outside = console.client.get("/healthz")["Content-Security-Policy"]
        assert "'unsafe-eval'" in inside
        assert "'unsafe-eval'" not in outside
        assert "'unsafe-inline'" not in inside + outside

    def test_the_pages_carry_no_inline_script_style_or_handler(self, bridge: World, sign_in: SignIn) -> None:
        transfer = in_review(bridge)
        console = sign_in(Role.CHECKER)
        url = f"/admin/transfers/transfer/{transfer.pk}/change/"
        for page in (console.get("/admin/"), console.get(url), console.get(list_of("funds.fund"))):
            assert "<style" not in page
            assert " style=" not in page
            assert " onclick=" not in page
