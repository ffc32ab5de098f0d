"""Row locks in one global order, so that no two transactions wait for each other.

`no_key=True` takes FOR NO KEY UPDATE: inserts that reference a locked row do not wait for it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from hashlib import sha256
from typing import TypeVar

from django.db import connection
from django.db.models import Model, QuerySet

from bridge.kernel import compiled

ORDER = (
    "transfers.receipt",
    "transfers.transfer",
    "transfers.bankinstruction",
    "accounts.investoraccount",
    "funds.fundcapacity",
    "funds.allocation",
    "ledger.ledgeraccount",
)
M = TypeVar("M", bound=Model)
_RANK = {label: rank for rank, label in enumerate(ORDER)}
_reached: ContextVar[list[int] | None] = ContextVar("locks_reached", default=None)


class LockOrderViolated(RuntimeError):
    """A programming error: these locks could deadlock with somebody else's."""


@contextmanager
def ordered() -> Iterator[None]:
    """Watch the order of locks for one unit of work."""
    token = _reached.set([-1])
    try:
        yield
    finally:
        _reached.reset(token)


def lock(queryset: QuerySet[M], ids: Iterable[uuid.UUID | int]) -> list[M]:
    """Lock these rows by primary key, in key order, and return them as they are now.

    `queryset` is all rows of a model, `only()` some of their columns where the rest is not looked at. Raises
    `RuntimeError` outside a transaction and `LockOrderViolated` where `ORDER` is not kept.
    """
    model = queryset.model
    claim_rank(model)
    wanted = list(ids)
    if queryset.query.where:
        raise ValueError("Rows are locked by their ids alone: what is locked must not depend on what is read.")
    if not wanted:
        return []
    names, deferred = queryset.query.deferred_loading
    if deferred and names:
        raise ValueError("Name the columns that are read: a lock is on a hot path.")
    return compiled.locked(model, wanted, only=() if deferred else sorted(names))


def alone(name: str, *, shared: bool = False) -> None:
    """Until the transaction ends nobody else is here under this name; `shared` keeps out only those who are alone.

    For what has no row to lock. Take it before all row locks, several in the order of their names.
    Raises `RuntimeError` outside a transaction.
    """
    if not connection.in_atomic_block:
        raise RuntimeError("An advisory lock outside a transaction is gone before it is used.")
    number = int.from_bytes(sha256(name.encode()).digest()[:8], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT pg_advisory_xact_lock{'_shared' if shared else ''}(%s)", [number])


def claim_rank(model: type[Model]) -> None:
    """Say that rows of `model` are about to be locked."""
    if not connection.in_atomic_block:
        raise RuntimeError("A row lock outside a transaction is gone before it is used.")
    reached = _reached.get()
    if reached is None:
        return
    rank = _RANK[model._meta.label_lower]
    if rank < reached[0]:
        raise LockOrderViolated(f"{model._meta.label} must be locked before {ORDER[reached[0]]}.")
    reached[0] = rank
