"""Rows since a moment, found by their id: version 7 begins with the time, and the primary key is an index."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from bridge.kernel import clock, ids

SKEW = timedelta(minutes=10)  # ids carry the clock of the machine that made them


def floor(moment: datetime) -> uuid.UUID:
    """No row that the clock dates at `moment` or later has a smaller id.

    Ids carry real time; a sandbox's clock runs ahead of it by an offset that only grows.
    """
    return ids.first_at(moment, later=-clock.ahead() - SKEW)


class RecentFilter(SimpleListFilter):
    """`When`: the last hour, day, week or month. Set `field` to the column that says when."""

    title = "when"
    parameter_name = "since"
    field = "created_at"

    SPANS = {
        "hour": ("last hour", timedelta(hours=1)),
        "day": ("last 24 hours", timedelta(days=1)),
        "week": ("last 7 days", timedelta(days=7)),
        "month": ("last 30 days", timedelta(days=30)),
    }

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [(name, title) for name, (title, _) in self.SPANS.items()]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        span = self.SPANS.get(self.value() or "")
        if span is None:
            return queryset
        since = clock.now() - span[1]
        return queryset.filter(**{"pk__gte": floor(since), f"{self.field}__gte": since})


def recent(field: str) -> type[RecentFilter]:
    """The filter on another column."""
    return type("RecentFilter", (RecentFilter,), {"field": field})
