"""The event log and its seals, to read. The database refuses every change as well."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from unfold.decorators import display

from bridge.console import finding
from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import badge, hexadecimal, json_block, link, public_id, when, whole_id
from bridge.console.named import first_of_index, named
from bridge.console.recent import recent
from bridge.events.models import Epoch, Event, Seal
from bridge.kernel import ids


@admin.register(Event)
class EventAdmin(ReadOnlyAdmin):
    list_display = ("public", "what", "subject", "seq", "state_badge", "who", "written")
    list_filter = (named("subject_type", lambda: first_of_index(Event, "subject_type")), recent("at"))
    search_fields = ("type__exact",)
    search_help_text = (
        "An id of an event or of its subject (trf_…, fund_…, acct_…), a whole type (transfer.approved), or among the "
        f"newest {finding.NEWEST:,} events who did it: a whole name of a login or service."
    )
    ordering = ("-id",)
    id_columns: ClassVar = {"event": "id", "subject": "subject_id"}  # a bare uuid may be either
    fields = (
        "identifier",
        "what",
        "subject",
        "seq",
        "state_badge",
        "version",
        "who",
        "written",
        "facts",
        "chain",
        "position",
    )

    def find(self, term: str) -> Q:
        by = Q(actor__label__iexact=term) | Q(actor__id__iexact=term)
        found = finding.newest(Event) & by
        return found | Q(type=term.lower()) if "." in term else found

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        found = finding.typeid(search_term)
        if found is not None and found[0] != "event":
            # With the type of the subject its index answers.
            return queryset.filter(subject_type=found[0], subject_id=found[1]), False
        return super().get_search_results(request, queryset, search_term)

    @display(description="event")
    def public(self, event: Event) -> str:
        return public_id("event", event.pk)

    @display(description="event")
    def identifier(self, event: Event) -> str:
        return whole_id("event", event.pk)

    @display(description="type")
    def what(self, event: Event) -> str:
        return event.type

    @display(description="subject")
    def subject(self, event: Event) -> str:
        kind = event.subject_type
        if kind not in finding.PAGES:
            return f"{kind} {event.subject_id}"
        return link(finding.PAGES[kind].replace("_", ".", 1), event.subject_id, public_id(kind, event.subject_id))

    @display(description="state")
    def state_badge(self, event: Event) -> str:
        return badge(event.state)

    @display(description="by")
    def who(self, event: Event) -> str:
        return actor_text(event.actor)

    @display(description="at")
    def written(self, event: Event) -> str:
        return when(event.at)

    @display(description="facts")
    def facts(self, event: Event) -> str:
        return json_block(event.data)

    @display(description="hash")
    def chain(self, event: Event) -> str:
        return hexadecimal(event.hash)

    @display(description="place in the log")
    def position(self, event: Event) -> str:
        return f"epoch {event.epoch}, transaction {event.tx}"


def actor_text(actor: dict[str, str]) -> str:
    """Who, in what role, by which channel, in one line."""
    name = actor.get("label") or actor.get("id", "")
    return f"{name} ({actor.get('role', '')}, {actor.get('channel', '')})"


@admin.register(Seal)
class SealAdmin(ReadOnlyAdmin):
    list_display = ("number", "count", "last_event", "seal", "sealed")
    ordering = ("-number",)
    fields = ("number", "count", "last_event", "seal", "previous", "epoch", "tx", "sealed")

    @display(description="last event")
    def last_event(self, row: Seal) -> str:
        return link("events.event", row.event_id, ids.encode("event", row.event_id))

    @display(description="hash")
    def seal(self, row: Seal) -> str:
        return hexadecimal(row.hash)

    @display(description="hash before")
    def previous(self, row: Seal) -> str:
        return hexadecimal(row.prev_hash)

    @display(description="at")
    def sealed(self, row: Seal) -> str:
        return when(row.at)


@admin.register(Epoch)
class EpochAdmin(ReadOnlyAdmin):
    list_display = ("number", "since", "why")
    fields = ("number", "since", "why")
