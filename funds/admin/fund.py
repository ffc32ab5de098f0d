"""Funds: what people describe, how full they are, who has a place, and what the rules decided.

Longer than most modules: one page class per model, each a list of columns.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import BooleanField, ExpressionWrapper, Field, Model, Q, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from accounts.admin import BankedForm, institutions, write_only
from bridge.console import inputs
from bridge.console.acting import ActingAdmin
from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import (
    EMPTY,
    amount,
    badge,
    bar,
    id_link,
    json_block,
    link_to,
    masked,
    money_text,
    public_id,
    rows_link,
    rows_url,
    when,
    whole_id,
)
from bridge.console.editing import VersionedAdmin
from bridge.console.named import named
from bridge.console.pages import Table, namer, section
from bridge.console.recent import recent
from bridge.kernel import clock
from bridge.kernel.bank_details import check_details
from bridge.kernel.money import is_money
from bridge.kernel.results import Actor
from funds import services
from funds.admin.actions import VERBS
from funds.admin.papers import PAPERS
from funds.models import Allocation, Fund, FundCapacity, Reservation, Verification
from funds.rules.outcomes import Outcome

DEFAULTS = {"regime": Fund.Regime.NONE, "eligibility": Fund.Eligibility.NONE, "contributed_elsewhere": 0}
MONEY = {
    "minimum": "Per investor.",
    "maximum": "Per investor. Empty for none.",
    "second_person_above": "Transfers above it need a second person. Empty for none.",
    "escrow_minimum": "Nothing goes on to the fund before so much has come in. Empty for none.",
    "contributed_elsewhere": "Promised to the fund outside Bridge: it counts for the legal regime.",
}
CRITERIA = (
    "regime",
    "eligibility",
    "required_documents",
    "second_person_above",
    "escrow_minimum",
    "contributed_elsewhere",
    "rail",
)


class FundForm(BankedForm):
    """A fund, with amounts in its own currency."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        currency = self.instance.currency or str(self.data.get("currency", "")).strip().upper()
        names = [name for name in MONEY if name in self.fields]
        if is_money(currency):  # another is refused by itself
            inputs.amount_in(currency, self, *names)
            return
        for name in names:
            self.fields[name].help_text += " In the fund's currency, such as 25,000.00."

    def clean(self) -> dict[str, Any] | None:
        """What the table's constraints would refuse by their names is told in words, beside the field to mend."""
        cleaned = super().clean()
        least, most = self.cleaned_data.get("minimum"), self.cleaned_data.get("maximum")
        if least is not None and most is not None and most < least:
            self.add_error("maximum", "The maximum is below the minimum: write a larger one, or leave it empty.")
        opens, closes = self.cleaned_data.get("opens_at"), self.cleaned_data.get("closes_at")
        if opens and closes and closes <= opens:
            self.add_error("closes_at", "The fund would close before it opens: choose a later time, or leave it empty.")
        return cleaned


class NewFundForm(FundForm):
    """A new fund."""

    account_number = write_only("Account number")
    institution = forms.ChoiceField(choices=lambda: institutions("fund"), widget=UnfoldAdminSelectWidget)

    class Meta:
        model = Fund
        fields = ("code", "name", "kind", "currency", "institution", "minimum", "maximum", "opens_at", "closes_at")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in DEFAULTS:
            self.fields[name].required = False

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        for name, default in DEFAULTS.items():
            if not self.cleaned_data.get(name):
                self.cleaned_data[name] = default
        return cleaned

    def clean_currency(self) -> str:
        code = self.cleaned_data["currency"].upper()
        if not is_money(code):
            raise forms.ValidationError("This is no currency of ISO 4217 in which an account can be kept, such as USD.")
        return code


def is_late(at: datetime) -> Q:
    """Open past its closing date: it takes no new requests, and nobody has begun to close it."""
    return Q(status=Fund.Status.OPEN, closes_at__lte=at)


def funds_at(at: datetime) -> QuerySet[Fund]:
    """With `late`, for `status_badge`."""
    return Fund.objects.annotate(late=ExpressionWrapper(is_late(at), output_field=BooleanField()))


def status_badge(fund: Any) -> SafeString:
    """Of a row of `funds_at`."""
    if not fund.late:
        return badge(fund.status)
    return format_html(
        '{}<div class="bridge-below">{}</div>', badge(fund.status), badge("late", "closing date passed", "amber")
    )


def seats_bar(capacity: FundCapacity | None) -> SafeString | str:
    if capacity is None:
        return EMPTY
    if capacity.seat_limit is None:
        return bar(0, None, f"{capacity.seats_taken:,} · no limit")
    return bar(capacity.seats_taken, capacity.seat_limit, f"{capacity.seats_taken:,} of {capacity.seat_limit:,}")


