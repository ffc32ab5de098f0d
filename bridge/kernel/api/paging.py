"""Pages by key: stable while rows are added, equally fast on every page."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Callable, Sequence
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


def newest_first(queryset: QuerySet[M], request: Request, *, limit: int, cursor: str | None) -> Page:
    """A page in descending order of the primary key, a uuid of version 7. Raises `InvalidFields` for a bad cursor."""
    way, key = _decode(cursor) if cursor else (_AFTER, None)
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
        next=link(request, _encode(_AFTER, rows[-1].pk)) if rows and more else None,
        previous=link(request, _encode(_BEFORE, rows[0].pk)) if rows and fewer else None,
    )


def link(request: Request, cursor: str) -> str:
    """This address with another cursor."""
    query = [(name, value) for name, values in request.query_params.lists() for value in values if name != "cursor"]
    return request.build_absolute_uri(f"{request.path}?{urlencode([*query, ('cursor', cursor)])}")


def _encode(way: bytes, key: uuid.UUID) -> str:
    return base64.urlsafe_b64encode(way + key.bytes).decode().rstrip("=")


def _decode(cursor: str) -> tuple[bytes, uuid.UUID]:
    raw = unpad(cursor)
    if len(raw) != 17 or raw[:1] not in (_AFTER, _BEFORE):
        raise bad_cursor()
    return raw[:1], uuid.UUID(bytes=raw[1:])


def unpad(cursor: str) -> bytes:
    """The bytes in a cursor. Raises `InvalidFields`."""
    try:
        return base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError) as error:
        raise bad_cursor() from error


def bad_cursor() -> InvalidFields:
    error = {"code": "bad_cursor", "message": "Take the cursor from `next` or `previous` of a page."}
    return InvalidFields(errors={"cursor": [error]})
