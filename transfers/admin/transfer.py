"""Transfers: a list that finds, a page that tells one transfer's whole story, and the actions that are legal now."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from unfold.decorators import display

from bridge.console.acting import ActingAdmin
from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import amount, badge, link_to, public_id, when
from bridge.console.named import named
from bridge.console.recent import recent
from funds.models import Fund
from transfers import blockers, references
from transfers.admin import case, story
from transfers.admin.criteria import CRITERIA_VERBS
from transfers.admin.filters import BlockerFilter, StateFilter
from transfers.admin.finders import SHORTEST_NAME, funds_named, investors_named
from transfers.admin.money import MONEY_VERBS
from transfers.admin.verbs import TRANSFER_VERBS
from transfers.models import BankInstruction, Transfer
from transfers.states import State

MOST_INVESTORS = 500
LONGEST_WHY = 160


def _currencies() -> Iterable[str]:
    """A transfer has its fund's currency."""
    return Fund.objects.order_by("currency").values_list("currency", flat=True).distinct()


@admin.register(Transfer)
class TransferAdmin(ActingAdmin, ReadOnlyAdmin):
    change_form_template = "console/transfer.html"
    verbs = (*TRANSFER_VERBS, *CRITERIA_VERBS, *MONEY_VERBS)
    list_display = ("public", "state_badge", "money", "source", "fund_link", "created")
    list_filter = (StateFilter, BlockerFilter, "fund", named("currency", _currencies), recent("created_at"))
    list_select_related = ("source_account", "investor", "fund")
    search_fields = ("external_id__exact",)
    search_help_text = (
        "An id (trf_…, ins_…, acct_…, inv_…, fund_…), its beginning, or among the newest its last six letters; an "
        "external id, a leg's key or reference (its first twelve letters too), or a name of an investor or a fund."
    )
    ordering = ("-id",)
    id_columns: ClassVar = {
        "transfer": "id",
        "account": "source_account_id",
        "investor": "investor_id",
        "fund": "fund_id",
    }

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(self.case_view)
        return [path("<uuid:pk>/case/", page, name="transfers_transfer_case"), *super().get_urls()]

    def case_view(self, request: HttpRequest, pk: uuid.UUID) -> HttpResponse:
        """The whole family's money, for people who may see the ledger."""
        if not self.has_view_permission(request) or not request.user.has_perm("ledger.view_entry"):
            raise PermissionDenied
        row = self.get_queryset(request).filter(pk=pk).first()
        if row is None:
            raise Http404
        told = case.context(request, row)
        for member, shown in zip(told["case"].members, told["members"], strict=True):
            shown["verbs"] = self.verbs_for(request, member)
        context = {**self.admin_site.each_context(request), **told}
        return TemplateResponse(request, "console/case.html", context)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if search_term.strip().lower().startswith("ins_"):
            legs, _ = self.admin_site._registry[BankInstruction].get_search_results(
                request, BankInstruction.objects.all(), search_term
            )
            return queryset.filter(pk__in=legs.values("transfer_id")), False
        return super().get_search_results(request, queryset, search_term)

    def find(self, term: str) -> Q:
        """Each way of naming a transfer is looked up by its own index, and the transfers found are put together."""
        found = Q(external_id=term)
        legs = BankInstruction.objects.filter(references.named(term))
        found |= Q(pk__in=list(legs.values_list("transfer_id", flat=True)[:100]))
        if len(term) >= SHORTEST_NAME:
            found |= Q(investor_id__in=[investor.pk for investor in investors_named(term, MOST_INVESTORS)])
            found |= Q(fund_id__in=[fund.pk for fund in funds_named(term)])
        return found

    def verb_rows(self) -> QuerySet:
        return Transfer.objects.select_related("source_account", "investor", "fund")

    def describe(self, row: Transfer) -> Sequence[object]:
        return (
            row.public_id,
            badge(row.state),
            amount(row.amount, row.currency),
            f"{row.investor} ···{row.source_account.number_last4} → {row.fund}",
        )

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("source_account", "investor", "fund")

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Sequence[str]:
        return ("created",)  # the page is its own template: see `console/transfer.html`

    def page_context(self, request: HttpRequest, row: Model) -> dict[str, Any]:
        assert isinstance(row, Transfer)
        return {**super().page_context(request, row), **story.context(request, row)}

    @display(description="transfer")
    def public(self, row: Transfer) -> str:
        return public_id("transfer", row.pk)

    @display(description="state")
    def state_badge(self, row: Transfer) -> str:
        if row.state in (State.IN_REVIEW, State.WAITLISTED) and row.blocker_message:
            # A queue is read before its rows are opened: why each one waits.
            why = (
                f"{row.blocker_message[:LONGEST_WHY]}…"
                if len(row.blocker_message) > LONGEST_WHY
                else row.blocker_message
            )
            return format_html('{}<div class="bridge-below bridge-why">{}</div>', badge(row.state), why)
        if not row.blocker_code or row.blocker_code == row.state:
            return badge(row.state)
        why = badge(row.blocker_code, blockers.of(row.blocker_code).title, "amber")
        return format_html('{}<div class="bridge-below">{}</div>', badge(row.state), why)

    @display(description="amount", ordering="amount")
    def money(self, row: Transfer) -> str:
        return amount(row.amount, row.currency)

    @display(description="from")
    def source(self, row: Transfer) -> str:
        account = link_to(row.source_account, f"···{row.source_account.number_last4}")
        return format_html('{} <span class="bridge-muted">{}</span>', link_to(row.investor), account)

    @display(description="to")
    def fund_link(self, row: Transfer) -> str:
        return link_to(row.fund)

    @display(description="requested", ordering="id")
    def created(self, row: Transfer) -> str:
        return when(row.created_at)
