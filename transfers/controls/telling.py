"""Writing what is no transfer's own to the log, and announcing it to operations in the same breath."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from bridge.events import services as events
from bridge.events.services import Fact
from bridge.kernel.results import Actor
from transfers.models import Transfer
from transfers.signals import operations_told


def tell(*, facts: Sequence[Fact], actor: Actor, at: datetime) -> None:
    """Events whose `data["message"]` operations read. Needs a transaction and the subjects' locks."""
    written = events.append(facts=facts, actor=actor, at=at)
    if written:
        operations_told.send(sender=Transfer, events=tuple(written))
