"""Filters that find open transfers through their work, because what changes has no index."""

from __future__ import annotations

from django.contrib.admin import ModelAdmin, SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest

from transfers.blockers import BLOCKERS
from transfers.states import ON_THE_BRIDGE, OPEN, State


class StateFilter(SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        groups = [("open", "all that are open"), ("bridge", "all with money on the bridge")]
        return [*groups, *((state.value, str(state.label)) for state in State)]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if value == "open":
            return queryset.filter(work__isnull=False)
        if value == "bridge":
            return queryset.filter(work__isnull=False, state__in=ON_THE_BRIDGE)
        if value not in State.values:
            return queryset
        found = queryset.filter(state=value)
        return found.filter(work__isnull=False) if value in OPEN else found


class BlockerFilter(SimpleListFilter):
    title = "blocked by"
    parameter_name = "blocker"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [("any", "anything"), *((code, known.title) for code, known in BLOCKERS.items())]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        value = self.value()
        if not value:
            return queryset
        if value == "any":
            return queryset.filter(work__isnull=False).exclude(blocker_code="")
        return queryset.filter(work__isnull=False, blocker_code=value)


class ResolvedFilter(SimpleListFilter):
    title = "state"
    parameter_name = "resolved"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [("open", "open"), ("resolved", "resolved")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() in ("open", "resolved"):
            return queryset.filter(resolved_at__isnull=self.value() == "open")
        return queryset


class ProblemFilter(SimpleListFilter):
    title = "state"
    parameter_name = "problem"

    def lookups(self, request: HttpRequest, model_admin: ModelAdmin) -> list[tuple[str, str]]:
        return [("waiting", "not processed yet"), ("yes", "with a problem")]

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "waiting":
            return queryset.filter(processed_at__isnull=True)
        if self.value() == "yes":
            return queryset.exclude(problem="")
        return queryset
