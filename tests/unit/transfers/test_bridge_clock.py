"""How old money is, by hours and by business days. Wednesdays and weekends of June 2026, New York."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from bridge.kernel.waits import BusinessDays
from transfers.bridge_clock import BUCKETS, bucket, holder

WEDNESDAY = datetime(2026, 6, 10, 16, tzinfo=UTC)
MONDAY = datetime(2026, 6, 15, 16, tzinfo=UTC)


@pytest.mark.parametrize(
    ("at", "ago", "name"),
    [
        (WEDNESDAY, timedelta(0), "under 1 hour"),
        (WEDNESDAY, timedelta(hours=1), "under 1 hour"),
        (WEDNESDAY, timedelta(hours=1, seconds=1), "under 1 day"),
        (WEDNESDAY, timedelta(days=1), "under 1 day"),
        (WEDNESDAY, timedelta(days=1, seconds=1), "under 2 business days"),
        (WEDNESDAY, timedelta(days=3), "older"),
        (MONDAY, timedelta(days=3), "under 2 business days"),  # Friday, and the weekend does not count
        (MONDAY, timedelta(days=4), "under 2 business days"),  # Thursday
        (MONDAY, timedelta(days=5), "older"),  # Wednesday
    ],
)
def test_money_is_in_the_bucket_of_its_age(at: datetime, ago: timedelta, name: str) -> None:
    assert BUCKETS[bucket(at - ago, at=at)] == name


def test_the_third_bucket_ends_to_the_second_with_the_close_of_the_second_business_day() -> None:
    came = datetime(2026, 6, 11, 15, tzinfo=UTC)  # a Thursday
    close = BusinessDays(2).after(came)
    assert close == datetime(2026, 6, 15, 23, tzinfo=UTC)  # Monday, 19:00 in New York
    assert BUCKETS[bucket(came, at=close)] == "under 2 business days"
    assert BUCKETS[bucket(came, at=close + timedelta(seconds=1))] == "older"


def test_the_state_says_who_has_it() -> None:
    banks = {"investors_bank": "meridian", "funds_bank": "harbor"}
    assert [holder(state, **banks) for state in ("withdrawn", "depositing", "refunding", "frozen")] == [
        "settlement account",
        "harbor",
        "meridian",
        "settlement account, frozen",
    ]
