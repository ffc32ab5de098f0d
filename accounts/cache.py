"""Balances for display, in Redis or Valkey. No decision reads them; losing them all loses nothing.

Moving money invalidates an account's entry after the commit. A reader that asked the institution before that must
not write its older answer afterwards: it takes a ticket first, and an invalidation makes the ticket worthless.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.core.cache import cache
from prometheus_client import Counter

from bridge.kernel import ids

READS = Counter(
    "bridge_balance_cache_reads",
    "Balances looked up in the cache, by result: hit, miss, stale (money has moved since), unreachable.",
    ["result"],
)

TTL = 60  # seconds
_GENERATION_TTL = 24 * 3600
_FIRST = "first"

logger = logging.getLogger(__name__)


def _balance_key(account_id: uuid.UUID) -> str:
    return f"balance:{account_id}"


def _generation_key(account_id: uuid.UUID) -> str:
    return f"balance-generation:{account_id}"


def read(account_id: uuid.UUID) -> dict[str, Any] | None:
    try:
        kept = cache.get_many([_balance_key(account_id), _generation_key(account_id)])
    except Exception as error:
        logger.warning("balance cache does not answer: %s", error)
        READS.labels("unreachable").inc()
        return None
    found = kept.get(_balance_key(account_id))
    if not found:
        READS.labels("miss").inc()
        return None
    if found["generation"] != kept.get(_generation_key(account_id), _FIRST):
        READS.labels("stale").inc()
        return None
    READS.labels("hit").inc()
    return found["balance"]


def ticket(account_id: uuid.UUID) -> str | None:
    """The account's generation now; `None` when the cache does not answer."""
    try:
        return cache.get(_generation_key(account_id), _FIRST)
    except Exception:
        return None


def write(account_id: uuid.UUID, balance: dict[str, Any], *, ticket: str | None) -> None:
    if ticket is None:
        return
    try:
        cache.set(_balance_key(account_id), {"balance": balance, "generation": ticket}, TTL)
    except Exception as error:
        logger.warning("balance cache does not answer: %s", error)


def invalidate(account_ids: Iterable[uuid.UUID]) -> None:
    """Called after the commit that moved money: a generation that nobody has a ticket of, for all in one exchange."""
    keys = [_generation_key(account_id) for account_id in account_ids]
    try:
        _set_all(keys, ids.new_id().hex)
    except Exception as error:
        logger.warning("balance cache does not answer: %s", error)


_SET_ALL = "for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'EX', ARGV[2]) end"


def _set_all(keys: Sequence[str], value: str) -> None:
    """One value for all keys. A batch of the engine has a thousand, and a command for each of them cost it a twentieth
    of its time: Redis and Valkey go over them themselves."""
    client = getattr(cache, "client", None)
    if client is None:
        cache.set_many(dict.fromkeys(keys, value), _GENERATION_TTL)
        return
    named = list(map(str(client.make_key("")).__add__, keys))
    encoded, server = client.encode(value), client.get_client(write=True)
    if len(named) == 1:
        server.set(named[0], encoded, ex=_GENERATION_TTL)
    else:
        server.eval(_SET_ALL, len(named), *named, encoded, _GENERATION_TTL)