def dollars_bar(capacity: FundCapacity | None, currency: str) -> SafeString | str:
    if capacity is None:
        return EMPTY
    taken = capacity.reserved + capacity.confirmed
    if capacity.hard_cap is None:
        return bar(0, None, f"{money_text(taken, currency)} · no cap")
    return bar(
        taken,
        capacity.hard_cap,
        f"{money_text(taken, currency)} of {money_text(capacity.hard_cap, currency).removeprefix(currency).strip()}",
    )


@admin.register(Fund)
class FundAdmin(ActingAdmin, VersionedAdmin):
    form = FundForm
    event_subject = "fund"
    verbs = (*VERBS, PAPERS)
    list_display = ("title", "public", "state", "seats", "dollars", "smallest", "closes")
    list_filter = ("status", "kind", "currency")
    list_select_related = ("capacity",)
    search_fields = ("name__plainly", "code")
    search_help_text = "A name, a code, or an id (fund_…)."
    ordering = ("name",)
    id_columns: ClassVar = {"fund": "id"}
    NEW = (
        "code",
        "name",
        "description",
        "kind",
        "currency",
        "minimum",
        "maximum",
        "opens_at",
        "closes_at",
        "on_deposit_failure",
        *CRITERIA,
        "institution",
        "account_number",
        "routing_number",
    )
    PEOPLES = (
        "name",
        "description",
        "kind",
        "minimum",
        "maximum",
        "opens_at",
        "closes_at",
        "on_deposit_failure",
        *CRITERIA,
    )
    SHOWN = ("identifier", "code", "state", "seats", "dollars")
    READ = ("documents", "two_people", "escrow", "elsewhere")
    FACTS = ("currency", "institution", "number", "routing_number", "version", "created", "ledger")

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = NewFundForm
        return super().get_form(request, obj, change=change, **kwargs)

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[str]:
        if obj is None:
            return self.NEW
        peoples: Sequence[str] = self.PEOPLES
        if not self.has_change_permission(request, obj):
            shown = {"minimum": "smallest", "maximum": "largest", "required_documents": "documents"}
            shown |= {
                "second_person_above": "two_people",
                "escrow_minimum": "escrow",
                "contributed_elsewhere": "elsewhere",
            }
            peoples = [shown.get(name, name) for name in peoples]
        return (*self.SHOWN, *peoples, *self.FACTS)

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in MONEY:
            label = capfirst(str(db_field.verbose_name))
            least = 1 if db_field.name == "minimum" else 0
            return inputs.Amount(MONEY[db_field.name], least=least, required=not db_field.blank, label=label)
        if db_field.name == "required_documents":
            kwargs |= {"help_text": "Documents that an investor must have signed, separated by commas."}
            kwargs |= {"widget": UnfoldAdminTextInputWidget}
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if db_field.name == "description":
            field.widget.attrs["rows"] = 3
        return field

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[str]:
        return () if obj is None else (*self.SHOWN, *self.FACTS, "smallest", "largest", *self.READ)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return funds_at(clock.now()).order_by(*self.ordering)

    def verb_rows(self) -> QuerySet:
        return funds_at(clock.now()).select_related("capacity")

    def describe(self, row: Fund) -> Sequence[object]:
        capacity = getattr(row, "capacity", None)
        return (row.name, status_badge(row), seats_bar(capacity), dollars_bar(capacity, row.currency))

    def open_row(self, data: dict[str, Any], actor: Actor) -> Fund:
        values = {name: data[name] for name in self.NEW}
        values["required_documents"] = tuple(values["required_documents"] or ())
        new = services.NewFund(**values)
        check_details(
            currency=new.currency,
            routing_number=new.routing_number,
            rail=new.rail,
            account_number=new.account_number,
        )
        (opened,) = services.open_funds(rows=[new], actor=actor)
        return opened

    @display(description="name", ordering="name")
    def title(self, row: Fund) -> str:
        return format_html('{}<div class="bridge-muted">{}</div>', row.name, row.get_kind_display())  # type: ignore[attr-defined]

    @display(description="fund")
    def public(self, row: Fund) -> str:
        return public_id("fund", row.pk)

    @display(description="fund")
    def identifier(self, row: Fund) -> str:
        return whole_id("fund", row.pk)

    @display(description="status", ordering="status")
    def state(self, row: Fund) -> str:
        return status_badge(row)

    @display(description="seats")
    def seats(self, row: Fund) -> str:
        return seats_bar(getattr(row, "capacity", None))

    @display(description="money taken")
    def dollars(self, row: Fund) -> str:
        return dollars_bar(getattr(row, "capacity", None), row.currency)

    @display(description="minimum", ordering="minimum")
    def smallest(self, row: Fund) -> str:
        return amount(row.minimum, row.currency)

    @display(description="maximum", ordering="maximum")
    def largest(self, row: Fund) -> str:
        return amount(row.maximum, row.currency)

    @display(description="required documents")
    def documents(self, row: Fund) -> str:
        return ", ".join(row.required_documents) or "none"

    @display(description="second person above")
    def two_people(self, row: Fund) -> str:
        return amount(row.second_person_above, row.currency)

    @display(description="escrow minimum")
    def escrow(self, row: Fund) -> str:
        return amount(row.escrow_minimum, row.currency)

    @display(description="contributed elsewhere")
    def elsewhere(self, row: Fund) -> str:
        return amount(row.contributed_elsewhere, row.currency)

    @display(description="closes", ordering="closes_at")
    def closes(self, row: Fund) -> str:
        return when(row.closes_at)

    @display(description="account number")
    def number(self, row: Fund) -> str:
        return f"···{row.number_last4}"

    @display(description="since")
    def created(self, row: Fund) -> str:
        return when(row.created_at)

    @display(description="ledger")
    def ledger(self, row: Fund) -> str:
        return rows_link("ledger.ledgeraccount", "show its ledger accounts", q=row.public_id)


