"""What a run takes from its seed instead of from the machine: the time of day and new identifiers."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta

_VERSION, _VARIANT = 7 << 76, 2 << 62


class VirtualTime:
    """A clock that only moves when told, and ids (uuid version 7) that follow it. Both repeat exactly."""

    def __init__(self, start: datetime) -> None:
        self.at = start
        self._made = 0

    def now(self) -> datetime:
        return self.at

    def advance(self, seconds: float) -> None:
        assert seconds >= 0, "time that ran stays run"
        self.at += timedelta(seconds=seconds)

    def new_id(self) -> uuid.UUID:
        self._made += 1
        milliseconds = int(self.at.timestamp() * 1000)
        return uuid.UUID(int=milliseconds << 80 | _VERSION | _VARIANT | self._made)
