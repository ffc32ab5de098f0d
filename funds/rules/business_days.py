"""The days on which the Federal Reserve Banks move money, which are not the country's public holidays.

A holiday on a Saturday is not moved to the Friday; one on a Sunday is moved to the Monday.
"""

from __future__ import annotations

from datetime import date, datetime, time

from bridge.kernel.waits import NEW_YORK, is_business_day, next_business_day

__all__ = ["NEW_YORK", "is_business_day", "next_business_day", "value_day"]


def value_day(*, at: datetime, cut_off: time | None, days: int = 0) -> date:
    """The day, in New York, on which a payment arrives that is sent at `at` and takes `days` business days.

    It leaves the same day when that is a business day before the cut-off, else on the next business day. Without a
    cut-off the rail never sleeps and the day is that of `at`. `at` must be aware.
    """
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    local = at.astimezone(NEW_YORK)
    day = local.date()
    if cut_off is None:
        return day
    if not is_business_day(day) or local.time() >= cut_off:
        day = next_business_day(day)
    for _ in range(days):
        day = next_business_day(day)
    return day
