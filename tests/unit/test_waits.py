from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.kernel.waits import NEW_YORK, BusinessDays, after, parse


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("begins", "days", "over"),
    [
        ("2026-11-23 09:00", 0, "2026-11-23 19:00"),
        ("2026-11-23 19:00", 0, "2026-11-24 19:00"),  # the day is closed
        ("2026-11-21 09:00", 0, "2026-11-23 19:00"),  # a Saturday
        ("2026-11-26 09:00", 0, "2026-11-27 19:00"),  # Thanksgiving
        ("2026-11-23 09:00", 2, "2026-11-25 19:00"),
        ("2026-11-25 09:00", 2, "2026-11-30 19:00"),  # over Thanksgiving and a weekend
        ("2026-11-20 23:59", 1, "2026-11-23 19:00"),
        ("2026-07-02 12:00", 1, "2026-07-03 19:00"),  # the Fourth is a Saturday: its Friday is open
    ],
)
def test_business_days_end_with_the_day_of_the_federal_reserve(begins: str, days: int, over: str) -> None:
    assert after(at(begins), BusinessDays(days)) == at(over)


def test_seconds_are_seconds() -> None:
    moment = datetime(2026, 11, 26, 12, tzinfo=UTC)
    assert after(moment, 90) == moment + timedelta(seconds=90)


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        after(datetime(2026, 11, 26, 12), BusinessDays(1))  # noqa: DTZ001


@pytest.mark.parametrize("wait", [0, 900, BusinessDays(0), BusinessDays(1), BusinessDays(12)])
def test_a_wait_reads_as_it_is_written(wait: int | BusinessDays) -> None:
    assert parse(wait if isinstance(wait, int) else str(wait)) == wait


@pytest.mark.parametrize(
    "text", [-1, True, 1.5, None, "", "2 days", "business days", "999 business days", "٢ business days"]
)
def test_what_is_no_wait(text: object) -> None:
    with pytest.raises(ValueError, match="business days"):
        parse(text)
