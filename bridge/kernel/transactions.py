"""Where a transaction begins and what must be inside one."""

from __future__ import annotations

import functools
import logging
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, ParamSpec, TypeVar

import psycopg
from django.db import (
    IntegrityError,
    InterfaceError,
    NotSupportedError,
    OperationalError,
    connection,
    transaction,
)

from bridge.kernel import bulk, clock, locking

# The database is away, restarts, or chose this transaction as the victim of a deadlock. Says nothing about the rows.
DATABASE_FAULTS = (OperationalError, InterfaceError)
# deadlock_detected, serialization_failure; feature_not_supported is said of a statement that was prepared before a
# migration. PostgreSQL has undone the whole transaction, so it may simply begin again.
UNDONE = ("40P01", "40001", "0A000")
# Somebody has stored an answer under this key since we looked for one (`idempotency.Taking`).
ANSWERED = "idempotency_key_once"
TRIES = 5
PAUSE_MS = 20  # before the second try at most; doubled before each further one
P = ParamSpec("P")
R = TypeVar("R")

logger = logging.getLogger(__name__)

T = TypeVar("T")

# What this unit of work has read and need not read again; gone with it. None outside of one.
read_once: ContextVar[dict[Any, Any] | None] = ContextVar("read_once", default=None)


@dataclass(frozen=True, eq=False)
class Reading(Generic[T]):
    """Something small that depends on the time and is read once per unit of work: in its first statement, beside the
    time (`idempotency.Taking`), else where it is asked for first.

    `sql` is an expression for one value; it may use the time, `(SELECT at FROM clock)`. `read` makes of that value what
    `at` gives.
    """

    sql: str
    read: Callable[[Any], T]

    def heard(self, value: Any) -> None:
        once = read_once.get()
        if once is not None:
            once[self] = self.read(value)

    def at(self, moment: datetime | None = None) -> T:
        """As it is at this moment, now where none is given. Outside of a unit of work it is read every time."""
        once = read_once.get()
        own = moment is None or moment == clock.given()
        if once is not None and own and self in once:
            found: T = once[self]
            return found
        text = f"WITH clock AS (SELECT {clock.SQL} AS at) SELECT {self.sql}"
        found = self.read(bulk.execute(text, [moment or clock.given()]).fetchone()[0])
        if once is not None and own:
            once[self] = found
        return found


@contextmanager
def unit_of_work(begin: Callable[[], datetime] = clock.now) -> Iterator[datetime]:
    """The one transaction of a service. Yields its time, which every row of it carries.

    Durable: when the block ends without an error, the work is committed. `begin` is its first statement and tells the
    time: what else must come first comes with it (`telling`, `idempotency.Taking`). Raises `RuntimeError` inside
    another transaction.
    """
    with transaction.atomic(durable=True):
        token = read_once.set({})
        try:
            moment = begin()
            with clock.pinned(moment), locking.ordered():
                yield moment
        finally:
            read_once.reset(token)


def telling(*readings: Reading[Any]) -> Callable[[], datetime]:
    """A beginning of a `unit_of_work` that will ask for these: they come with the time, in one statement."""
    text = f"WITH clock AS (SELECT {clock.SQL} AS at) SELECT at{also(readings)} FROM clock"  # noqa: S608 our own text

    def begin() -> datetime:
        moment, *values = bulk.execute(text, [clock.given()]).fetchone()
        hear(readings, values)
        told: datetime = moment
        return told

    return begin


def also(readings: Iterable[Reading[Any]]) -> str:
    """More columns for a statement that tells the time from `clock`; `hear` takes their values."""
    return "".join(f", {reading.sql}" for reading in readings)


def hear(readings: Iterable[Reading[Any]], values: Iterable[Any]) -> None:
    for reading, value in zip(readings, values, strict=True):
        reading.heard(value)


def retried(service: Callable[P, R]) -> Callable[P, R]:
    """For a service that is one `unit_of_work`: begin it again when PostgreSQL chose it as the victim of a deadlock,
    when another has just answered under the same idempotency key, or when a migration changed what it had prepared.

    Nothing of it was committed, so this is safe whatever the service does. At most `TRIES` times, with a pause that
    grows and differs between rivals; then the error goes up: the engine's work is due again after its lease, the API
    answers 503 `busy` with `Retry-After`. Arguments must not be used up by reading them.
    """

    @functools.wraps(service)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        for tried in range(1, TRIES):
            try:
                return service(*args, **kwargs)
            except (OperationalError, IntegrityError, NotSupportedError) as error:
                if not undone(error):
                    raise
                logger.warning("%s was undone by the database (try %d): %s", service.__name__, tried, error)
            time.sleep(random.randrange(PAUSE_MS * 2 ** (tried - 1)) / 1000)  # noqa: S311 no secret
        return service(*args, **kwargs)

    return run


def undone(error: BaseException) -> bool:
    """Whether the database has undone all of a transaction that may simply begin again."""
    cause = error.__cause__
    if isinstance(cause, psycopg.errors.UniqueViolation):
        return cause.diag.constraint_name == ANSWERED
    return getattr(cause, "sqlstate", None) in UNDONE


def require_atomic() -> None:
    """For functions that are a part of somebody's unit of work."""
    if not connection.in_atomic_block:
        raise RuntimeError("This runs only inside a unit of work.")


def require_no_transaction() -> None:
    """For what talks to the network. The block that a test case wraps around a test does not count."""
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise RuntimeError("No transaction may be open here: this talks to the network.")
