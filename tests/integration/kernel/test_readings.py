"""What a unit of work reads once, and what it reads anew."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bridge.kernel import clock, idempotency
from bridge.kernel.transactions import Reading, telling, unit_of_work

TOLD = Reading("(SELECT at FROM clock)::text", datetime.fromisoformat)


@pytest.mark.django_db(transaction=True)
class TestReading:
    def test_it_is_read_once_per_unit_of_work(self) -> None:
        with unit_of_work() as moment:
            with CaptureQueriesContext(connection) as captured:
                assert [TOLD.at(), TOLD.at(), TOLD.at(moment)] == [moment] * 3
            assert len(captured) == 1
        with unit_of_work() as later:
            assert TOLD.at() == later > moment

    @pytest.mark.parametrize("begin", [idempotency.Taking([], also=[TOLD]), telling(TOLD)])
    def test_what_came_with_the_first_statement_is_not_read_again(self, begin: Callable[[], datetime]) -> None:
        with unit_of_work(begin) as moment, CaptureQueriesContext(connection) as captured:
            assert TOLD.at() == moment
        assert not [query for query in captured.captured_queries if "clock" in query["sql"]]

    def test_another_moment_is_read_anew_and_not_taken_for_this_one(self) -> None:
        with unit_of_work() as moment:
            before = moment - timedelta(days=1)
            assert [TOLD.at(before), TOLD.at(), TOLD.at(before)] == [before, moment, before]

    def test_outside_it_is_read_every_time(self) -> None:
        with CaptureQueriesContext(connection) as captured:
            early, late = TOLD.at(), TOLD.at()
        assert early < late
        assert len(captured) == 2
        with clock.pinned(early):
            assert TOLD.at() == early

    def test_what_this_unit_of_work_has_changed_it_may_say(self) -> None:
        changed = Reading("1", int)
        with unit_of_work():
            assert changed.at() == 1
            changed.heard(2)
            assert changed.at() == 2
        assert changed.at() == 1
