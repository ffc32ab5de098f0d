"""One column of many rows as the text of a PostgreSQL array.

Written here because the driver's own array dumper, which must serve every type and nesting, took a fifth of the
engine's time. Each kind of column has a writer that expects what the column usually holds, all at once; where a value
is something else (nothing, a text for a number), every value is asked by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

from django.contrib.postgres.fields import ArrayField
from django.core.serializers.json import DjangoJSONEncoder
from django.db.models import JSONField
from django.db.models.fields import Field

Values = Sequence[Any]
Writer = Callable[[Values], str]
_encode = DjangoJSONEncoder(separators=(",", ":")).encode


class Rendered(str):
    """JSON that somebody has rendered already, for a JSON column."""

    __slots__ = ()


def dumps(value: Any) -> str:
    return _encode(value)


def writer_for(field: Field) -> Writer:
    """How to write this field's column. Raises `TypeError` when used with a value that no column can hold."""
    if isinstance(field, JSONField):
        return _json
    if isinstance(field, ArrayField):  # arrays of several lengths fit in no array of arrays: each goes as a text
        return _arrays
    target = getattr(field, "target_field", field)
    return _WRITERS.get(target.get_internal_type(), literal)


def uuids(values: Iterable[UUID]) -> str:
    return "{" + ",".join([value.hex for value in values]) + "}"


def any_of(values: Sequence[Any]) -> str:
    """Keys of one kind: uuids, numbers or texts."""
    if not values:
        return "{}"
    first = values[0]
    return uuids(values) if isinstance(first, UUID) else texts(values) if isinstance(first, str) else _numbers(values)


def literal(values: Iterable[Any]) -> str:
    return "{" + ",".join(map(_element, values)) + "}"


def texts(values: Values) -> str:
    """Quotes between all at once; back to one by one where a value has something to escape."""
    try:
        inner = '","'.join(values)
    except TypeError:
        return literal(values)
    if "\\" in inner or inner.count('"') != 2 * (len(values) - 1):
        return literal(values)
    return '{"' + inner + '"}' if values else "{}"


def _uuids(values: Values) -> str:
    try:
        return uuids(values)
    except AttributeError:
        return literal(values)


def _numbers(values: Values) -> str:
    return literal(values) if not all(type(value) is int for value in values) else "{" + str(values)[1:-1] + "}"


def _moments(values: Values) -> str:
    known: dict[Any, str] = {None: "NULL"}  # mostly one moment, that of the unit of work
    for value in values:
        if value not in known:
            known[value] = _element(value)
    return "{" + ",".join([known[value] for value in values]) + "}"


def _bytes(values: Values) -> str:
    try:
        return '{"\\\\x' + '","\\\\x'.join([value.hex() for value in values]) + '"}' if values else "{}"
    except AttributeError:
        return literal(values)


def _json(values: Values) -> str:
    return texts([value if value is None or type(value) is Rendered else _encode(value) for value in values])


def _arrays(values: Values) -> str:
    known: dict[Any, str | None] = {}
    for value in values:
        key = None if value is None else tuple(value)
        if key not in known:
            known[key] = None if key is None else literal(map(str, key))
    return literal(known[None if value is None else tuple(value)] for value in values)


_WRITERS: dict[str, Writer] = {
    "UUIDField": _uuids,
    "CharField": texts,
    "TextField": texts,
    "FSMField": texts,
    "BinaryField": _bytes,
    "DateTimeField": _moments,
    "BigIntegerField": _numbers,
    "IntegerField": _numbers,
    "PositiveBigIntegerField": _numbers,
    "PositiveIntegerField": _numbers,
    "PositiveSmallIntegerField": _numbers,
}


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if isinstance(value, bool):
        return "t" if value else "f"
    if isinstance(value, bytes | memoryview):
        return f'"\\\\x{bytes(value).hex()}"'
    if isinstance(value, date):  # a datetime is one too
        return value.isoformat()
    if isinstance(value, int | UUID):
        return str(value)
    raise TypeError(f"{type(value).__name__} cannot be written in bulk")
