"""Whether institutions answer, to read."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import EMPTY, badge, when
from transfers.models import Circuit


@admin.register(Circuit)
class CircuitAdmin(ReadOnlyAdmin):
    list_display = ("institution", "connection", "failures", "since", "next_try", "pause", "changed")
    ordering = ("institution",)
    fields = (*list_display, "version")

    @display(description="connection")
    def connection(self, row: Circuit) -> str:
        return badge("cut off", colour="red") if row.opened_at else badge("working", colour="green")

    @display(description="cut off since")
    def since(self, row: Circuit) -> str:
        return when(row.opened_at)

    @display(description="tried again at")
    def next_try(self, row: Circuit) -> str:
        return when(row.retry_at)

    @display(description="between two tries")
    def pause(self, row: Circuit) -> str:
        return f"{row.wait} s" if row.opened_at else EMPTY

    @display(description="changed")
    def changed(self, row: Circuit) -> str:
        return when(row.changed_at)
