"""What was held back goes on at once when its reason is gone; without that it would look again by itself."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction

from bridge.kernel.transactions import require_atomic
from transfers import waking

# Rows that somebody writes at this moment are left to them: they look again within a minute.
_WAKE = """
    UPDATE transfers_work AS w SET due_at = %s FROM (
        SELECT w.transfer_id FROM transfers_work AS w JOIN transfers_transfer AS t ON t.id = w.transfer_id
        WHERE t.blocker_code = ANY(%s) AND w.due_at > %s AND w.lease_until IS NULL
        ORDER BY w.transfer_id FOR UPDATE OF w SKIP LOCKED
    ) AS held WHERE w.transfer_id = held.transfer_id
"""


def wake(codes: Sequence[str], *, at: datetime) -> int:
    """Make those due that these blockers hold back; returns how many. Needs a transaction."""
    require_atomic()
    with connection.cursor() as cursor:
        cursor.execute(_WAKE, [at, list(codes), at])
        count = cursor.rowcount
    if count:
        transaction.on_commit(waking.wake)
    return count
