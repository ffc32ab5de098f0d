"""How long something waits: seconds, or business days of the Federal Reserve Banks. Pure.

The Federal Reserve's holidays are not the country's; a holiday on a Saturday is not moved to the Friday.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import holidays

NEW_YORK: Final = ZoneInfo("America/New_York")
CLOSE: Final = time(19)  # the Fedwire Funds Service closes at 19:00 Eastern
MOST_DAYS: Final = 260
_ONE_DAY: Final = timedelta(days=1)
_HOLIDAYS: Final = holidays.financial_holidays("XFED")
_WRITTEN: Final = re.compile(r"([0-9]{1,3}) business days?")


@lru_cache(maxsize=4096)
def is_business_day(day: date) -> bool:
    return day.weekday() < 5 and day not in _HOLIDAYS


def next_business_day(day: date) -> date:
    """The first business day after `day`."""
    day += _ONE_DAY
    while not is_business_day(day):
        day += _ONE_DAY
    return day


@dataclass(frozen=True, slots=True, order=True)
class BusinessDays:
    """Until the close of the so-manieth business day after the day on which it begins.

    0 is the close of the same day; of the next business day where that has passed, or on a day off.
    """

    count: int

    def after(self, moment: datetime) -> datetime:
        """`moment` must be aware."""
        if moment.tzinfo is None:
            raise ValueError("a time without a zone")
        local = moment.astimezone(NEW_YORK)
        return _close_after(local.date(), local.time() >= CLOSE, self.count)

    def __str__(self) -> str:
        return f"{self.count} business day{'' if self.count == 1 else 's'}"


Wait = int | BusinessDays


def after(moment: datetime, wait: Wait) -> datetime:
    """When a wait that begins at `moment` is over."""
    return wait.after(moment) if isinstance(wait, BusinessDays) else moment + timedelta(seconds=wait)


def parse(value: object) -> Wait:
    """A wait as it is kept: 900, or "2 business days". Raises `ValueError` saying what it may be."""
    if isinstance(value, BusinessDays):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    found = _WRITTEN.fullmatch(value) if isinstance(value, str) else None
    if found is None or int(found[1]) > MOST_DAYS:
        raise ValueError("must be seconds, or 'N business days'")
    return BusinessDays(int(found[1]))


@lru_cache(maxsize=4096)
def _close_after(day: date, closed: bool, count: int) -> datetime:
    if not count and (closed or not is_business_day(day)):
        count = 1
    for _ in range(count):
        day = next_business_day(day)
    return datetime.combine(day, CLOSE, tzinfo=NEW_YORK).astimezone(UTC)
