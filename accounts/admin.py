"""Investors and their accounts. Account numbers and secrets go in and never come out: the last four are shown.

Longer than most modules: one page class per model, each a list of columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget

from accounts import services
from accounts.console import CHANGE, COMPLIANCE, owner_text
from accounts.models import BalanceObservation, Credential, Investor, InvestorAccount
from bridge.console.acting import ActingAdmin
from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import EMPTY, amount, badge, link_to, public_id, rows_link, rows_url, when, whole_id
from bridge.console.editing import VersionedAdmin, VersionedForm
from bridge.console.pages import Table, section
from bridge.kernel.bank_details import check_details, wrong_details
from bridge.kernel.money import is_money
from bridge.kernel.results import Actor

NUMBER_LENGTH = 34  # an IBAN has at most so many


def institutions(side: str) -> list[tuple[str, str]]:
    """The institutions of one side (`investor` or `fund`) that Bridge can talk to, for a choice."""
    return [(name, name) for name, options in settings.BRIDGE_GATEWAYS.items() if options.get("side", side) == side]


def write_only(label: str) -> forms.CharField:
    return forms.CharField(
        label=label,
        min_length=4,
        max_length=NUMBER_LENGTH,
        strip=True,
        widget=UnfoldAdminPasswordWidget(render_value=False, attrs={"autocomplete": "off"}),
        help_text="Sealed at once. Nobody sees it again, only the last four.",
    )


@admin.register(Investor)
class InvestorAdmin(ActingAdmin, VersionedAdmin):
    event_subject = "investor"
    verbs = (COMPLIANCE,)
    list_display = ("legal_name", "public", "kind", "country", "login", "state", "created")
    list_filter = ("kind", "status", "country")
    list_select_related = ("user",)
    search_fields = ("legal_name__plainly", "email__iexact", "user__username__exact")
    search_help_text = "A name, an address, a login, or an id (inv_…)."
    ordering = ("legal_name",)
    id_columns: ClassVar = {"investor": "id"}
    raw_id_fields = ("user",)
    readonly_fields = ("identifier", "login", "version", "created")

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[str]:
        fields = ["legal_name", "kind", "email", "country", "user"]
        if obj is None:
            return fields
        if not self.has_change_permission(request, obj):
            fields[-1] = "login"
        return ("identifier", *fields, "status", "version", "created")

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        if row is not None and request.user.has_perm("auth.view_user"):
            row.login_link = link_to(row.user)
        return row

    def verb_rows(self) -> QuerySet:
        return Investor.objects.select_related("compliance")

    def describe(self, row: Investor) -> Sequence[object]:
        return (row.legal_name, badge(row.status))

    def open_row(self, data: dict[str, Any], actor: Actor) -> Investor:
        new = services.NewInvestor(
            kind=data["kind"],
            legal_name=data["legal_name"],
            email=data["email"],
            country=data["country"],
            user_id=data["user"].pk if data.get("user") else None,
        )
        (opened,) = services.open_investors(rows=[new], actor=actor)
        return opened

    @display(description="investor")
    def public(self, row: Investor) -> str:
        return public_id("investor", row.pk)

    @display(description="investor")
    def identifier(self, row: Investor) -> str:
        return whole_id("investor", row.pk)

    @display(description="login")
    def login(self, row: Investor) -> str:
        """A link only on its own page, for those who may open that of a login."""
        return getattr(row, "login_link", "") or (row.user.get_username() if row.user else EMPTY)

    @display(description="status", ordering="status")
    def state(self, row: Investor) -> str:
        return badge(row.status)

    @display(description="since")
    def created(self, row: Investor) -> str:
        return when(row.created_at)


class BankedForm(VersionedForm):
    """Of a row with bank details: a rail that its currency or routing number does not fit is told beside the rail."""

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        row = self.instance
        if not row._state.adding and "rail" in self.changed_data and "rail" in self.cleaned_data:
            rail = self.cleaned_data["rail"]
            for text in wrong_details(currency=row.currency, routing_number=row.routing_number, rail=rail).values():
                self.add_error("rail", text)
        return cleaned


class AccountForm(BankedForm):
    account_number = write_only("Account number")
    institution = forms.ChoiceField(choices=lambda: institutions("investor"), widget=UnfoldAdminSelectWidget)

    class Meta:
        model = InvestorAccount
        fields = ("investor", "institution", "name", "currency", "routing_number", "status")

    def clean_currency(self) -> str:
        code = self.cleaned_data["currency"].upper()
        if not is_money(code):
            raise ValidationError("This is no currency of ISO 4217 in which an account can be kept, such as USD.")
        return code


@admin.register(InvestorAccount)
class InvestorAccountAdmin(ActingAdmin, VersionedAdmin):
    form = BankedForm
    event_subject = "account"
    verbs = (CHANGE,)
    list_display = ("title", "public", "investor_link", "institution", "currency", "held_money", "on_way", "state")
    list_filter = ("institution", "currency", "status")
    list_select_related = ("investor",)
    search_fields = ("name", "number_last4__exact", "investor__legal_name__plainly")
    search_help_text = "A name, an investor, the last four, or an id (acct_…, inv_…)."
    ordering = ("name", "id")
    id_columns: ClassVar = {"account": "id", "investor": "investor_id"}
    autocomplete_fields = ("investor",)
    NEW = ("investor", "institution", "name", "currency", "account_number", "routing_number", "rail")
    SHOWN: Sequence[str] = (
        "identifier",
        "investor_link",
        "institution",
        "number",
        "currency",
        "routing_number",
        "owner",
        "verified",
        "changed",
    )
    FACTS = ("held_money", "on_way", "version", "created", "ledger")

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = AccountForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[str]:
        return self.NEW if obj is None else (*self.SHOWN, "name", "rail", "status", *self.FACTS)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[str]:
        return () if obj is None else (*self.SHOWN, *self.FACTS)

    def verb_rows(self) -> QuerySet:
        return InvestorAccount.objects.select_related("investor")

    def describe(self, row: InvestorAccount) -> Sequence[object]:
        return (str(row), row.investor.legal_name, row.institution, f"routing number {row.routing_number or '–'}")

    @display(description="owner, says the bank")
    def owner(self, row: InvestorAccount) -> str:
        return owner_text(row)

    @display(description="details verified")
    def verified(self, row: InvestorAccount) -> str:
        return when(row.details_verified_at)

    @display(description="details changed")
    def changed(self, row: InvestorAccount) -> str:
        return when(row.details_changed_at)

    def open_row(self, data: dict[str, Any], actor: Actor) -> InvestorAccount:
        new = services.NewAccount(
            investor_id=data["investor"].pk,
            institution=data["institution"],
            name=data["name"],
            currency=data["currency"],
            account_number=data["account_number"],
            routing_number=data["routing_number"],
            rail=data["rail"],
        )
        check_details(
            currency=new.currency,
            routing_number=new.routing_number,
            rail=new.rail,
            account_number=new.account_number,
        )
        (opened,) = services.open_accounts(rows=[new], actor=actor)
        return opened

    @display(description="account", ordering="name")
    def title(self, row: InvestorAccount) -> str:
        return str(row)

    @display(description="id")
    def public(self, row: InvestorAccount) -> str:
        return public_id("account", row.pk)

    @display(description="account")
    def identifier(self, row: InvestorAccount) -> str:
        return whole_id("account", row.pk)

    @display(description="number")
    def number(self, row: InvestorAccount) -> str:
        return f"···{row.number_last4}"

    @display(description="investor", ordering="investor__legal_name")
    def investor_link(self, row: InvestorAccount) -> str:
        return link_to(row.investor)

    @display(description="held", ordering="held")
    def held_money(self, row: InvestorAccount) -> str:
        return amount(row.held, row.currency)

    @display(description="withdrawals not acknowledged")
    def on_way(self, row: InvestorAccount) -> str:
        return amount(row.withdrawals_begun - row.withdrawals_acknowledged, row.currency)

    @display(description="status", ordering="status")
    def state(self, row: InvestorAccount) -> str:
        return badge(row.status)

    @display(description="since")
    def created(self, row: InvestorAccount) -> str:
        return when(row.created_at)

    @display(description="ledger")
    def ledger(self, row: InvestorAccount) -> str:
        return rows_link("ledger.ledgeraccount", "show its ledger accounts", q=row.public_id)


@admin.register(BalanceObservation)
class BalanceObservationAdmin(ReadOnlyAdmin):
    list_display = ("number", "account_link", "available_money", "current_money", "fetched")
    list_filter = ("account__institution", "account__currency")
    list_select_related = ("account",)
    search_fields = ("account__name__exact",)
    search_help_text = "An id of an account (acct_…)."
    ordering = ("-id",)
    id_columns: ClassVar = {"account": "account_id"}
    fields = ("account_link", "available_money", "current_money", "fetched")

    @display(description="observation", ordering="id")
    def number(self, row: BalanceObservation) -> str:
        return f"#{row.pk}"

    @display(description="account")
    def account_link(self, row: BalanceObservation) -> str:
        return link_to(row.account)

    @display(description="available")
    def available_money(self, row: BalanceObservation) -> str:
        return amount(row.available, row.account.currency)

    @display(description="current")
    def current_money(self, row: BalanceObservation) -> str:
        return amount(row.current, row.account.currency)

    @display(description="fetched")
    def fetched(self, row: BalanceObservation) -> str:
        return when(row.fetched_at)


@admin.register(Credential)
class CredentialAdmin(ReadOnlyAdmin):
    """Kept by `manage.py`; here only that there is one."""

    list_display = ("name", "institution", "shown_hint", "state", "created")
    list_filter = ("institution",)
    search_fields = ("name__exact",)
    search_help_text = "A whole name, such as api_key."
    fields = ("name", "institution", "shown_hint", "state", "created")

    @display(description="ends with")
    def shown_hint(self, row: Credential) -> str:
        return f"···{row.hint}"

    @display(description="state")
    def state(self, row: Credential) -> str:
        return badge("revoked", colour="grey") if row.revoked_at else badge("in use", colour="green")

    @display(description="since")
    def created(self, row: Credential) -> str:
        return when(row.created_at)


@section("accounts.investor", permission="accounts.view_investoraccount", order=10)
def accounts_of_investor(request: HttpRequest, investor: Model) -> Table:
    rows = InvestorAccount.objects.filter(investor_id=investor.pk).order_by("name")[:50]
    return Table(
        title="Accounts",
        headers=("account", "institution", "held", "status"),
        rows=[(link_to(row), row.institution, amount(row.held, row.currency), badge(row.status)) for row in rows],
        empty="No account yet: a transfer needs one.",
        numeric=frozenset({2}),
    )


@section("accounts.investoraccount", permission="accounts.view_balanceobservation", order=20)
def observations_of_account(request: HttpRequest, account: Any) -> Table:
    rows = list(BalanceObservation.objects.filter(account_id=account.pk).order_by("-id")[:5])
    return Table(
        title="What the institution said last",
        headers=("fetched", "available", "current"),
        rows=[
            (when(row.fetched_at), amount(row.available, account.currency), amount(row.current, account.currency))
            for row in rows
        ],
        empty="The institution was not asked yet.",
        more=rows_url("accounts.balanceobservation", q=account.public_id) if rows else "",
        numeric=frozenset({1, 2}),
    )
