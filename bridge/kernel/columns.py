"""Values as the text of a PostgreSQL array, for cursors that write parameters into the statement; JSON as it is stored.

Written here because the driver's own array dumper, which must serve every type and nesting, took a fifth of the
engine's time. Prepared statements have uuids and what is written into columns in binary form: `bridge.kernel.binary`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date
from typing import Any
from uuid import UUID

import orjson
from django.core.serializers.json import DjangoJSONEncoder

Values = Sequence[Any]
_encode = DjangoJSONEncoder(separators=(",", ":")).encode
_PLAIN = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS | orjson.OPT_PASSTHROUGH_SUBCLASS
_BETWEEN = "\0"


class Rendered(str):
    """JSON that somebody has rendered already, for a JSON column."""

    __slots__ = ()


class Array(bytes):
    """A parameter that is an array in binary form: see `bridge.kernel.binary`."""

    __slots__ = ()


def dumps(value: Any) -> str:
    """JSON for a column, as Django renders it: what `orjson` has other ways with goes to Django's encoder."""
    try:
        return orjson.dumps(value, option=_PLAIN).decode()
    except TypeError:
        return _encode(value)


def uuids(values: Iterable[UUID]) -> str:
    return "{" + ",".join([f"{value.int:032x}" for value in values]) + "}"  # `hex` is a call for every one


def any_of(values: Sequence[Any]) -> str:
    """Keys of one kind: uuids, numbers or texts."""
    if not values:
        return "{}"
    first = values[0]
    return uuids(values) if isinstance(first, UUID) else texts(values) if isinstance(first, str) else _numbers(values)


def literal(values: Iterable[Any]) -> str:
    return "{" + ",".join(map(_element, values)) + "}"


def texts(values: Values) -> str:
    """Escaped all at once, put apart by the one character that no text of PostgreSQL has."""
    try:
        joined = _BETWEEN.join(values)
    except TypeError:
        return literal(values)
    if joined.count(_BETWEEN) != len(values) - 1:
        return literal(values)
    if "\\" in joined:
        joined = joined.replace("\\", "\\\\")
    if '"' in joined:
        joined = joined.replace('"', '\\"')
    return '{"' + joined.replace(_BETWEEN, '","') + '"}'


def _numbers(values: Values) -> str:
    return "{" + ",".join(map(str, values)) + "}" if set(map(type, values)) == {int} else literal(values)


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
