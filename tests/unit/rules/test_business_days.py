"""The Federal Reserve's calendar and what arrives when."""

from __future__ import annotations

from datetime import UTC, date, datetime, time

import pytest

from funds.rules.business_days import is_business_day, next_business_day, value_day


@pytest.mark.parametrize(
    ("day", "open"),
    [
        (date(2026, 7, 3), True),  # Independence Day is a Saturday: not moved, though federal offices close
        (date(2026, 7, 4), False),
        (date(2027, 7, 5), False),  # a Sunday: moved to the Monday
        (date(2026, 6, 19), False),  # Juneteenth
        (date(2026, 11, 27), True),  # the day after Thanksgiving
        (date(2026, 4, 3), True),  # Good Friday, when the exchanges are shut
        (date(2026, 3, 14), False),
        (date(2026, 3, 16), True),
    ],
)
def test_the_federal_reserve_has_its_own_holidays(day: date, open: bool) -> None:
    assert is_business_day(day) is open


def test_the_next_business_day_skips_weekend_and_holiday() -> None:
    assert next_business_day(date(2026, 9, 4)) == date(2026, 9, 8)  # over Labor Day


@pytest.mark.parametrize(
    ("at", "days", "day"),
    [
        (datetime(2026, 3, 6, 21, 59, tzinfo=UTC), 0, date(2026, 3, 6)),  # winter: 16:59 in New York
        (datetime(2026, 3, 6, 22, 0, tzinfo=UTC), 0, date(2026, 3, 9)),
        (datetime(2026, 3, 9, 20, 59, tzinfo=UTC), 0, date(2026, 3, 9)),  # summer time since the 8th
        (datetime(2026, 3, 9, 21, 0, tzinfo=UTC), 0, date(2026, 3, 10)),
        (datetime(2026, 3, 10, 3, 0, tzinfo=UTC), 0, date(2026, 3, 10)),  # 23:00 on the 9th
        (datetime(2026, 9, 4, 12, 0, tzinfo=UTC), 2, date(2026, 9, 9)),
    ],
)
def test_value_day_counts_in_new_york(at: datetime, days: int, day: date) -> None:
    assert value_day(at=at, cut_off=time(17, 0), days=days) == day


def test_a_time_without_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        value_day(at=datetime(2026, 3, 9), cut_off=None)  # noqa: DTZ001
