"""Money that nobody could place yet: the queue and the page of a receipt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from accounts.ledger.models import Posting
from bridge.console.acting import ActingAdmin
from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import amount, badge, id_link, link, when, whole_id
from bridge.console.pages import Table, section
from transfers.admin.receipt_verbs import RECEIPT_VERBS
from transfers.models import Receipt

S = Receipt.State
COLOURS = {S.UNIDENTIFIED: "amber", S.IDENTIFIED: "green", S.SENT_BACK: "grey"}


class ReceiptFilter(SimpleListFilter):
    """Open ones unless something else is chosen."""

    title = "queue"
    parameter_name = "queue"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("all", "all"), (S.IDENTIFIED.value, "identified"), (S.SENT_BACK.value, "sent back")]

    def choices(self, changelist: Any) -> Any:
        first, *others = super().choices(changelist)
        yield {**first, "display": "unidentified"}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value == "all":
            return queryset
        return queryset.filter(state=value if value in S.values else S.UNIDENTIFIED)


@admin.register(Receipt)
class ReceiptAdmin(ActingAdmin, ReadOnlyAdmin):
    verbs = RECEIPT_VERBS
    list_display = ("public", "state_badge", "money", "sender", "reference", "received", "transfer_link")
    list_filter = (ReceiptFilter, "currency")
    search_fields = ("reference__icontains",)
    search_help_text = "An id (rct_…, trf_…), the bank's line or reference, or words of sender or reference."
    ordering = ("-id",)
    id_columns: ClassVar = {"receipt": "id", "transfer": "transfer_id", "posting": "opened_by"}
    fields = (
        "identifier",
        "state_badge",
        "money",
        "sender",
        "reference",
        "received",
        "account",
        "stated_on",
        "line",
        "institution_reference",
        "belongs_to",
        "bank_reference",
        "back_shown_by",
        "why",
        "decided",
        "version",
    )

    def find(self, term: str) -> Q:
        return Q(line=term) | Q(institution_reference=term) | Q(sender__icontains=term) | Q(reference__icontains=term)

    def describe(self, row: Receipt) -> Sequence[object]:
        return (row.public_id, amount(row.amount, row.currency), row.sender or "sender not named", row.reference)

    @display(description="receipt")
    def public(self, row: Receipt) -> str:
        return id_link("receipt", "transfers.receipt", row.pk)

    @display(description="receipt")
    def identifier(self, row: Receipt) -> str:
        return whole_id("receipt", row.pk)

    @display(description="state")
    def state_badge(self, row: Receipt) -> str:
        return badge(row.state, row.get_state_display(), COLOURS[S(row.state)])  # type: ignore[attr-defined]

    @display(description="amount", ordering="amount")
    def money(self, row: Receipt) -> str:
        return amount(row.amount, row.currency)

    @display(description="received", ordering="received_at")
    def received(self, row: Receipt) -> str:
        return when(row.received_at)

    @display(description="transfer")
    def transfer_link(self, row: Receipt) -> str:
        return id_link("transfer", "transfers.transfer", row.transfer_id)

    @display(description="belongs to")
    def belongs_to(self, row: Receipt) -> str:
        if row.of_the_firm:
            return "the firm"
        return id_link("transfer", "transfers.transfer", row.transfer_id)

    @display(description="decided")
    def decided(self, row: Receipt) -> str:
        return when(row.decided_at)


@section("transfers.receipt", permission="ledger.view_posting", order=20)
def postings_of_receipt(request: HttpRequest, receipt: Any) -> Table:
    rows = Posting.objects.filter(pk__in=[pk for pk in (receipt.opened_by, receipt.closed_by) if pk]).order_by("id")
    return Table(
        title="Postings",
        headers=("row", "bank's date", "written"),
        rows=[(link("ledger.posting", row.pk, row.row), when(row.effective_at), when(row.created_at)) for row in rows],
        note="An identification that was a mistake is reversed on the page of its posting.",
    )
