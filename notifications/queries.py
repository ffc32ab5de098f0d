"""Who sees which notification."""

from __future__ import annotations

from typing import Any

from django.db.models import Q, QuerySet

from bridge.kernel.api.roles import sees_everything
from notifications.models import Notification


def visible_to(user: Any) -> QuerySet[Notification]:
    """What this login may read, newest first: an investor's login what is meant for its own investors, people and
    systems of the firm what is meant for operations. Anybody else sees nothing."""
    if not user.is_authenticated or not user.is_active:
        return Notification.objects.none()
    mine = Q(
        investor_id__in=list(user.investors.values_list("pk", flat=True)),
        audiences__contains=[Notification.Audience.INVESTOR],
    )
    if user.is_staff or sees_everything(user):
        mine |= Q(audiences__contains=[Notification.Audience.OPERATIONS])
    return Notification.objects.filter(mine).order_by("-id")
