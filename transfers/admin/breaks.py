"""Reconciliation: its runs, and the differences that somebody has to explain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.contrib import admin
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from bridge.console.acting import ActingAdmin
from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import amount, badge, id_link, json_block, link_to, when, whole_id
from transfers.admin.filters import ResolvedFilter
from transfers.admin.verbs import BREAK_VERBS
from transfers.models import Break, ReconciliationRun


@admin.register(Break)
class BreakAdmin(ActingAdmin, ReadOnlyAdmin):
    verbs = BREAK_VERBS
    list_display = (
        "what",
        "state_badge",
        "institution",
        "transfer_link",
        "our_amount",
        "their_amount",
        "explanation",
        "date",
    )
    list_filter = (ResolvedFilter, "kind", "institution")
    search_fields = ("reference__exact",)
    search_help_text = "An id (brk_…, trf_…, ins_…), or a reference."
    date_hierarchy = "date"
    ordering = ("-first_seen_at",)
    id_columns: ClassVar = {"break": "id", "transfer": "transfer_id", "instruction": "instruction_id"}
    fields = (
        "identifier",
        "what",
        "state_badge",
        "explanation",
        "institution",
        "reference",
        "transfer_link",
        "instruction_link",
        "our_amount",
        "their_amount",
        "difference",
        "date",
        "first_seen",
        "last_seen",
        "resolution",
        "person",
        "resolved",
        "version",
    )

    def describe(self, row: Break) -> Sequence[object]:
        return (
            str(row),
            amount(row.ours, row.currency),
            amount(row.theirs, row.currency),
            row.explanation,
        )

    @display(description="break")
    def what(self, row: Break) -> str:
        return row.get_kind_display()  # type: ignore[attr-defined]

    @display(description="break")
    def identifier(self, row: Break) -> str:
        return whole_id("break", row.pk)

    @display(description="state")
    def state_badge(self, row: Break) -> str:
        return badge("resolved", colour="grey") if row.resolved_at else badge("open", colour="red")

    @display(description="transfer")
    def transfer_link(self, row: Break) -> str:
        return id_link("transfer", "transfers.transfer", row.transfer_id)

    @display(description="instruction")
    def instruction_link(self, row: Break) -> str:
        return id_link("instruction", "transfers.bankinstruction", row.instruction_id)

    @display(description="ours")
    def our_amount(self, row: Break) -> str:
        return amount(row.ours, row.currency)

    @display(description="theirs")
    def their_amount(self, row: Break) -> str:
        return amount(row.theirs, row.currency)

    @display(description="ours less theirs")
    def difference(self, row: Break) -> str:
        return amount((row.ours or 0) - (row.theirs or 0), row.currency)

    @display(description="first seen")
    def first_seen(self, row: Break) -> str:
        return when(row.first_seen_at)

    @display(description="last seen")
    def last_seen(self, row: Break) -> str:
        return when(row.last_seen_at)

    @display(description="resolved by")
    def person(self, row: Break) -> str:
        return link_to(row.resolved_by)

    @display(description="resolved")
    def resolved(self, row: Break) -> str:
        return when(row.resolved_at)


@admin.register(ReconciliationRun)
class ReconciliationRunAdmin(ReadOnlyAdmin):
    list_display = ("date", "result", "matched", "new_breaks", "open_breaks", "made")
    date_hierarchy = "date"
    ordering = ("-id",)
    fields = ("date", "result", "matched", "new_breaks", "open_breaks", "made", "shown_problems", "shown_unstated")

    @display(description="result")
    def result(self, row: ReconciliationRun) -> str:
        if row.problems:
            return badge("incomplete", colour="red")
        if row.new_breaks:
            return badge("new breaks", colour="amber")
        if row.unstated:
            return badge("no statement", f"clean, but no statement for {', '.join(row.unstated)}", "amber")
        return badge("clean", colour="green")

    @display(description="made")
    def made(self, row: ReconciliationRun) -> str:
        return when(row.at)

    @display(description="who did not answer")
    def shown_problems(self, row: ReconciliationRun) -> str:
        return json_block(row.problems) if row.problems else "nobody: all answered"

    @display(description="settlement account")
    def shown_unstated(self, row: ReconciliationRun) -> SafeString | str:
        if not row.unstated:
            return "wherever it moved on this day, it was compared with its statement"
        return format_html(
            "{} Import it with <code>manage.py import_statement FILE</code>, then reconcile the day again.",
            without_statement(row),
        )


def without_statement(row: ReconciliationRun) -> str:
    """What a run did not look at, in words."""
    where = "Agrees as far as it was looked at; no" if not row.open_breaks and not row.problems else "No"
    return f"{where} statement of {row.date:%d %b %Y} for {', '.join(row.unstated)}."
