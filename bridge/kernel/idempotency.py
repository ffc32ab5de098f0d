"""Idempotent requests: the key is stored with its answer in the same transaction as the work.

Nothing is stored for a request in flight, so a crash leaves neither half. The scope of a key is principal, method
and route, so that nobody can replay another's. After the IETF draft "The Idempotency-Key HTTP Header Field".
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from bridge.kernel import binary, bulk, clock, columns
from bridge.kernel.errors import (
    BridgeError,
    IdempotencyKeyMalformed,
    IdempotencyKeyMissing,
    IdempotencyKeyReused,
    RequestInFlight,
)
from bridge.kernel.models import IdempotencyKey
from bridge.kernel.transactions import Reading, also, hear, require_atomic

MAX_KEY = 255
_SCOPE = ("principal", "method", "route", "key")
# Each key by itself: a join would be planned for ten keys, whatever their number. Neither way saves it from a plan that
# was made for a short table; that the connection gives up its plans does (`bridge.kernel.postgresql`).
_LOOK_UP = """
    SELECT {columns}
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::text[]) WITH ORDINALITY AS k(principal, method, route, key, n)
    CROSS JOIN LATERAL (
        SELECT body_hash, status, answer, headers FROM kernel_idempotencykey AS i
        WHERE i.principal = k.principal AND i.method = k.method AND i.route = k.route AND i.key = k.key LIMIT 1
    ) AS i
"""
_STORED = _LOOK_UP.format(columns="k.n, i.body_hash, i.status, i.answer, i.headers")
_TAKE = """
    WITH clock AS (SELECT {time} AS at)
    SELECT at, ARRAY(
        SELECT pg_try_advisory_xact_lock(number) FROM unnest(%s::bigint[]) WITH ORDINALITY AS k(number, n) ORDER BY n
    ), ARRAY({stored}){more} FROM clock
"""


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
        key = checked(key)
        canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), default=str)
        return cls(principal, method, route, key, hashlib.sha256(canonical.encode()).digest())

    @property
    def lock_number(self) -> int:
        text = "\x1f".join((self.principal, self.method, self.route, self.key))
        return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big", signed=True)


def checked(key: str | None) -> str:
    """The key as it came. HTTP strips the blanks around a header, so a key that has some would not be the same there.

    Raises `IdempotencyKeyMissing` or `IdempotencyKeyMalformed`.
    """
    if not key:
        raise IdempotencyKeyMissing
    if len(key) > MAX_KEY or not key.isascii() or not key.isprintable() or key != key.strip():
        raise IdempotencyKeyMalformed
    return key


def replay(key: Key) -> Answer | None:
    """Take the key for this transaction; the stored answer if there is one.

    Raises `RequestInFlight` while another transaction holds the key, `IdempotencyKeyReused` for another body.
    """
    (found,) = replay_each([key])
    if isinstance(found, BridgeError):
        raise found
    return found


def replay_each(keys: Sequence[Key]) -> list[Answer | BridgeError | None]:
    """`replay` for many different keys in one statement, whatever their number; two where some are stored.

    Per key: the stored answer, None where it is free and now taken, or the error that `replay` raises.
    """
    taking = Taking(keys)
    taking()
    return taking.known()


class Taking:
    """`replay_each` for a unit of work that begins with it, and tells its time in the same statement:

    taking = Taking(keys)
    with unit_of_work(taking) as moment:
        known = taking.known()

    `also`: what else comes with it, for whoever asks for it in this unit of work.

    The statement looks for the keys as of its beginning, and may take a key whose last holder has committed since. The
    constraint `idempotency_key_once` then refuses to store a second answer, all of this unit of work is undone, and
    `retried` begins it again: it finds the answer. So who takes a key is `retried`.
    """

    def __init__(self, keys: Sequence[Key], also: Sequence[Reading[Any]] = ()) -> None:
        self._keys, self._also = keys, also
        self._taken: list[bool] = []
        self._stored: list[int] = []

    def __call__(self) -> datetime:
        """Try to take the keys for this transaction; gives its time."""
        require_atomic()
        text = _TAKE.format(time=clock.SQL, stored=_LOOK_UP.format(columns="k.n"), more=also(self._also))
        numbers = binary.any_of([key.lock_number for key in self._keys])
        given = [clock.given(), numbers, *_scopes(self._keys)]
        moment, self._taken, self._stored, *values = bulk.execute(text, given).fetchone()
        hear(self._also, values)
        told: datetime = moment
        return told

    def known(self) -> list[Answer | BridgeError | None]:
        """What `replay_each` gives."""
        stored = {}
        if self._stored:
            stored = {n - 1: row for n, *row in bulk.execute(_STORED, _scopes(self._keys)).fetchall()}
        return [
            RequestInFlight() if not taken else _stored(key, *stored[n]) if n in stored else None
            for n, (key, taken) in enumerate(zip(self._keys, self._taken, strict=True))
        ]


def _scopes(keys: Sequence[Key]) -> list[Any]:
    return [columns.texts([getattr(key, name) for key in keys]) for name in _SCOPE]


def keep(key: Key, answer: Answer, *, at: datetime) -> None:
    """Store the answer beside the work it answers."""
    keep_each([(key, answer)], at=at)


def keep_each(answered: Sequence[tuple[Key, Answer]], *, at: datetime) -> None:
    """`keep` for many keys in one statement."""
    require_atomic()
    values = {name: [getattr(key, name) for key, _ in answered] for name in (*_SCOPE, "body_hash")} | {
        "status": [answer.status for _, answer in answered],
        "answer": [answer.body for _, answer in answered],
        "headers": [answer.headers for _, answer in answered],
        "created_at": [at] * len(answered),
    }
    bulk.insert_columns(IdempotencyKey, values)


def _stored(key: Key, body_hash: bytes, status: int, answer: str, headers: str) -> Answer | BridgeError:
    if bytes(body_hash) != key.body_hash:
        return IdempotencyKeyReused()
    return Answer(status, json.loads(answer), json.loads(headers), replayed=True)
