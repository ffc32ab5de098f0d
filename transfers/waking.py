"""Waking the engine: a message without content, to whoever listens. Losing it loses nothing, the sweep comes anyway.

One message wakes for everything that is committed before a worker takes it up. So while one is on its way, others are
not sent: `wake` leaves a mark in the cache, and the worker takes it away *before* it looks for work (`woken`). Whoever
found the mark had committed by then, and is seen. A mark whose message was lost dies after `MARKED_FOR` seconds, no
later than the sweep would come; without a cache every message is sent.

The engine does not wake itself: it goes on until nothing is due. It calls for others only where there is more than it
takes at once (`itself`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from typing import Any

from celery import current_app
from django.conf import settings
from django.core.cache import caches

from bridge.kernel import crashpoints
from bridge.kernel.crashpoints import Point

DRIVE = "transfers.tasks.drive"
VALID_FOR = 60  # seconds; an older wake-up has long been overtaken by the sweep
MARKED_FOR = 5  # seconds; the period of the sweep
ENOUGH = 200  # pieces of work for which an engine that is at work calls others

logger = logging.getLogger(__name__)


def _send() -> None:
    if not _mark():
        return
    try:
        current_app.send_task(DRIVE, expires=VALID_FOR)
    except Exception:
        woken()  # nothing is on its way
        raise


_waker: ContextVar[Callable[[], None]] = ContextVar("waker", default=_send)
_at_work: ContextVar[bool] = ContextVar("engine_at_work", default=False)


@contextmanager
def use_waker(waker: Callable[[], None]) -> Iterator[None]:
    """Inside the block `waker` is called and no message is sent: a simulation has workers of its own."""
    token = _waker.set(waker)
    try:
        yield
    finally:
        _waker.reset(token)


@contextmanager
def itself() -> Iterator[None]:
    """Inside the block the engine is at work: little that becomes due is its own to find."""
    token = _at_work.set(True)
    try:
        yield
    finally:
        _at_work.reset(token)


def wake(*, due: int = ENOUGH) -> None:
    """Tell the engine that so much is due. Never fails: a broker that is down is what the sweep is for."""
    if _at_work.get() and due < ENOUGH:
        return
    crashpoints.reach(Point.OUTBOX_COMMITTED)
    try:
        _waker.get()()
    except Exception as error:
        logger.warning("the engine could not be woken, the sweep will find the work: %s", error)
    crashpoints.reach(Point.OUTBOX_WOKEN)


def woken() -> None:
    """A worker is about to look: what is committed from now on needs a message of its own."""
    try:
        _marks().delete(_key())
    except Exception as error:
        logger.warning("the cache does not answer: %s", error)


def _mark() -> bool:
    """Whether nobody has left a mark; also where the cache cannot tell."""
    try:
        return bool(_marks().set(_key(), b"1", nx=True, ex=MARKED_FOR))
    except Exception:
        return True


def _marks() -> Any:
    """The connection of the cache without its layers; an error is one."""
    marks: Any = caches["default"]
    return marks.client.get_client(write=True)


@cache
def _key() -> str:
    """One mark per queue: who shares a cache need not share a broker."""
    return f"bridge:awake:{settings.CELERY_TASK_DEFAULT_QUEUE}:{settings.CELERY_BROKER_URL}"
