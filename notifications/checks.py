from __future__ import annotations

from bridge.kernel.invariants import Invariant
from bridge.kernel.invariants import register as register_invariants
from notifications.messages import HOUSE, TEXTS

_TYPES = ", ".join(f"'{kind}'" for kind in (*TEXTS, *HOUSE))

EACH_HAS_ITS_NOTIFICATION = f"""
    SELECT e.id AS event, e.type, e.subject_id AS transfer, 'has no notification' AS wrong
    FROM events_event AS e
    WHERE e.type IN ({_TYPES})
    AND NOT EXISTS (SELECT FROM notifications_notification AS n WHERE n.id = e.id)
    UNION ALL
    SELECT n.id, n.type, n.transfer_id, 'a notification without its event'
    FROM notifications_notification AS n
    WHERE NOT EXISTS (
        SELECT FROM events_event AS e
        WHERE e.id = n.id AND e.type = n.type AND (n.transfer_id IS NULL OR e.subject_id = n.transfer_id)
    )
"""  # noqa: S608 names of our own table of texts


def register() -> None:
    register_invariants(
        Invariant(
            "I7 notifications",
            "Each event that must notify has its notification, and each notification its event.",
            EACH_HAS_ITS_NOTIFICATION,
        )
    )
