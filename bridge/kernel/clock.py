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
from django.db import connection

from bridge.kernel.errors import BridgeError

_pinned: ContextVar[datetime | None] = ContextVar("pinned_time", default=None)
_source: ContextVar[Callable[[], datetime] | None] = ContextVar("time_source", default=None)


class ClockIsReal(BridgeError):
    code = "clock_is_real"
    status = 409
    title = "The clock cannot be moved"
    message = "Only a sandbox may move its clock."


def now() -> datetime:
    """The time of this transaction, aware, in UTC."""
    pinned = _pinned.get()
    if pinned is not None:
        return pinned
    source = _source.get()
    if source is not None:
        return source()
    with connection.cursor() as cursor:
        cursor.execute("SELECT now() + coalesce((SELECT \"offset\" FROM kernel_clockoffset), interval '0')")
        (value,) = cursor.fetchone()
    return value


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
