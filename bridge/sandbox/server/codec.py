"""Records to JSON text and back, led by their type hints."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, get_args, get_origin, get_type_hints

from bridge.sandbox.model.books import Meta
from bridge.sandbox.model.faults import FaultRule
from bridge.sandbox.model.records import (
    Account,
    ActivityLine,
    Arrival,
    Callback,
    FollowUp,
    Instruction,
    Record,
    StatementLine,
)
from bridge.sandbox.model.settings import Settings

TABLES: dict[str, Any] = {
    cls.table: cls
    for cls in (
        *(Meta, Settings, FaultRule, Account, Instruction, Arrival, FollowUp),
        *(ActivityLine, StatementLine, Callback),
    )
}


@cache
def _names(cls: Any) -> tuple[str, ...]:
    return tuple(f.name for f in fields(cls))


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    cls: Any = type(value)
    return {name: getattr(value, name) for name in _names(cls)}


_encode = json.JSONEncoder(default=_plain, separators=(",", ":")).encode


def dump(record: Record) -> str:
    return _encode(record)


def load(table: str, text: str) -> Record:
    record: Record = _reader(TABLES[table])(json.loads(text))
    return record


@cache
def _reader(hint: Any) -> Callable[[Any], Any]:
    """A function that turns a JSON value into a value of `hint`."""
    if get_origin(hint) is UnionType:
        (inner,) = (arg for arg in get_args(hint) if arg is not NoneType)
        read = _reader(inner)
        return lambda value: None if value is None else read(value)
    if get_origin(hint) is dict:
        read_value = _reader(get_args(hint)[1])
        return lambda value: {key: read_value(item) for key, item in value.items()}
    if hint is datetime:
        return datetime.fromisoformat
    if isinstance(hint, type) and issubclass(hint, Enum):
        return hint
    if is_dataclass(hint):
        return _record_reader(hint)
    return lambda value: value


def _record_reader(cls: Any) -> Callable[[Any], Any]:
    hints = get_type_hints(cls)
    readers = {name: _reader(hints[name]) for name in _names(cls)}
    return lambda value: cls(**{name: readers[name](item) for name, item in value.items()})
