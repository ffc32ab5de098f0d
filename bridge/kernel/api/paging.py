"""Pages by key: stable while rows are added, equally fast on every page."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import urlencode

from django.db.models import Model, QuerySet
from rest_framework import serializers
from rest_framework.request import Request

from bridge.kernel.api.fields import StrictSerializer, TextField
from bridge.kernel.problem import InvalidFields

DEFAULT_LIMIT, MAX_LIMIT = 50, 200
_AFTER, _BEFORE = b"a", b"b"
_MARK = 8  # bytes
_BAD_CURSOR = "Take the cursor, whole, from `next` or `previous` of a page of this list with the same filters."
M = TypeVar("M", bound=Model)


class PageQuery(StrictSerializer):
    limit = serializers.IntegerField(
        required=False, default=DEFAULT_LIMIT, min_value=1, max_value=MAX_LIMIT, help_text="Rows on a page."
    )
    cursor = TextField(required=False, max_length=100, help_text="From `next` or `previous` of another page.")


@dataclass(frozen=True, slots=True)
class Page:
    rows: Sequence[Any]
    next: str | None
    previous: str | None

    def render(self, render: Callable[[Sequence[Any]], list[dict[str, Any]]]) -> dict[str, Any]:
        return {"next": self.next, "previous": self.previous, "results": render(self.rows)}


def newest_first(queryset: QuerySet[M], request: Request, wanted: Mapping[str, Any]) -> Page:
    """A page in descending order of the primary key, a uuid of version 7.

    `wanted`: the checked query. A cursor belongs to this address and its filters; the length of pages may change.
    Raises `InvalidFields` for any other.
    """
    limit, cursor, scope = wanted["limit"], wanted.get("cursor"), _scope(request, wanted)
    way, key = _decode(cursor, scope) if cursor else (_AFTER, None)
    if way == _BEFORE:
        rows = list(queryset.filter(pk__gt=key).order_by("pk")[: limit + 1])
        further = len(rows) > limit
        rows = rows[:limit][::-1]
        more, fewer = True, further
    else:
        rows = list((queryset.filter(pk__lt=key) if key else queryset).order_by("-pk")[: limit + 1])
        more, fewer = len(rows) > limit, key is not None
        rows = rows[:limit]
    return Page(
        rows,
        next=link(request, _encode(_AFTER, rows[-1].pk, scope)) if rows and more else None,
        previous=link(request, _encode(_BEFORE, rows[0].pk, scope)) if rows and fewer else None,
    )


def link(request: Request, cursor: str) -> str:
    """This address with another cursor."""
    query = [(name, value) for name, values in request.query_params.lists() for value in values if name != "cursor"]
    return request.build_absolute_uri(f"{request.path}?{urlencode([*query, ('cursor', cursor)])}")


def _scope(request: Request, wanted: Mapping[str, Any]) -> bytes:
    """Which list it is, and what of it: however the filters were written."""
    filters = {
        name: sorted({str(each) for each in value}) if isinstance(value, list) else str(value)
        for name, value in wanted.items()
        if name not in ("limit", "cursor")
    }
    return json.dumps([request.path, filters], sort_keys=True).encode()


def _encode(way: bytes, key: uuid.UUID, scope: bytes) -> str:
    place = way + key.bytes
    return packed(place + mark(place + scope, _MARK))


def _decode(cursor: str, scope: bytes) -> tuple[bytes, uuid.UUID]:
    raw = unpad(cursor)
    place = raw[:17]
    if raw[17:] != mark(place + scope, _MARK) or place[:1] not in (_AFTER, _BEFORE):
        raise bad_cursor()
    return place[:1], uuid.UUID(bytes=place[1:])


def mark(text: bytes, size: int) -> bytes:
    """What tells a mistaken or damaged cursor from a good one. No secret: a cursor gives nobody a right."""
    return hashlib.blake2b(text, digest_size=size).digest()


def packed(raw: bytes) -> str:
    """These bytes as a cursor."""
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def unpad(cursor: str) -> bytes:
    """The bytes in a cursor. Raises `InvalidFields`."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_cursor() from error


def bad_cursor() -> InvalidFields:
    error = {"code": "bad_cursor", "message": _BAD_CURSOR}
    return InvalidFields(errors={"cursor": [error]})
