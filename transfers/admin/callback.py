"""What institutions told us, to read."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import badge, json_block, when
from transfers.admin.filters import ProblemFilter
from transfers.models import InboundCallback


@admin.register(InboundCallback)
class InboundCallbackAdmin(ReadOnlyAdmin):
    list_display = ("number", "institution", "callback_id", "state_badge", "problem", "received", "processed")
    list_filter = (ProblemFilter, "institution")
    search_fields = ("callback_id__exact",)
    search_help_text = "A whole callback id."
    ordering = ("-id",)
    fields = ("institution", "callback_id", "state_badge", "problem", "received", "processed", "content")

    @display(description="callback", ordering="id")
    def number(self, row: InboundCallback) -> str:
        return f"#{row.pk}"

    @display(description="state")
    def state_badge(self, row: InboundCallback) -> str:
        if row.problem:
            return badge("problem", colour="red")
        return badge("processed", colour="green") if row.processed_at else badge("waiting", colour="amber")

    @display(description="received", ordering="id")
    def received(self, row: InboundCallback) -> str:
        return when(row.received_at)

    @display(description="processed")
    def processed(self, row: InboundCallback) -> str:
        return when(row.processed_at)

    @display(description="what it said")
    def content(self, row: InboundCallback) -> str:
        return json_block(row.body)