@admin.register(FundCapacity)
class FundCapacityAdmin(ReadOnlyAdmin):
    list_display = ("fund_link", "seats", "dollars", "reserved_money", "confirmed_money")
    list_select_related = ("fund",)
    ordering = ("fund__name",)
    fields = ("fund_link", "seats", "dollars", "reserved_money", "confirmed_money")

    @display(description="fund")
    def fund_link(self, row: FundCapacity) -> str:
        return str(row.fund)

    @display(description="seats")
    def seats(self, row: FundCapacity) -> str:
        return seats_bar(row)

    @display(description="reserved and confirmed")
    def dollars(self, row: FundCapacity) -> str:
        return dollars_bar(row, row.fund.currency)

    @display(description="reserved")
    def reserved_money(self, row: FundCapacity) -> str:
        return amount(row.reserved, row.fund.currency)

    @display(description="confirmed")
    def confirmed_money(self, row: FundCapacity) -> str:
        return amount(row.confirmed, row.fund.currency)


@admin.register(Allocation)
class AllocationAdmin(ReadOnlyAdmin):
    list_display = ("public", "fund_link", "investor_link", "reserved_money", "confirmed_money", "created")
    list_filter = ("fund",)
    list_select_related = ("fund", "investor")
    search_fields = ("investor__legal_name__plainly",)
    search_help_text = "An investor's name, or an id (alo_…, fund_…, inv_…)."
    ordering = ("-id",)
    id_columns: ClassVar = {"allocation": "id", "fund": "fund_id", "investor": "investor_id"}
    fields = ("fund_link", "investor_link", "reserved_money", "confirmed_money", "created")

    @display(description="allocation")
    def public(self, row: Allocation) -> str:
        return public_id("allocation", row.pk)

    @display(description="fund", ordering="fund__name")
    def fund_link(self, row: Allocation) -> str:
        return link_to(row.fund)

    @display(description="investor", ordering="investor__legal_name")
    def investor_link(self, row: Allocation) -> str:
        return link_to(row.investor)

    @display(description="reserved", ordering="reserved")
    def reserved_money(self, row: Allocation) -> str:
        return amount(row.reserved, row.fund.currency)

    @display(description="confirmed", ordering="confirmed")
    def confirmed_money(self, row: Allocation) -> str:
        return amount(row.confirmed, row.fund.currency)

    @display(description="since")
    def created(self, row: Allocation) -> str:
        return when(row.created_at)


