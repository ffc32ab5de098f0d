"""How reasons speak of time. Amounts are spoken by `bridge.kernel.money.display`."""

from __future__ import annotations

from datetime import UTC, datetime


def moment(at: datetime) -> str:
    """`2026-03-01 14:05 UTC`. Raises `ValueError` for a time without a zone, which `astimezone` would guess at."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
