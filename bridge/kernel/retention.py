"""Logs of how Bridge is run, which may be forgotten after a time. `manage.py prune` forgets them.

What proves where money is (postings, entries, events, verifications, callbacks, keys of requests …) is no such log: a
model with triggers that keep its rows is refused here, and the rest of those tables is never registered.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.apps import apps
from django.db import models

from bridge.kernel import clock

AT_ONCE = 5_000  # rows per statement, each of which commits by itself


@dataclass(frozen=True, slots=True)
class Log:
    """`model` as `app_label.Model`; a row's age counts from `moment`, which is when it ends where it ends by itself.

    `now` tells the time that `moment` was written in: Bridge's, or the real one where a framework wrote it.
    """

    name: str
    what: str
    model: str
    moment: str
    keep: timedelta
    now: Callable[[], datetime] = clock.now

    @property
    def rows(self) -> models.QuerySet[models.Model]:
        return apps.get_model(self.model)._default_manager.order_by()


_registry: dict[str, Log] = {}


def register(*logs: Log) -> None:
    """Called from an app's `ready()`. Raises `ValueError` for a name that is taken and for a table that is kept."""
    for log in logs:
        if _registry.get(log.name, log) != log:
            raise ValueError(f"The log {log.name} is registered twice.")
        if getattr(apps.get_model(log.model)._meta, "triggers", ()):
            raise ValueError(f"{log.model} is kept for ever: its triggers say so.")
        _registry[log.name] = log


def all_logs() -> list[Log]:
    return [_registry[name] for name in sorted(_registry)]


def overdue(log: Log, *, at: datetime, keep: timedelta | None = None) -> models.QuerySet[models.Model]:
    """The rows that may be forgotten at this moment, which `log.now` has told."""
    return log.rows.filter(**{f"{log.moment}__lt": at - (log.keep if keep is None else keep)})


def prune(
    log: Log,
    *,
    at: datetime,
    keep: timedelta | None = None,
    told: Callable[[int], None] = lambda rows: None,
) -> int:
    """Delete what is overdue, some thousand rows at a time, and return how many they were. No lock is held between."""
    total = 0
    old = overdue(log, at=at, keep=keep)
    while keys := list(old.values_list("pk", flat=True)[:AT_ONCE]):
        total += _delete(log, keys)
        told(len(keys))
    return total


def _delete(log: Log, keys: Sequence[object]) -> int:
    return log.rows.filter(pk__in=keys).delete()[0]


def register_frameworks() -> None:
    """What the frameworks write about logins, in real time."""
    none, week, ninety, real = timedelta(0), timedelta(days=7), timedelta(days=90), clock.real
    register(
        Log("sign-ins", "sign-ins and their ends", "axes.AccessLog", "attempt_time", ninety, real),
        Log("failed-sign-ins", "sign-ins that were refused", "axes.AccessAttempt", "attempt_time", ninety, real),
        Log("sessions", "sessions of the console that are over", "sessions.Session", "expire_date", none, real),
        Log("tokens", "tokens of the API that are over", "knox.AuthToken", "expiry", week, real),
    )
