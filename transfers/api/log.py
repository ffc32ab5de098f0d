"""The event log, in an order in which no late commit can be missed."""

from __future__ import annotations

import struct
import uuid
from collections.abc import Sequence
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from bridge.events.models import Event
from bridge.events.queries import SETTLED
from bridge.kernel.api.fields import read_query
from bridge.kernel.api.paging import Page, bad_cursor, link, mark, packed, unpad
from bridge.kernel.api.roles import EVERYBODY, sees_everything
from bridge.kernel.api.schema import documented, page_of
from bridge.kernel.api.views import READS, BridgeView
from bridge.kernel.problem import InvalidFields
from transfers import disclosure, queries
from transfers.api.rendering import render_events
from transfers.api.serializers import EventQuery, EventSerializer

Position = tuple[int, int, uuid.UUID]
_START: Position = (0, 0, uuid.UUID(int=0))
_PACKED = struct.Struct(">IQ")
_PLACE, _MARK = _PACKED.size + 16, 4  # bytes
_OWN = (
    "SELECT t.id FROM transfers_transfer AS t JOIN accounts_investor AS i ON i.id = t.investor_id WHERE i.user_id = %s"
)


class EventsView(BridgeView):
    allowed = {"GET": EVERYBODY}
    reads_query = READS

    @documented(
        operation_id="list_events",
        tag="events",
        summary="Read the event log, oldest first",
        description=(
            "The log is read forwards: `previous` is always null, and `next` is null at its present end. To come "
            "again, give the last event that you have as `after`. Investors see the events of their own transfers."
        ),
        parameters=[EventQuery],
        answers={200: page_of(EventSerializer, "Event")},
    )
    def get(self, request: Request) -> Response:
        wanted = read_query(EventQuery, request)
        everything = sees_everything(request.user)
        start = _start(request, wanted)
        limit = wanted["limit"]
        reader = None if everything else request.user
        rows = read_log(after=start, limit=limit + 1, types=wanted.get("type"), of_user=reader)
        shown = rows[:limit]
        onward = link(request, _encode(position_of(shown[-1]))) if len(rows) > limit else None
        return Response(Page(shown, onward, None).render(lambda page: render_events(page, inside=everything)))


def read_log(*, after: Position, limit: int, types: Sequence[str] | None, of_user: Any | None) -> list[Event]:
    """Events behind a position, of transactions that are over. `of_user`: of this login's own transfers only."""
    epoch, tx, event_id = after
    conditions = ["(epoch, tx, id) > (%s, %s::xid8, %s)", SETTLED]
    values: list[Any] = [epoch, str(tx), event_id]
    if types:
        conditions.append("type = ANY(%s)")
        values.append(list(types))
    if of_user is not None:
        conditions.append("subject_type = 'transfer' AND type <> ALL(%s) AND subject_id IN (" + _OWN + ")")
        values += [list(disclosure.HIDDEN_EVENTS), of_user.pk]
    sql = f"SELECT * FROM events_event WHERE {' AND '.join(conditions)} ORDER BY epoch, tx, id LIMIT %s"  # noqa: S608
    return list(Event.objects.raw(sql, [*values, limit]))


def position_of(event: Event) -> Position:
    return event.epoch, int(event.tx), event.id


def _start(request: Request, wanted: dict[str, Any]) -> Position:
    """Where to read on. Raises `InvalidFields`."""
    if cursor := wanted.get("cursor"):
        return _decode(cursor)
    if "after" not in wanted:
        return _START
    events = Event.objects.filter(pk=wanted["after"])
    if not sees_everything(request.user):
        own = queries.visible_to(request.user).values("pk")
        events = events.filter(subject_type="transfer", subject_id__in=own).exclude(type__in=disclosure.HIDDEN_EVENTS)
    found = events.first()
    if found is None:
        message = "There is no such event, or it is not yours to see."
        raise InvalidFields(errors={"after": [{"code": "not_found", "message": message}]})
    return position_of(found)


def _encode(position: Position) -> str:
    epoch, tx, event_id = position
    place = _PACKED.pack(epoch, tx) + event_id.bytes
    return packed(place + mark(place, _MARK))


def _decode(cursor: str) -> Position:
    """A place in the log, whatever the filters: readers keep it for long. One without a mark is from long ago."""
    raw = unpad(cursor)
    place = raw[:_PLACE]
    if len(place) != _PLACE or raw[_PLACE:] not in (b"", mark(place, _MARK)):
        raise bad_cursor()
    epoch, tx = _PACKED.unpack(place[: _PACKED.size])
    if epoch > 2**31 - 1:
        raise bad_cursor()
    return epoch, tx, uuid.UUID(bytes=place[_PACKED.size :])
