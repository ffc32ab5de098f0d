"""Times in answers."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import overload


@overload
def moment(value: datetime) -> str: ...
@overload
def moment(value: None) -> None: ...
@overload
def moment(value: datetime | None) -> str | None: ...
def moment(value: datetime | None) -> str | None:
    """RFC 3339 in UTC: `2026-11-23T09:00:00.123456Z`."""
    return None if value is None else value.astimezone(UTC).isoformat().replace("+00:00", "Z")
