"""The hashes of the log, pure: the same event gives the same 32 bytes wherever it is computed."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Protocol

GENESIS = bytes(32)


class Hashed(Protocol):
    """What of an event its hash covers."""

    id: uuid.UUID
    subject_type: str
    subject_id: uuid.UUID
    seq: int
    type: str
    state: str
    version: int
    actor: Any
    data: Any
    at: datetime
    prev_hash: Any


canonical = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode


def hash_of(event: Hashed) -> bytes:
    """SHA-256 over the previous hash and the canonical JSON (sorted keys, no spaces) of everything else."""
    return hash_with(event, actor=canonical(event.actor), data=canonical(event.data), at=moment(event.at))


def moment(at: datetime) -> str:
    """A time as it is hashed, quotes included."""
    return f'"{at.astimezone(UTC).isoformat(timespec="microseconds")}"'


def hash_with(event: Hashed, *, actor: str, data: str, at: str) -> bytes:
    """`hash_of` for who has the canonical JSON of `actor` and `data` and the `moment` already."""
    text = (
        f'["{event.id}",{_quoted(event.subject_type)},"{event.subject_id}",{event.seq},{_quoted(event.type)},'
        f"{_quoted(event.state)},{event.version},{actor},{data},{at}]"
    )
    return hashlib.sha256(bytes(event.prev_hash) + text.encode()).digest()


def seal_hash(*, prev_hash: bytes, number: int, hashes: Iterable[bytes]) -> tuple[bytes, int]:
    """The seal over these event hashes in order, and how many there were."""
    digest = hashlib.sha256(prev_hash + number.to_bytes(8, "big"))
    count = 0
    for item in hashes:
        digest.update(item)
        count += 1
    return digest.digest(), count
