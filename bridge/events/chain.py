"""The hashes of the log, pure: the same event gives the same 32 bytes wherever it is computed."""

from __future__ import annotations

import json
import json.encoder
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from hashlib import sha256
from json.encoder import encode_basestring_ascii as _quoted
from typing import Any, Protocol

GENESIS = bytes(32)
_encoder = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=True)
# `_encoder.encode`, but for making the encoder in C anew for every value.
_make: Any = getattr(json.encoder, "c_make_encoder", None)
_chunks: Any = (
    _make(None, _encoder.default, _quoted, None, ":", ",", True, False, True)
    if _make is not None
    else lambda value, _: _encoder.encode(value)
)


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


def canonical(value: Any) -> str:
    """JSON with sorted keys, no spaces and nothing but ASCII. Raises `TypeError` for what JSON does not have."""
    return "".join(_chunks(value, 0))


def hash_of(event: Hashed) -> bytes:
    """SHA-256 over the previous hash and the canonical JSON (sorted keys, no spaces) of everything else."""
    return hash_with(
        bytes(event.prev_hash),
        *(str(event.id), quoted(event.subject_type), str(event.subject_id), event.seq),
        *(quoted(event.type), quoted(event.state), event.version),
        *(canonical(event.actor), canonical(event.data), moment(event.at)),
    )


def hash_with(
    prev_hash: bytes,
    id: str,
    subject_type: str,
    subject_id: str,
    seq: int,
    type: str,
    state: str,
    version: int,
    actor: str,
    data: str,
    at: str,
) -> bytes:
    """`hash_of` for who has the parts in canonical JSON already; the ids without quotes."""
    text = f'["{id}",{subject_type},"{subject_id}",{seq},{type},{state},{version},{actor},{data},{at}]'
    return sha256(prev_hash + text.encode()).digest()


def quoted(text: str) -> str:
    return _quoted(text)


def written(number: uuid.UUID) -> str:
    """`str(number)`, at half its price."""
    digits = f"{number.int:032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def moment(at: datetime) -> str:
    """A time as it is hashed, quotes included."""
    return f'"{at.astimezone(UTC).isoformat(timespec="microseconds")}"'


def seal_hash(*, prev_hash: bytes, number: int, hashes: Iterable[bytes]) -> tuple[bytes, int]:
    """The seal over these event hashes in order, and how many there were."""
    digest = sha256(prev_hash + number.to_bytes(8, "big"))
    count = 0
    for item in hashes:
        digest.update(item)
        count += 1
    return digest.digest(), count
