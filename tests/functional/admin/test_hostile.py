"""What no key, filter or text can be is told in plain words: never an error of ours, never all rows instead of none."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.urls import reverse

from bridge.console.base import ConsoleAdmin
from bridge.kernel.results import Role
from tests.functional.admin.conftest import Console, SignIn
from tests.functional.admin.test_actions import AMOUNT
from tests.functional.admin.test_pages import list_of
from tests.world import World
from transfers.models import Transfer

STRANGE = "This list has no such filter or page"


class TestNul:
    def test_no_list_falls_over_one_in_a_filter_a_search_or_a_key(self, bridge: World, superuser: Console) -> None:
        bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        for model, page in admin.site._registry.items():
            names = ["q", "o", "p", "nothing", *(f"{name}__exact" for name in ("id", "kind", "state"))]
            names += [name for name in page.list_filter if isinstance(name, str)]
            names += [f"{name}__exact" for name in page.list_filter if isinstance(name, str)]
            for name in dict.fromkeys(names):
                assert STRANGE in superuser.get(list_of(model), **{name: "\x00"}), (model, name)
            assert superuser.client.get(f"{list_of(model)}%00/change/").status_code == 404, model
            assert superuser.client.get(f"{list_of(model)}%00/history/").status_code in (302, 404), model


class TestFilters:
    @pytest.mark.parametrize(
        "query", ["e=1", "nothing=1", "state=aproved", "since=ever", "blocker=x", "fund__id__exact=7"]
    )
    def test_what_is_not_understood_shows_nothing_and_says_so(self, bridge: World, sign_in: SignIn, query: str) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        name, value = query.split("=")
        page = sign_in(Role.AUDITOR).get(list_of("transfers.transfer"), **{name: value})
        assert f"{STRANGE}: {query}." in page
        assert str(transfer.pk) not in page

    def test_a_page_that_is_none_neither(self, bridge: World, sign_in: SignIn, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(ConsoleAdmin, "list_per_page", 1)
        account, fund = bridge.account(), bridge.fund()
        for _ in range(2):
            bridge.request(account, fund, AMOUNT)
        assert f"{STRANGE}: p=999." in sign_in(Role.AUDITOR).get(list_of("transfers.transfer"), p="999")

    @pytest.mark.parametrize(
        ("model", "name", "value"),
        [
            ("funds.fund", "status__exact", "opne"),
            ("funds.fund", "name__regex", "("),
            ("transfers.transfer", "investor__user__password__startswith", "a"),
            ("approvals.approval", "queue", "mine"),
        ],
    )
    def test_a_choice_that_is_none_and_a_way_into_other_tables_neither(
        self, sign_in: SignIn, model: str, name: str, value: str
    ) -> None:
        assert STRANGE in sign_in(Role.AUDITOR).get(list_of(model), **{name: value})

    def test_what_is_understood_is_not_complained_about(self, bridge: World, sign_in: SignIn) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        console = sign_in(Role.AUDITOR)
        for query in ({"state": "open"}, {"fund__id__exact": str(transfer.fund_id)}, {"since": "day"}, {"p": "1"}):
            page = console.get(list_of("transfers.transfer"), **query)
            assert STRANGE not in page, query
            assert str(transfer.pk) in page, query
        page = console.get(list_of("transfers.transfer"), fund__id__exact=str(transfer.pk))
        assert STRANGE not in page
        assert f"/{transfer.pk}/change/" not in page


class TestForms:
    def test_a_key_that_is_none_is_not_acted_on(self, bridge: World, superuser: Console, sign_in: SignIn) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        maker = sign_in(Role.MAKER)
        for keys in (["x"], [str(transfer.pk), "x"], ["\x00"]):
            form = {"action": "cancel", "_selected_action": keys, "index": "0"}
            assert "What was ticked is not in this list." in maker.post(list_of("transfers.transfer"), form)
        for model in admin.site._registry:
            form = {"action": "cancel", "_selected_action": "x", "index": "0"}
            assert superuser.client.post(list_of(model), form).status_code in (200, 302), model

    def test_ticked_rows_of_a_list_that_was_not_understood_are_not_acted_on(
        self, bridge: World, sign_in: SignIn
    ) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        form = {"action": "cancel", "_selected_action": str(transfer.pk), "index": "0"}
        told = sign_in(Role.MAKER).post(f"{list_of('transfers.transfer')}?state=aproved", form)
        assert STRANGE in told
        assert Transfer.objects.get().version == transfer.version

    @pytest.mark.parametrize("key", ["5000", "\x00", "00000000-0000-0000-0000-000000000000"])
    def test_an_investor_that_is_none_is_an_error_of_the_form(self, sign_in: SignIn, key: str) -> None:
        url = reverse("admin:accounts_investoraccount_add")
        page = sign_in(Role.MAKER).post(url, {"investor": key, "name": "Main"})
        assert any(told in page for told in ("Select a valid choice", "is not a valid UUID", "Null characters are not"))
        assert 'value="Main"' in page

    @pytest.mark.parametrize("key", ["zzz", "00000000-0000-0000-0000-000000000000"])
    def test_a_page_of_an_id_that_is_none_does_not_guess_that_it_was_deleted(self, sign_in: SignIn, key: str) -> None:
        answer = sign_in(Role.AUDITOR).client.get(reverse("admin:transfers_transfer_change", args=[key]), follow=True)
        assert "There is no transfer with this id." in answer.content.decode()
        assert "deleted" not in answer.content.decode()
