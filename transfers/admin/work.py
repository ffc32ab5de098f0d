"""What moves open transfers next, to read."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.decorators import display

from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import badge, id_link, when
from transfers.admin import open_list
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

    def get_urls(self) -> list[URLPattern]:
        return [path("open/", self.admin_site.admin_view(self.open_view), name="transfers_open"), *super().get_urls()]

    def open_view(self, request: HttpRequest) -> HttpResponse:
        """All that is open, the most urgent first: the page of `work_due`."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        context = {**self.admin_site.each_context(request), **open_list.context(request)}
        return TemplateResponse(request, "console/open.html", context)

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
