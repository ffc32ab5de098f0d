"""Papers of investors for funds: compliance keeps them, everybody of the firm reads them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminTextInputWidget,
)

from accounts.models import Investor
from bridge.console import inputs
from bridge.console.acting import ActingAdmin, Verb
from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import badge, link_to, rows_url, when
from bridge.console.finding import typeid
from bridge.console.pages import Table, section
from bridge.kernel.results import Actor, Change, Done, Result, Role
from funds.models import Fund, Subscription
from funds.papers import Papers, record_papers

COMPLIANCE = frozenset({Role.COMPLIANCE})


class PapersForm(forms.Form):
    """What is on file for one fund and investor. Give the fund, and the row where there is one."""

    signed = forms.MultipleChoiceField(
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Documents that compliance holds, signed.",
    )
    counsel_weight = forms.IntegerField(
        min_value=0,
        max_value=1_000_000,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="As how many owners the investor counts, where counsel decided it. Empty: by the usual rules.",
    )
    counsel_note = inputs.text("Which counsel, when and why. Needed with a number.")
    reason = inputs.words("Kept in the event log.", longest=300, required=False)

    def __init__(self, fund: Fund, row: Subscription | None, data: Any = None) -> None:
        initial: dict[str, Any] = {}
        if row is not None:
            initial = {name: getattr(row, name) for name in ("signed", "counsel_weight", "counsel_note")}
        super().__init__(data, initial=initial)
        self.fund, self.row = fund, row
        names = list(dict.fromkeys([*fund.required_documents, *(row.signed if row else ())]))
        self.fields["signed"].choices = [(name, name) for name in names]  # type: ignore[attr-defined]
        if not names:
            self.fields["signed"].help_text = "This fund asks for no documents: name them on the fund's page first."

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("counsel_weight") is not None and not cleaned.get("counsel_note"):
            self.add_error("counsel_note", "Say which counsel decided, when and why.")
        return cleaned


class NewPapersForm(PapersForm):
    """From a fund's page: for any investor. What is on file already is edited on its own page."""

    investor = forms.CharField(
        max_length=200, widget=UnfoldAdminTextInputWidget, help_text="An id (inv_…), or the whole legal name."
    )
    field_order = ("investor", "signed", "counsel_weight", "counsel_note", "reason")

    def clean_investor(self) -> Investor:
        text = self.cleaned_data["investor"].strip()
        found = typeid(text)
        if found is not None and found[0] == "investor":
            rows = list(Investor.objects.filter(pk=found[1]))
        else:
            rows = list(Investor.objects.filter(legal_name__iexact=text)[:2])
        if len(rows) != 1:
            raise forms.ValidationError("No investor has this name." if not rows else "Several have it: use the id.")
        if Subscription.objects.filter(fund=self.fund, investor=rows[0]).exists():
            raise forms.ValidationError("There are papers on file: edit them under Subscriptions.")
        return rows[0]


def _papers(row: Subscription, data: dict[str, Any]) -> Papers:
    return Papers(row.fund_id, row.investor_id, tuple(data["signed"]), data["counsel_weight"], data["counsel_note"])


def _edit(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    (change,) = changes
    row = Subscription.objects.get(pk=change.id)
    kept = record_papers(
        papers=_papers(row, data), actor=actor, expected_version=change.expected_version, reason=change.reason
    )
    return [Done(kept.pk, "", kept.version)]


def _begin(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    """The version is the fund's, whose documents the person saw; that there are no papers yet is version 0."""
    (change,) = changes
    papers = _papers(Subscription(fund_id=change.id, investor=data["investor"]), data)
    record_papers(papers=papers, actor=actor, expected_version=0, reason=change.reason)
    return [Done(change.id)]


PAPERS = Verb(
    name="papers",
    label="Record papers",
    done="papers recorded",
    question="You keep which subscription documents an investor has signed for this fund. The rules read it.",
    run=_begin,
    fits=lambda fund: True,
    roles=COMPLIANCE,
    icon="history_edu",
    build=lambda row, data: NewPapersForm(row, None, data),
    several=False,
)


@admin.register(Subscription)
class SubscriptionAdmin(ActingAdmin, ReadOnlyAdmin):
    verbs = (
        Verb(
            name="edit",
            label="Edit the papers",
            done="papers recorded",
            question="You keep which subscription documents the investor has signed. The rules read it at once.",
            run=_edit,
            fits=lambda row: True,
            roles=COMPLIANCE,
            icon="history_edu",
            build=lambda row, data: PapersForm(row.fund, row, data),
            several=False,
        ),
    )
    list_display = ("name", "fund_link", "papers", "counsel_weight", "changed")
    list_filter = ("fund",)
    list_select_related = ("fund", "investor")
    search_fields = ("investor__legal_name",)
    search_help_text = "An investor's name, or an id (fund_…, inv_…)."
    ordering = ("-updated_at",)
    id_columns: ClassVar = {"fund": "fund_id", "investor": "investor_id"}
    fields = ("investor_link", "fund_link", "papers", "counsel_weight", "counsel_note", "changed", "version")

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("fund", "investor")

    def verb_rows(self) -> QuerySet:
        return Subscription.objects.select_related("fund", "investor")

    def describe(self, row: Subscription) -> Sequence[object]:
        return (row.investor.legal_name, row.fund.name, papers_text(row))

    @display(description="investor", ordering="investor__legal_name")
    def name(self, row: Subscription) -> str:
        return row.investor.legal_name

    @display(description="investor")
    def investor_link(self, row: Subscription) -> str:
        return link_to(row.investor)

    @display(description="fund", ordering="fund__name")
    def fund_link(self, row: Subscription) -> str:
        return link_to(row.fund)

    @display(description="documents")
    def papers(self, row: Subscription) -> str:
        return papers_text(row)

    @display(description="changed", ordering="updated_at")
    def changed(self, row: Subscription) -> str:
        return when(row.updated_at)


def papers_text(row: Subscription) -> str:
    missing = [name for name in row.fund.required_documents if name not in row.signed]
    if missing:
        return badge("hold", f"not signed: {', '.join(missing)}")
    return badge("pass", ", ".join(row.signed)) if row.signed else "none are asked for"


@section("accounts.investor", permission="funds.view_subscription", order=25)
def papers_of_investor(request: HttpRequest, investor: Any) -> Table:
    rows = list(
        Subscription.objects.filter(investor_id=investor.pk).select_related("fund").order_by("-updated_at")[:10]
    )
    return Table(
        title="Subscription papers",
        headers=("fund", "documents", "counsel's weight", "changed"),
        rows=[
            (
                link_to(row.fund),
                link_to(row, papers_text(row)),
                "" if row.counsel_weight is None else row.counsel_weight,
                when(row.updated_at),
            )
            for row in rows
        ],
        empty="No papers on file. They are recorded on the page of a fund.",
        more=rows_url("funds.subscription", q=investor.public_id) if rows else "",
    )
