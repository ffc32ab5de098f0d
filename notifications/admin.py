"""Messages, to read, and those of one transfer on its page."""

from __future__ import annotations

from typing import ClassVar

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html_join
from unfold.decorators import display

from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import badge, id_link, link, public_id, rows_url, when, whole_id
from bridge.console.pages import Table, section
from bridge.console.recent import recent
from bridge.kernel import ids
from notifications.models import Notification


def audience_badges(notification: Notification) -> str:
    return format_html_join(" ", "{}", ((badge(name, colour="blue"),) for name in notification.audiences))


@admin.register(Notification)
class NotificationAdmin(ReadOnlyAdmin):
    list_display = ("public", "title", "audience", "transfer", "sent")
    list_filter = (recent("at"),)
    search_fields = ("type__exact",)
    search_help_text = "An id (ntf_…, trf_…, inv_…, evt_…), or a whole type."
    ordering = ("-id",)
    id_columns: ClassVar = {
        "notification": "id",
        "transfer": "transfer_id",
        "investor": "investor_id",
        "event": "id",
    }
    fields = ("identifier", "type", "title", "body", "audience", "transfer", "investor", "fund", "event", "sent")

    @display(description="notification")
    def public(self, row: Notification) -> str:
        return public_id("notification", row.pk)

    @display(description="notification")
    def identifier(self, row: Notification) -> str:
        return whole_id("notification", row.pk)

    @display(description="for")
    def audience(self, row: Notification) -> str:
        return audience_badges(row)

    @display(description="transfer")
    def transfer(self, row: Notification) -> str:
        return id_link("transfer", "transfers.transfer", row.transfer_id)

    @display(description="investor")
    def investor(self, row: Notification) -> str:
        return id_link("investor", "accounts.investor", row.investor_id)

    @display(description="fund")
    def fund(self, row: Notification) -> str:
        return id_link("fund", "funds.fund", row.fund_id)

    @display(description="event")
    def event(self, row: Notification) -> str:
        return id_link("event", "events.event", row.event_id)

    @display(description="at")
    def sent(self, row: Notification) -> str:
        return when(row.at)


@section("transfers.transfer", permission="notifications.view_notification", order=90)
def notifications_of_transfer(request: HttpRequest, transfer: Model) -> Table:
    rows = list(Notification.objects.filter(transfer_id=transfer.pk).order_by("id")[:50])
    return Table(
        title="Notifications",
        headers=("at", "title", "text", "for"),
        rows=[
            (when(row.at), link("notifications.notification", row.pk, row.title), row.body, audience_badges(row))
            for row in rows
        ],
        empty="Nobody was told anything yet.",
        more=rows_url("notifications.notification", q=ids.encode("transfer", transfer.pk)) if rows else "",
    )
