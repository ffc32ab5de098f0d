"""Every list and every page opens, for those who may see it, with few queries, and without secrets."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.db.models import Model
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from accounts import services as accounts
from bridge.events.services import seal
from bridge.kernel.results import Actor, Change, Channel, Role
from bridge.roles import APPS
from tests.functional.admin.conftest import Console, SignIn
from tests.world import MAKER, MERIDIAN, SETUP, World
from transfers import facts, services
from transfers.models import Transfer

LISTS = ("transfers.transfer", "transfers.bankinstruction", "transfers.work", "ledger.entry", "ledger.posting")
LISTS += ("events.event", "funds.allocation", "funds.reservation", "funds.verification", "accounts.investoraccount")


def list_of(model: type[Model] | str) -> str:
    label = model if isinstance(model, str) else model._meta.label_lower
    return reverse(f"admin:{label.replace('.', '_')}_changelist")


def page_of(row: Model) -> str:
    return reverse(f"admin:{row._meta.label_lower.replace('.', '_')}_change", args=[row.pk])


def everything_of(bridge: World) -> list[Transfer]:
    """Transfers that are completed, waitlisted and approved."""
    account, fund = bridge.account(), bridge.fund(seat_limit=1, code="cedar", name="Cedar Ridge")
    rows = [bridge.request(account, fund)]
    bridge.run()
    rows.append(bridge.request(bridge.account(), fund))
    rows.append(bridge.request(bridge.account(), bridge.fund(code="aldine", name="Aldine Credit")))
    return rows


class TestEveryPage:
    def test_every_model_of_bridge_has_a_page(self) -> None:
        missing = [
            model._meta.label
            for label in APPS
            if label in apps.app_configs
            for model in apps.get_app_config(label).get_models()
            if not admin.site.is_registered(model)
        ]
        assert missing == []

    @pytest.mark.parametrize("who", ["superuser", "auditor"])
    def test_every_list_and_page_opens(self, bridge: World, sign_in: SignIn, superuser: Console, who: str) -> None:
        everything_of(bridge)
        seal()
        console = superuser if who == "superuser" else sign_in(Role.AUDITOR)
        seen = 0
        for model in admin.site._registry:
            if who == "auditor" and model._meta.app_label not in APPS:
                continue
            assert console.status(list_of(model)) == 200, model
            row = model._default_manager.first()
            if row is not None:
                assert console.status(page_of(row)) == 200, model
                seen += 1
        assert seen > 15

    def test_a_list_costs_no_query_per_row(self, bridge: World, sign_in: SignIn) -> None:
        console = sign_in(Role.AUDITOR)
        fund = bridge.fund()

        def cost() -> dict[str, int]:
            counted = {}
            for label in LISTS:
                console.status(list_of(label))  # warm
                with CaptureQueriesContext(connection) as queries:
                    assert console.status(list_of(label)) == 200
                counted[label] = len(queries)
            return counted

        for _ in range(3):
            bridge.request(bridge.account(), fund)
        bridge.run()
        before = cost()
        for _ in range(7):
            bridge.request(bridge.account(), fund)
        bridge.run()
        assert cost() == before
        assert max(before.values()) <= 10

    def test_the_page_of_a_transfer_costs_the_same_for_a_long_story(self, bridge: World, sign_in: SignIn) -> None:
        console = sign_in(Role.AUDITOR)
        short, _, _ = everything_of(bridge)[::-1]
        done = Transfer.objects.get(state="completed")

        def cost(transfer: Transfer) -> int:
            with CaptureQueriesContext(connection) as queries:
                console.get(page_of(transfer))
            return len(queries)

        cost(short)
        assert cost(done) <= cost(short) + 1
        assert cost(done) <= 20


class TestTimeline:
    def test_names_who_approved_and_not_their_number(self, bridge: World, sign_in: SignIn) -> None:
        checker = sign_in(Role.CHECKER, username="chen.li").user
        transfer = bridge.request(bridge.account(), bridge.fund())
        services.hold_transfers(changes=[Change(transfer.pk, reason="A closer look.")], actor=MAKER)
        actor = Actor(str(checker.pk), Role.CHECKER, Channel.ADMIN, "somebody")
        known = facts.gather(account_ids={transfer.source_account_id}, max_age=900)
        services.approve_transfers(changes=[Change(transfer.pk)], actor=actor, facts=known)
        page = sign_in(Role.MAKER).get(page_of(transfer))
        assert "approved by: chen.li" in page
        assert f"approved by: {checker.pk}" not in page


class TestSecrets:
    def test_no_page_shows_an_account_number_or_a_sealed_value(self, bridge: World, superuser: Console) -> None:
        (transfer, *_) = everything_of(bridge)
        account = transfer.source_account
        accounts.store_credential(institution=MERIDIAN, name="api_key", secret="very-secret-4711", actor=SETUP)
        secrets = [account.reveal_number(), account.number_sealed, account.number_index, "very-secret-4711"]
        secrets += [transfer.fund.reveal_number(), transfer.fund.number_sealed, transfer.fund.number_index]
        for model in admin.site._registry:
            pages = [list_of(model), *(page_of(row) for row in model._default_manager.all()[:5])]
            for url in pages:
                text = superuser.get(url)
                assert not [secret for secret in secrets if secret in text], url
        assert f"···{account.number_last4}" in superuser.get(page_of(account))


class TestWayBack:
    def test_a_transfer_keeps_its_id_and_says_its_state_in_words(self, bridge: World, sign_in: SignIn) -> None:
        account, fund = bridge.account(), bridge.fund(name="Cedar Ridge")
        bridge.request(account, fund)
        transfer = bridge.request(account, fund)
        assert transfer.state == "in_review"
        console = sign_in(Role.AUDITOR)
        assert way_back(console.get(page_of(transfer))) == ["Transfers", f"{transfer.public_id} in review"]
        assert way_back(console.get(page_of(fund))) == ["Funds", "Cedar Ridge"]
        assert way_back(console.get(page_of(account)))[0] == "Investor accounts"

    def test_a_list_is_named_once(self, sign_in: SignIn) -> None:
        console = sign_in(Role.AUDITOR)
        assert way_back(console.get(list_of("transfers.transfer"))) == ["Transfers"]
        assert way_back(console.get(list_of("transfers.bankinstruction"))) == ["Transfers", "Bank instructions"]


def way_back(page: str) -> list[str]:
    """The words of the path at the top of a page."""
    head = page.partition("<h1")[2].partition("</h1>")[0]
    return [text.strip() for text in re.findall(r"tracking-tight\">([^<]*)</", head)]
