"""Who may open what, and what nobody may change."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.contrib import admin
from django.db.models import Model
from django.urls import reverse

from accounts.models import Investor, InvestorAccount
from bridge.console.base import ReadOnlyAdmin
from bridge.kernel.results import Role
from bridge.roles import APPS
from funds.models import Fund
from tests.factories import make_login
from tests.functional.admin.conftest import Console, SignIn
from tests.functional.admin.test_pages import everything_of, list_of, page_of
from tests.world import World

EDITABLE = (Investor, InvestorAccount, Fund)
APPEND_ONLY = ("events.Event", "events.Seal", "ledger.Posting", "ledger.Entry", "funds.Verification")
SERVICE_ONLY = ("transfers.Transfer", "transfers.BankInstruction", "transfers.Work", "transfers.InboundCallback")
ALSO = ("notifications.Notification", "accounts.BalanceObservation", "kernel.IdempotencyKey", "funds.FundCapacity")


@pytest.mark.django_db
class TestReadOnly:
    @pytest.mark.parametrize("label", [*APPEND_ONLY, *SERVICE_ONLY, *ALSO])
    def test_nobody_adds_a_row_not_even_a_superuser(self, superuser: Console, label: str) -> None:
        model = apps.get_model(label)
        assert isinstance(admin.site._registry[model], ReadOnlyAdmin)
        url = reverse(f"admin:{label.lower().replace('.', '_')}_add")
        assert superuser.client.get(url).status_code == 403
        assert superuser.client.post(url, {}).status_code == 403

    def test_nobody_changes_or_deletes_a_row_not_even_a_superuser(self, bridge: World, superuser: Console) -> None:
        everything_of(bridge)
        for label in (*APPEND_ONLY, *SERVICE_ONLY, *ALSO):
            row = apps.get_model(label)._default_manager.first()
            if row is None:
                continue
            assert superuser.client.post(page_of(row), {"state": "completed"}).status_code == 403, label
            url = page_of(row).removesuffix("change/") + "delete/"
            assert superuser.client.post(url, {"post": "yes"}).status_code == 403, label

    def test_no_list_of_bridge_offers_to_delete(self, bridge: World, superuser: Console) -> None:
        everything_of(bridge)
        for model in admin.site._registry:
            if model._meta.app_label in APPS:
                assert "delete_selected" not in superuser.get(list_of(model)), model

    def test_people_edit_only_what_people_describe(self) -> None:
        writable = {
            model
            for model, page in admin.site._registry.items()
            if model._meta.app_label in APPS and not isinstance(page, ReadOnlyAdmin)
        }
        assert writable == set(EDITABLE)


class TestRoles:
    def test_a_member_of_staff_without_a_role_sees_nothing(self, bridge: World, sign_in: SignIn) -> None:
        everything_of(bridge)
        console = sign_in(is_staff=True)
        assert "your login has no role" in console.get("/admin/")
        for model in admin.site._registry:
            assert console.status(list_of(model)) == 403, model

    def test_an_investor_does_not_enter(self, sign_in: SignIn) -> None:
        console = sign_in(Role.INVESTOR)
        answer = console.client.get(list_of("transfers.transfer"))
        assert answer.status_code == 302
        assert "/login/" in answer["Location"]

    @pytest.mark.parametrize("role", [Role.AUDITOR, Role.CHECKER])
    def test_only_makers_open_funds_and_accounts(self, bridge: World, sign_in: SignIn, role: Role) -> None:
        fund = bridge.fund()
        console = sign_in(role)
        for model in EDITABLE:
            assert console.status(reverse(f"admin:{model._meta.label_lower.replace('.', '_')}_add")) == 403
        assert console.client.post(page_of(fund), {"name": "Mine now"}).status_code == 403

    def test_an_auditor_reads_credentials_names_and_a_maker_does_not(self, sign_in: SignIn) -> None:
        assert sign_in(Role.AUDITOR).status(list_of("accounts.credential")) == 200
        assert sign_in(Role.MAKER).status(list_of("accounts.credential")) == 403

    def test_logins_and_tokens_are_for_superusers(self, sign_in: SignIn, superuser: Console) -> None:
        for label in ("auth.user", "knox.authtoken", "otp_totp.totpdevice"):
            assert sign_in(Role.COMPLIANCE).status(list_of(label)) == 403
            assert superuser.status(list_of(label)) == 200

    @pytest.mark.parametrize("roles", [(Role.MAKER,), (Role.COMPLIANCE,), (Role.AUDITOR,), ()])
    def test_the_login_of_an_investor_is_a_link_only_for_who_may_follow_it(
        self, bridge: World, sign_in: SignIn, superuser: Console, roles: tuple[Role, ...]
    ) -> None:
        ada = make_login(Role.INVESTOR, username="ada")
        investor = bridge.investor(user_id=ada.pk)
        console = sign_in(*roles) if roles else superuser
        for url in (page_of(investor), list_of(Investor)):
            page = console.get(url)
            assert "ada" in page
            found = re.findall(r'href="(/admin/auth/[^"?]*)', page.partition("<main")[2] or page)
            assert all(console.status(link) == 200 for link in found), (url, found)
        assert (f"/admin/auth/user/{ada.pk}/change/" in console.get(page_of(investor))) == (not roles)

    def test_the_history_of_a_row_is_the_event_log(self, bridge: World, sign_in: SignIn) -> None:
        row: Model = bridge.fund()
        answer = sign_in(Role.AUDITOR).client.get(page_of(row).removesuffix("change/") + "history/", follow=True)
        assert "fund.opened" in answer.content.decode()

    def test_of_a_row_that_the_log_does_not_know_it_says_so(self, sign_in: SignIn) -> None:
        answer = sign_in(Role.AUDITOR).client.get(reverse("admin:events_seal_history", args=[1]), follow=True)
        assert "The event log tells nothing about rows of this kind." in answer.content.decode()
