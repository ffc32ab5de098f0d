"""Keeping what institutions tell us unasked, once per message, until the engine applies it."""

from __future__ import annotations

from typing import Any

from bridge.kernel import crashpoints
from bridge.kernel.transactions import retried, unit_of_work
from transfers import waking
from transfers.models import InboundCallback


@retried
def receive_callback(*, institution: str, callback_id: str, body: dict[str, Any]) -> None:
    """Store a verified callback and wake the engine; a repeated one changes nothing. Committed on return."""
    with unit_of_work() as moment:
        InboundCallback.objects.bulk_create(
            [InboundCallback(institution=institution, callback_id=callback_id, body=body, received_at=moment)],
            ignore_conflicts=True,
        )
        crashpoints.reach(crashpoints.Point.CALLBACK_STORED)
    waking.wake()