@admin.register(Reservation)
class ReservationAdmin(ReadOnlyAdmin):
    list_display = ("public", "transfer", "fund_link", "investor_link", "money", "state_badge", "expires")
    list_filter = ("state", "allocation__fund")
    list_select_related = ("allocation__fund", "allocation__investor")
    search_fields = ("allocation__investor__legal_name__plainly",)
    search_help_text = "An investor's name, or an id (rsv_…, trf_…, alo_…)."
    ordering = ("-id",)
    id_columns: ClassVar = {"reservation": "id", "transfer": "transfer_id", "allocation": "allocation_id"}
    fields = ("transfer", "fund_link", "investor_link", "money", "state_badge", "expires", "place")

    @display(description="reservation")
    def public(self, row: Reservation) -> str:
        return public_id("reservation", row.pk)

    @display(description="transfer")
    def transfer(self, row: Reservation) -> str:
        return id_link("transfer", "transfers.transfer", row.transfer_id)

    @display(description="fund")
    def fund_link(self, row: Reservation) -> str:
        return link_to(row.allocation.fund)

    @display(description="investor")
    def investor_link(self, row: Reservation) -> str:
        return link_to(row.allocation.investor)

    @display(description="amount", ordering="amount")
    def money(self, row: Reservation) -> str:
        return amount(row.amount, row.allocation.fund.currency)

    @display(description="state")
    def state_badge(self, row: Reservation) -> str:
        return badge(row.state)

    @display(description="expires")
    def expires(self, row: Reservation) -> str:
        return when(row.expires_at)

    @display(description="allocation")
    def place(self, row: Reservation) -> str:
        return id_link("allocation", "funds.allocation", row.allocation_id)


@admin.register(Verification)
class VerificationAdmin(ReadOnlyAdmin):
    list_display = ("public", "transfer", "fund_link", "stage", "result", "made")
    list_filter = ("stage", named("outcome", lambda: [outcome.value for outcome in Outcome]), "fund", recent("at"))
    list_select_related = ("fund",)
    search_fields = ("outcome__exact",)
    search_help_text = "An id (ver_…, trf_…, fund_…)."
    ordering = ("-id",)
    id_columns: ClassVar = {"verification": "id", "transfer": "transfer_id", "fund": "fund_id"}
    fields = ("identifier", "transfer", "fund_link", "stage", "result", "made", "shown_facts")

    @display(description="verification")
    def public(self, row: Verification) -> str:
        return public_id("verification", row.pk)

    @display(description="verification")
    def identifier(self, row: Verification) -> str:
        return whole_id("verification", row.pk)

    @display(description="transfer")
    def transfer(self, row: Verification) -> str:
        return id_link("transfer", "transfers.transfer", row.transfer_id)

    @display(description="fund")
    def fund_link(self, row: Verification) -> str:
        return link_to(row.fund)

    @display(description="outcome")
    def result(self, row: Verification) -> str:
        return badge(row.outcome)

    @display(description="at")
    def made(self, row: Verification) -> str:
        return when(row.at)

    @display(description="facts that the rules saw")
    def shown_facts(self, row: Verification) -> str:
        return json_block(row.facts)


@section("funds.verification", permission="funds.view_verification", order=10)
def decisions_of_verification(request: HttpRequest, verification: Any) -> Table:
    return Table(
        title="Decisions",
        headers=("rule", "outcome", "reason", "what it saw"),
        rows=[
            (
                f"{str(decision.get('rule', '')).replace('_', ' ')} v{decision.get('version', '')}",
                badge(decision.get("outcome", "")),
                decision.get("reason", ""),
                ", ".join(f"{name}: {value}" for name, value in (masked(decision.get("inputs") or {})).items()),
            )
            for decision in verification.decisions
        ],
        empty="No rule was asked.",
    )


@section("funds.fund", permission="funds.view_allocation", order=20)
def places_in_fund(request: HttpRequest, fund: Any) -> Table:
    rows = list(
        Allocation.objects.filter(fund_id=fund.pk).select_related("investor").order_by("-id")[:10],
    )
    return Table(
        title="Places",
        headers=("investor", "reserved", "confirmed"),
        rows=[
            (link_to(row.investor), amount(row.reserved, fund.currency), amount(row.confirmed, fund.currency))
            for row in rows
        ],
        empty="Nobody has a place yet.",
        more=rows_url("funds.allocation", q=fund.public_id) if rows else "",
        numeric=frozenset({1, 2}),
    )


@section("accounts.investor", permission="funds.view_allocation", order=20)
def places_of_investor(request: HttpRequest, investor: Any) -> Table:
    rows = list(Allocation.objects.filter(investor_id=investor.pk).select_related("fund").order_by("-id")[:10])
    return Table(
        title="Places in funds",
        headers=("fund", "reserved", "confirmed"),
        rows=[
            (link_to(row.fund), amount(row.reserved, row.fund.currency), amount(row.confirmed, row.fund.currency))
            for row in rows
        ],
        empty="No place in any fund yet.",
        more=rows_url("funds.allocation", q=investor.public_id) if rows else "",
        numeric=frozenset({1, 2}),
    )


@namer("owner", permission="funds.view_fund")
def funds_named(keys: Collection[uuid.UUID]) -> dict[uuid.UUID, object]:
    """The funds among these owners."""
    return {row.pk: link_to(row) for row in Fund.objects.filter(pk__in=keys)}
