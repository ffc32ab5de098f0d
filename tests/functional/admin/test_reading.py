"""What people read on the console's pages: titles, names instead of bare ids, words for nothing, and hints."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.ledger.models import LedgerAccount
from bridge.console.pages import Table
from bridge.kernel import clock
from bridge.kernel.results import Role
from bridge.roles import APPS
from tests.functional.admin.conftest import SignIn
from tests.functional.admin.test_actions import AMOUNT, in_review
from tests.functional.admin.test_pages import list_of, page_of
from tests.world import HARBOR, MERIDIAN, World
from transfers.models import Circuit

HEADER = re.compile("<h1.*?</h1>", re.DOTALL)


class TestNames:
    def test_ledger_accounts_say_whose_they_are(self, bridge: World, sign_in: SignIn) -> None:
        fund = bridge.fund(name="Longstone Credit")
        account = bridge.account(investor=bridge.investor(legal_name="Jörg Schäfer"))
        bridge.request(account, fund, AMOUNT)
        bridge.run()
        console, rows = sign_in(Role.AUDITOR), LedgerAccount.objects.filter(kind="cash")
        page = console.get(list_of(LedgerAccount))
        for row, name in ((fund, "Longstone Credit"), (account, f"Jörg Schäfer, {account}")):
            shown = f'href="{page_of(row)}">{name}</a>'
            assert shown in page
            assert shown in console.get(page_of(rows.get(owner_id=row.pk)))
            assert f">{row.pk}<" not in page

    def test_owners_are_looked_up_once_for_all_rows(self, bridge: World, sign_in: SignIn) -> None:
        console = sign_in(Role.AUDITOR)

        def asked() -> int:
            with CaptureQueriesContext(connection) as queries:
                console.get(list_of(LedgerAccount))
            return len(queries)

        bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run()
        few = asked()
        for _ in range(4):
            bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run()
        assert asked() == few

    def test_who_may_not_see_accounts_reads_no_name(self, bridge: World, sign_in: SignIn) -> None:
        account = bridge.account(investor=bridge.investor(legal_name="Jörg Schäfer"))
        bridge.request(account, bridge.fund(), AMOUNT)
        bridge.run()
        console = sign_in(is_staff=True)
        console.user.user_permissions.add(Permission.objects.get(codename="view_ledgeraccount"))
        page = console.get(list_of(LedgerAccount))
        assert "Schäfer" not in page
        assert str(account.pk) in page


class TestTitles:
    @pytest.mark.parametrize(
        ("url", "title"),
        [
            ("/admin/transfers/stop/controls/", "Controls"),
            ("/admin/funds/ruleparameters/rules/", "Rules"),
            ("/admin/transfers/floatmovement/float/", "The firm&#x27;s float"),
            ("/admin/transfers/work/open/", "All that is open"),
        ],
    )
    def test_a_page_of_ours_is_headed_by_its_title(self, bridge: World, sign_in: SignIn, url: str, title: str) -> None:
        bridge.fund()
        (header,) = HEADER.findall(sign_in(Role.AUDITOR).get(url))
        assert re.search(rf">\s*{title}\s*</span>", header)

    def test_a_list_and_a_row_keep_their_names(self, bridge: World, sign_in: SignIn) -> None:
        fund, console = bridge.fund(name="Longstone Credit"), sign_in(Role.AUDITOR)
        for url in (list_of("funds.fund"), page_of(fund)):
            (header,) = HEADER.findall(console.get(url))
            assert "bridge-title" not in header
        assert "Longstone Credit" in header


class TestNothing:
    def test_an_empty_list_says_so_in_plain_words(self, bridge: World, sign_in: SignIn) -> None:
        console = sign_in(Role.AUDITOR)
        url = list_of("transfers.transfer")
        pages = {
            "Nothing here.": console.get(url),
            "Nothing fits these filters.": console.get(url, state="frozen"),
            "Nothing is found for “nobody”.": console.get(url, q="nobody"),
            "No rows are shown.": console.get(url, nonsense="1"),
        }
        for words, page in pages.items():
            assert words in page
            assert "Create a new item" not in page
            assert ("Show all</a>" in page.split('class="bridge-card bridge-nothing"')[1]) == (words != "Nothing here.")


class TestHints:
    def test_every_list_that_can_be_searched_says_by_what(self, sign_in: SignIn) -> None:
        silent = [
            model._meta.label
            for label in APPS
            if label in apps.app_configs
            for model in apps.get_app_config(label).get_models()
            if admin.site.get_model_admin(model).search_fields
            and not admin.site.get_model_admin(model).search_help_text
        ]
        assert silent == []
        page = sign_in(Role.AUDITOR).get(list_of("transfers.stop"))
        assert "An institution, words of the reason, or an id (fund_…, inv_…)." in page

    def test_an_institution_that_answers_is_no_closed_bank(self, bridge: World, sign_in: SignIn) -> None:
        at = clock.now()
        Circuit.objects.create(institution=MERIDIAN, failures=1, changed_at=at)
        Circuit.objects.create(institution=HARBOR, failures=9, opened_at=at, retry_at=at, wait=30, changed_at=at)
        console = sign_in(Role.AUDITOR)
        page = console.get(list_of(Circuit))
        for words in (">working<", ">cut off<", "between two tries", ">30 s<"):
            assert words in page
        assert f"{HARBOR}: cut off since" in console.get(page_of(Circuit.objects.get(pk=HARBOR)))
        assert f"{MERIDIAN}: answers" in console.get(page_of(Circuit.objects.get(pk=MERIDIAN)))


class TestTables:
    def test_each_cell_carries_its_heading(self, bridge: World, sign_in: SignIn) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run()
        page = sign_in(Role.AUDITOR).get(page_of(transfer))
        assert page.count('data-label="amount"') >= 2
        table = Table(title="t", headers=("a", ""), rows=[(1, 2, 3)], numeric=frozenset({1}))
        assert [tuple(cell) for cell in table.lines[0]] == [("a", 1, False), ("", 2, True), ("", 3, False)]

    def test_what_blocks_a_transfer_comes_before_what_can_be_done(self, bridge: World, sign_in: SignIn) -> None:
        page = sign_in(Role.CHECKER).get(page_of(in_review(bridge)))
        assert page.index("What is safe:") < page.index('aria-label="What you can do now"')
