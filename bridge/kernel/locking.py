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

from bridge.kernel import bulk, compiled, rows

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

    Of all rows of a model, or of some of their columns (`only`), the statement is compiled once. Raises `RuntimeError`
    outside a transaction and `LockOrderViolated` where `ORDER` is not kept.
    """
    claim_rank(queryset.model)
    wanted = list(ids)
    if not wanted:
        return []
    names, deferred = queryset.query.deferred_loading
    if not _is_whole(queryset) or (deferred and names):
        return rows.read(queryset.filter(bulk.Among("pk", wanted)).select_for_update(no_key=True).order_by("pk"))
    return compiled.locked(queryset.model, wanted, only=() if deferred else sorted(names))


def _is_whole(queryset: QuerySet[M]) -> bool:
    """`Model.objects.all()`, whose statement is always the same."""
    query = queryset.query
    return not (query.where or query.annotations or query.select_related or query.is_sliced or query.distinct)


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
