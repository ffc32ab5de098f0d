"""The one clock. It reads the database's time, so that workers whose clocks lie decide alike.

`now()` is the start of the database transaction plus an offset that only sandbox mode may move. Within one
transaction it never changes. SQL gets it as a parameter and never calls the database's own `now()`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import datetime, timedelta

from django.conf import settings

from bridge.kernel import bulk
from bridge.kernel.errors import BridgeError

_pinned: ContextVar[datetime | None] = ContextVar("pinned_time", default=None)
_source: ContextVar[Callable[[], datetime] | None] = ContextVar("time_source", default=None)


class ClockIsReal(BridgeError):
    code = "clock_is_real"
    status = 409
    title = "The clock cannot be moved"
    message = "Only a sandbox may move its clock."


# The time in a statement that asks for more than that; its parameter is `given()`.
SQL = "coalesce(%s::timestamptz, now() + coalesce((SELECT \"offset\" FROM kernel_clockoffset), interval '0'))"


def now() -> datetime:
    """The time of this transaction, aware, in UTC."""
    known = given()
    if known is not None:
        return known
    value: datetime = bulk.execute(f"SELECT {SQL}", [None]).fetchone()[0]
    return value


def real() -> datetime:
    """The database's own time, which no sandbox moves: what frameworks write about logins counts by it."""
    value: datetime = bulk.execute("SELECT now()").fetchone()[0]
    return value


def given() -> datetime | None:
    """The time where the database need not be asked: pinned in a unit of work, or told by a simulation."""
    pinned = _pinned.get()
    if pinned is not None:
        return pinned
    source = _source.get()
    return source() if source is not None else None


@contextmanager
def pinned(value: datetime) -> Iterator[None]:
    """Hold the clock at `value`: a unit of work pins its transaction's time."""
    token = _pinned.set(value)
    try:
        yield
    finally:
        _pinned.reset(token)


@contextmanager
def use_source(source: Callable[[], datetime]) -> Iterator[None]:
    """Inside the block `source` tells the time instead of the database: a simulation has a virtual one."""
    token = _source.set(source)
    try:
        yield
    finally:
        _source.reset(token)


def ahead() -> timedelta:
    """How far a sandbox's clock is ahead of the database's; nothing elsewhere."""
    from bridge.kernel.models import ClockOffset  # noqa: PLC0415  models need the app registry, settings do not

    row = ClockOffset.objects.first() if settings.BRIDGE_SANDBOX_MODE else None
    return row.offset if row else timedelta(0)


def advance(*, by: timedelta) -> timedelta:
    """Move the sandbox's clock forward and return the whole offset.

    Raises `ClockIsReal` outside sandbox mode and `ValueError` for a step back: time that ran stays run.
    """
    from bridge.kernel.models import ClockOffset  # noqa: PLC0415  models need the app registry, settings do not

    if not settings.BRIDGE_SANDBOX_MODE:
        raise ClockIsReal
    if by < timedelta(0):
        raise ValueError("The clock only moves forward.")
    row, _ = ClockOffset.objects.get_or_create(pk=1)
    row.offset += by
    row.save(update_fields=["offset"])
    return row.offset
