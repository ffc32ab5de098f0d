"""The dashboard says what needs somebody, and a search by any id finds the row."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.console import finding
from bridge.kernel import clock, ids
from bridge.kernel.results import Actor, Change, Channel, Role
from funds.models import Fund
from tests.functional.admin.conftest import SignIn
from tests.functional.admin.test_actions import AMOUNT, in_review
from tests.functional.admin.test_pages import list_of, page_of
from tests.world import World
from transfers import services


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
        assert "Id, name, reference" in page
        assert "Search apps" not in page

    def test_a_transfer_is_found_by_its_fund_and_by_parts_of_ids_and_references(
        self, bridge: World, sign_in: SignIn
    ) -> None:
        fund = bridge.fund(name="Longstone Credit", code="lsc-9")
        transfer = bridge.request(bridge.account(investor=bridge.investor(legal_name="Jörg Schäfer")), fund, AMOUNT)
        bridge.run()
        bridge.advance(days=1)
        other = bridge.request(bridge.account(), bridge.fund(name="Harbor"), AMOUNT)
        bridge.run()
        leg, whole = transfer.instructions.get(kind="withdrawal"), transfer.public_id
        names = ["longstone", "LSC-9", "schafer", "schäfer", "Jorg Sch"]
        names += [whole[-6:], f"…{whole[-6:]}", f"{whole[:8]}…{whole[-6:]}", whole[:14], f"{whole[:20]}…"]
        names += [leg.reference[:16].lower(), leg.reference[:20], f"{leg.reference[:16]}…", fund.public_id[-6:]]
        console = sign_in(Role.AUDITOR)
        for name in names:
            page = console.get(list_of("transfers.transfer"), q=name)
            assert str(transfer.pk) in page, name
            assert str(other.pk) not in page, name
        for name in (leg.reference[:16].lower(), leg.public_id[-6:]):
            page = console.get(list_of("transfers.bankinstruction"), q=name)
            assert str(leg.pk) in page, name
            assert str(other.pk) not in page, name

    def test_the_log_is_searched_by_who_did_it(self, bridge: World, sign_in: SignIn) -> None:
        transfer = in_review(bridge)
        maker = sign_in(Role.MAKER, username="maker.one")
        actor = Actor(str(maker.user.pk), Role.MAKER, Channel.ADMIN, "maker.one")
        services.cancel_transfers(changes=[Change(transfer.pk)], actor=actor)
        for name in ("maker.one", "Maker.One"):
            shown = maker.client.get(list_of("events.event"), {"q": name}).context["cl"].result_list
            assert {event.type for event in shown} == {"transfer.cancelled", "approval.withdrawn"}, name

    def test_names_and_references_jump_to_their_pages(self, bridge: World, sign_in: SignIn) -> None:
        fund = bridge.fund(name="Longstone Credit", code="lsc-9")
        investor = bridge.investor(legal_name="Jörg Schäfer")
        transfer = bridge.request(bridge.account(investor=investor), fund, AMOUNT, external_id="REQ-7")
        bridge.run()
        leg = transfer.instructions.get(kind="withdrawal")
        wanted = dict.fromkeys(("longstone", "LSC-9", fund.public_id[-6:]), fund)
        wanted |= dict.fromkeys(("Schafer", "SCHÄFER", investor.public_id[-6:]), investor)
        names = ("REQ-7", leg.reference, leg.reference[:16].lower(), leg.key, leg.institution_reference)
        wanted |= dict.fromkeys((*names, transfer.public_id[:16]), transfer)
        auditor, nobody = sign_in(Role.AUDITOR), sign_in(is_staff=True)
        for name, row in wanted.items():
            assert page_of(row) in auditor.get("/admin/search/", s=name, extended="1"), name
            assert page_of(row) not in nobody.get("/admin/search/", s=name, extended="1"), name
        found = auditor.get("/admin/search/", s=leg.reference, extended="1")
        assert "Withdrawal, settled, transfer of USD 10,000.00, Jörg Schäfer → Longstone Credit" in found
        for text in ("%%%", "\x00", "\x00abc", "x" * 5000, "trf_", "…", "zzzzzz"):
            assert "/change/" not in auditor.get("/admin/search/", s=text, extended="1"), text

    def test_what_no_index_finds_is_looked_for_among_the_newest_only(
        self, bridge: World, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rows = [bridge.request(bridge.account(), bridge.fund(), AMOUNT) for _ in range(3)]
        monkeypatch.setattr(finding.newest, "__defaults__", (2,))
        console = sign_in(Role.AUDITOR)
        found = [str(row.pk) in console.get(list_of("transfers.transfer"), q=row.public_id[-6:]) for row in rows]
        assert found == [False, True, True]


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
