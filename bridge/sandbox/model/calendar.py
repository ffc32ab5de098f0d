"""Business days and cut-offs. Pure functions of the time they are given."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import lru_cache
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from bridge.sandbox.model.settings import Rail

# Codes of the `holidays` package's financial calendars. The Federal Reserve's days off are not the country's.
FINANCIAL = {"federal_reserve": "XFED", "nyse": "XNYS", "target": "XECB"}
CALENDARS = ("every_day", "weekdays", *FINANCIAL)
SATURDAY = 5


def zone(name: str) -> tzinfo:
    """Raises `ValueError` for a zone that this machine does not know."""
    if name == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, TypeError, OSError) as error:
        raise ValueError(f"unknown time zone {name!r}") from error


def parse_time(text: str) -> time:
    """ "17:00" → 17:00. Raises `ValueError`."""
    if not isinstance(text, str) or not re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        raise ValueError("a time of day is written HH:MM")
    return time(int(text[:2]), int(text[3:]))


@lru_cache(maxsize=256)
def _days_off(calendar: str, year: int) -> frozenset[date]:
    import holidays  # noqa: PLC0415 - slow to import, and only banks with such a calendar need it

    return frozenset(holidays.financial_holidays(FINANCIAL[calendar], years=year))


def is_business_day(day: date, calendar: str) -> bool:
    if calendar == "every_day":
        return True
    if day.weekday() >= SATURDAY:
        return False
    return calendar == "weekdays" or day not in _days_off(calendar, day.year)


def next_business_day(day: date, calendar: str) -> date:
    day += timedelta(days=1)
    while not is_business_day(day, calendar):
        day += timedelta(days=1)
    return day


def due(now: datetime, rail: Rail, where: tzinfo) -> datetime:
    """When an order given at `now` settles on `rail`."""
    local = now.astimezone(where)
    day = local.date()
    late = bool(rail.cutoff) and local.time() >= parse_time(rail.cutoff)
    if late or not is_business_day(day, rail.calendar):
        day = next_business_day(day, rail.calendar)
    for _ in range(rail.business_days):
        day = next_business_day(day, rail.calendar)
    delay = timedelta(seconds=rail.delay_seconds)
    if day == local.date():
        return now + delay
    return datetime.combine(day, parse_time(rail.opens), tzinfo=where).astimezone(UTC) + delay
