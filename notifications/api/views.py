from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bridge.kernel import ids
from bridge.kernel.api.fields import NameField, TypeIdField, read_query
from bridge.kernel.api.moments import moment
from bridge.kernel.api.paging import PageQuery, newest_first
from bridge.kernel.api.roles import EVERYBODY
from bridge.kernel.api.schema import documented, page_of
from bridge.kernel.api.views import READS, BridgeView
from notifications import queries
from notifications.messages import known_types
from notifications.models import Notification


class NotificationQuery(PageQuery):
    transfer = TypeIdField("transfer", required=False)
    type = NameField("type of event that somebody is told about", known_types, required=False, max_length=80)


class NotificationSerializer(serializers.Serializer):
    id = TypeIdField("notification")
    object = serializers.CharField(default="notification")
    type = serializers.CharField(help_text="That of the event, such as `transfer.completed`.")
    event = TypeIdField("event")
    transfer = TypeIdField("transfer", allow_null=True, help_text="Null: it is about no single transfer.")
    title = serializers.CharField()
    body = serializers.CharField()
    at = serializers.DateTimeField()


class NotificationsView(BridgeView):
    allowed = {"GET": EVERYBODY}
    reads_query = READS

    @documented(
        operation_id="list_notifications",
        tag="notifications",
        summary="List notifications, newest first",
        parameters=[NotificationQuery],
        answers={200: page_of(NotificationSerializer, "Notification")},
    )
    def get(self, request: Request) -> Response:
        wanted = read_query(NotificationQuery, request)
        names = {"transfer": "transfer_id", "type": "type"}
        filters = {lookup: wanted[name] for name, lookup in names.items() if name in wanted}
        notifications = queries.visible_to(request.user).filter(**filters)
        page = newest_first(notifications, request, wanted)
        return Response(page.render(render_notifications))


def render_notifications(notifications: Sequence[Notification]) -> list[dict[str, Any]]:
    return [
        {
            "id": row.public_id,
            "object": "notification",
            "type": row.type,
            "event": ids.encode("event", row.event_id),
            "transfer": ids.encode("transfer", row.transfer_id) if row.transfer_id else None,
            "title": row.title,
            "body": row.body,
            "at": moment(row.at),
        }
        for row in notifications
    ]
