"""What this app announces. Receivers hear it inside the transaction and only write rows."""

from __future__ import annotations

from dataclasses import dataclass

from django.dispatch import Signal

from bridge.events.models import Event
from transfers.models import Transfer


@dataclass(frozen=True, slots=True)
class Announcement:
    """One event of one transfer, as both were just saved."""

    event: Event
    transfer: Transfer


# Sent once per batch with `announcements: tuple[Announcement, ...]`, after saving, inside the transaction. What was
# saved may still wait for what its receivers write (`bridge.kernel.together`): they need not ask for it, they have it.
transfers_changed = Signal()

# Sent with `events: tuple[Event, ...]` that concern no single transfer and that operations are told, each with its
# words in `data["message"]`; after writing, inside the transaction.
operations_told = Signal()
