"""Another session that takes locks in the opposite order, so that PostgreSQL must choose a victim."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, connections, transaction
from django.db.models import Model

PATIENCE = 30  # seconds until a rival that nobody waits for gives up
_BLOCKED = "SELECT count(*) FROM pg_stat_activity WHERE pg_backend_pid() = ANY (pg_blocking_pids(pid))"


class Rival(threading.Thread):
    """Holds `first`; each time that somebody waits for it, wants `second` too, until `times` victims have fallen.

    It is never the victim itself: its own deadlock check comes too late.
    """

    def __init__(self, first: Model, second: Model, times: int) -> None:
        super().__init__(daemon=True)
        self.first, self.second, self.times = first, second, times
        self.holding, self.stopped = threading.Event(), threading.Event()
        self.victims = 0

    def run(self) -> None:
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '10min'")
                _lock(self.first)
                self.holding.set()
                while self.victims < self.times and self._somebody_waits():
                    with transaction.atomic():
                        _lock(self.second)  # granted when the victim's transaction is undone
                        self.victims += 1
                        transaction.set_rollback(True)  # gives the second lock back and keeps the first
        finally:
            self.holding.set()
            connections.close_all()

    def _somebody_waits(self) -> bool:
        for _ in range(PATIENCE * 100):
            with connection.cursor() as cursor:
                cursor.execute(_BLOCKED)
                if cursor.fetchone()[0]:
                    return True
            if self.stopped.wait(0.01):
                return False
        return False


def _lock(row: Model) -> uuid.UUID | int:
    return type(row)._default_manager.select_for_update().values_list("pk", flat=True).get(pk=row.pk)


@contextmanager
def rival(*, first: Model, second: Model, times: int) -> Iterator[Rival]:
    """Within the block the rival holds `first`, until `times` have been undone because of it."""
    made = Rival(first, second, times)
    made.start()
    assert made.holding.wait(PATIENCE)
    try:
        yield made
    finally:
        made.stopped.set()
        made.join(PATIENCE)
