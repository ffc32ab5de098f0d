"""What moves open transfers next, to read."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from unfold.decorators import display

from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import badge, id_link, when
from transfers.models import Work


@admin.register(Work)
class WorkAdmin(ReadOnlyAdmin):
    list_display = ("transfer_link", "state_badge", "step_text", "due", "lease", "tries", "account")
    list_display_links = None
    list_filter = ("step",)
    list_select_related = ("transfer",)
    search_fields = ("step__exact",)
    search_help_text = "An id (trf_…, acct_…)."
    ordering = ("-transfer_id",)
    id_columns: ClassVar = {"transfer": "transfer_id", "account": "account_id"}
    fields = ("transfer_link", "state_badge", "step_text", "due", "lease", "tries", "account", "account_seq")

    @display(description="transfer")
    def transfer_link(self, row: Work) -> str:
        return id_link("transfer", "transfers.transfer", row.transfer_id)

    @display(description="state")
    def state_badge(self, row: Work) -> str:
        return badge(row.transfer.state)

    @display(description="step", ordering="step")
    def step_text(self, row: Work) -> str:
        return row.get_step_display()  # type: ignore[attr-defined]

    @display(description="due", ordering="due_at")
    def due(self, row: Work) -> str:
        return when(row.due_at)

    @display(description="in hand until")
    def lease(self, row: Work) -> str:
        return when(row.lease_until)

    @display(description="account")
    def account(self, row: Work) -> str:
        return id_link("account", "accounts.investoraccount", row.account_id)
