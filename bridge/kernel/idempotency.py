"""Idempotent requests: the key is stored with its answer in the same transaction as the work.

Nothing is stored for a request in flight, so a crash leaves neither half. The scope of a key is principal, method
and route, so that nobody can replay another's. After the IETF draft "The Idempotency-Key HTTP Header Field".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from bridge.kernel.errors import (
    IdempotencyKeyMalformed,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    RequestInFlight,
)
from bridge.kernel.models import IdempotencyKey
from bridge.kernel.transactions import require_atomic

MAX_KEY = 255


@dataclass(frozen=True, slots=True)
class Answer:
    """A rendered reply, as it was or will be sent."""

    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    replayed: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    principal: str
    method: str
    route: str
    key: str
    body_hash: bytes

    @classmethod
    def of(cls, *, principal: str, method: str, route: str, key: str | None, body: Any) -> Key:
        """Raises `IdempotencyKeyMissing` or `IdempotencyKeyMalformed`."""
        if not key:
            raise IdempotencyKeyMissing
        if len(key) > MAX_KEY or not key.isascii() or not key.isprintable():
            raise IdempotencyKeyMalformed
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
        return cls(principal, method, route, key, hashlib.sha256(canonical.encode()).digest())

    @property
    def lock_number(self) -> int:
        text = "\x1f".join((self.principal, self.method, self.route, self.key))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def replay(key: Key) -> Answer | None:
    """Take the key for this transaction; the stored answer if there is one.

    Raises `RequestInFlight` while another transaction holds the key, `IdempotencyKeyReused` for another body.
    """
    require_atomic()
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [key.lock_number])
        (taken,) = cursor.fetchone()
    if not taken:
        raise RequestInFlight
    found = IdempotencyKey.objects.filter(
        principal=key.principal, method=key.method, route=key.route, key=key.key
    ).first()
    if found is None:
        return None
    if bytes(found.body_hash) != key.body_hash:
        raise IdempotencyKeyReused
    return Answer(found.status, found.answer, found.headers, replayed=True)


def keep(key: Key, answer: Answer, *, at: datetime) -> None:
    """Store the answer beside the work it answers."""
    require_atomic()
    IdempotencyKey.objects.create(
        principal=key.principal,
        method=key.method,
        route=key.route,
        key=key.key,
        body_hash=key.body_hash,
        status=answer.status,
        answer=answer.body,
        headers=answer.headers,
        created_at=at,
    )


Renderer = Callable[[Any], Answer]
