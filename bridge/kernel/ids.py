"""Identifiers: uuid version 7 in the database, TypeIDs outside.

A TypeID (https://github.com/jetify-com/typeid, specification 0.3) is a prefix, an underscore and the uuid in
26 characters of Crockford's base32, in lower case. The source of new ids can be replaced (`use_source`), so that a
simulation with the same seed makes the same ids.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta

from uuid_utils import uuid7 as _uuid7

from bridge.kernel.errors import MalformedId

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_LETTERS = frozenset(ALPHABET)
_AS_PYTHON_COUNTS = str.maketrans(ALPHABET, "0123456789abcdefghijklmnopqrstuv")
_LENGTH = 26
_PAIRS = [first + second for first in ALPHABET for second in ALPHABET]  # ten bits at a time
_SHIFTS = range(120, -1, -10)
_MAX_FIRST = "7"  # 26 × 5 bits hold 130; the first letter may use only three of its five

PREFIXES = {
    "transfer": "trf",
    "instruction": "ins",
    "account": "acct",
    "fund": "fund",
    "investor": "inv",
    "reservation": "rsv",
    "approval": "apr",
    "break": "brk",
    "event": "evt",
    "endpoint": "whe",
    "verification": "ver",
    "allocation": "alo",
    "closing": "cls",
    "posting": "pst",
    "notification": "ntf",
    "receipt": "rct",
    "movement": "mov",
}

_source: ContextVar[Callable[[], uuid.UUID] | None] = ContextVar("id_source", default=None)
# `uuid.UUID(int=…)` looks at its other five arguments first, for every id; a transfer has sixteen of them.
_blank, _UNKNOWN = uuid.UUID.__new__, uuid.SafeUUID.unknown
_set_number = uuid.UUID.int.__set__  # type: ignore[misc,attr-defined]  # the slots: an uuid refuses to be changed
_set_safety = uuid.UUID.is_safe.__set__  # type: ignore[misc,attr-defined]


def new_id() -> uuid.UUID:
    """A fresh uuid, version 7 unless a source was injected."""
    source = _source.get()
    if source is not None:
        return source()
    fresh = _blank(uuid.UUID)
    _set_number(fresh, _uuid7().int)
    _set_safety(fresh, _UNKNOWN)
    return fresh


def new_ids(count: int) -> list[uuid.UUID]:
    """So many fresh uuids, the older ones smaller."""
    source = _source.get()
    if source is not None:
        return [source() for _ in range(count)]
    made = [_blank(uuid.UUID) for _ in range(count)]
    for fresh in made:
        _set_number(fresh, _uuid7().int)
        _set_safety(fresh, _UNKNOWN)
    return made


def first_at(moment: datetime, *, later: timedelta = timedelta(0)) -> uuid.UUID:
    """No id that a clock made at this moment (or so much `later`) or afterwards is below it; to the millisecond."""
    milliseconds = int(moment.timestamp() * 1000) + int(later.total_seconds() * 1000)
    return uuid.UUID(int=min(max(milliseconds, 0), (1 << 48) - 1) << 80)


@contextmanager
def use_source(source: Callable[[], uuid.UUID]) -> Iterator[None]:
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


def encode(kind: str, value: uuid.UUID) -> str:
    """`encode("transfer", uuid)` → `trf_01h…`."""
    number = value.int
    return f"{PREFIXES[kind]}_{''.join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])}"


def decode(kind: str, text: object) -> uuid.UUID:
    """The uuid behind a TypeID of this kind.

    Raises `MalformedId` for anything else, also for an id of another kind.
    """
    prefix = PREFIXES[kind] + "_"
    if not isinstance(text, str) or not text.startswith(prefix):
        raise MalformedId(kind=kind, prefix=prefix)
    body = text[len(prefix) :]
    if len(body) != _LENGTH or not _LETTERS.issuperset(body) or body[0] > _MAX_FIRST:
        raise MalformedId(kind=kind, prefix=prefix)
    return uuid.UUID(int=int(body.translate(_AS_PYTHON_COUNTS), 32))


def between(begins: str) -> tuple[uuid.UUID, uuid.UUID]:
    """The smallest and the greatest uuid whose 26 letters begin so. Raises `MalformedId` for what begins none."""
    return decode("event", f"evt_{begins:0<{_LENGTH}}"), decode("event", f"evt_{begins or _MAX_FIRST:z<{_LENGTH}}")
