"""Waking the engine: a message without content, to whoever listens. Losing it loses nothing, the sweep comes anyway."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from celery import current_app

from bridge.kernel import crashpoints
from bridge.kernel.crashpoints import Point

DRIVE = "transfers.tasks.drive"
VALID_FOR = 60  # seconds; an older wake-up has long been overtaken by the sweep

logger = logging.getLogger(__name__)


def _send() -> None:
    current_app.send_task(DRIVE, expires=VALID_FOR)


_waker: ContextVar[Callable[[], None]] = ContextVar("waker", default=_send)


@contextmanager
def use_waker(waker: Callable[[], None]) -> Iterator[None]:
    """Inside the block `waker` is called and no message is sent: a simulation has workers of its own."""
    token = _waker.set(waker)
    try:
        yield
    finally:
        _waker.reset(token)


def wake() -> None:
    """Tell the engine that something is due. Never fails: a broker that is down is what the sweep is for."""
    crashpoints.reach(Point.OUTBOX_COMMITTED)
    try:
        _waker.get()()
    except Exception as error:
        logger.warning("the engine could not be woken, the sweep will find the work: %s", error)
    crashpoints.reach(Point.OUTBOX_WOKEN)
