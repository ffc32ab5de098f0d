"""Idempotency keys and the sandbox's clock, to read. They are the kernel's, which knows nothing of pages."""

from __future__ import annotations

from django.contrib import admin
from unfold.decorators import display

from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import badge, hexadecimal, json_block, when
from bridge.kernel.models import ClockOffset, IdempotencyKey


@admin.register(IdempotencyKey)
class IdempotencyKeyAdmin(ReadOnlyAdmin):
    list_display = ("key", "principal", "method", "route", "answered", "created")
    list_filter = ("method",)
    search_fields = ("key__exact",)
    search_help_text = "A whole key."
    ordering = ("-id",)
    fields = ("key", "principal", "method", "route", "answered", "body", "stored_answer", "created")

    @display(description="answer")
    def answered(self, row: IdempotencyKey) -> str:
        return badge(row.status, colour="green" if row.status < 400 else "amber")

    @display(description="hash of the body")
    def body(self, row: IdempotencyKey) -> str:
        return hexadecimal(row.body_hash)

    @display(description="stored answer")
    def stored_answer(self, row: IdempotencyKey) -> str:
        return json_block(row.answer)

    @display(description="kept since")
    def created(self, row: IdempotencyKey) -> str:
        return when(row.created_at)


@admin.register(ClockOffset)
class ClockOffsetAdmin(ReadOnlyAdmin):
    list_display = ("__str__", "offset")
    fields = ("offset",)
