"""After the server was restarted the next request finds it again, whichever kind of cursor it begins with; while it
lives, it is not asked at every request whether it does."""

from __future__ import annotations

import select
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from django.db import ProgrammingError, close_old_connections, connection, transaction

from accounts.models import Investor
from bridge.kernel import bulk, columns
from bridge.kernel.postgresql import base
from bridge.kernel.transactions import retried, unit_of_work

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def _ask() -> None:
    Investor.objects.exists()


def _ask_prepared() -> None:
    bulk.execute("SELECT 1").fetchone()


def _copy() -> None:
    bulk.insert(Investor, [Investor(kind="entity", legal_name=f"N {n}", created_at=AT) for n in range(bulk.FEW + 1)])


def _few() -> None:
    bulk.execute("SELECT %s::text[]", [columns.texts(["one"])]).fetchone()


def _many() -> None:
    bulk.execute("SELECT %s::text[]", [columns.texts(["one"] * base.MANY)]).fetchone()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", [_ask, _ask_prepared, _copy])
def test_a_connection_that_died_between_requests_is_made_anew(first: Callable[[], None]) -> None:
    connection.ensure_connection()
    lost = connection.connection.info.backend_pid
    with psycopg.connect(**_wanted(), autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 30000)", [lost])

    close_old_connections()  # as every request and every task begins
    first()
    assert connection.connection.info.backend_pid != lost


@pytest.mark.django_db(transaction=True)
class TestHowOftenTheServerIsAskedWhetherItLives:
    @pytest.fixture
    def asked(self, monkeypatch: pytest.MonkeyPatch) -> list[bool]:
        """A line for each time. The connection is new."""
        answers: list[bool] = []
        ask = base.base.DatabaseWrapper.is_usable

        def told(wrapper: base.DatabaseWrapper) -> bool:
            answers.append(ask(wrapper))
            return answers[-1]

        monkeypatch.setattr(base.base.DatabaseWrapper, "is_usable", told)
        connection.close()
        connection.ensure_connection()
        return answers

    def test_not_by_requests_that_follow_each_other(self, asked: list[bool]) -> None:
        for _ in range(3):
            close_old_connections()
            _ask()
        assert asked == []

    def test_again_after_a_while_and_then_not_for_as_long(
        self, asked: list[bool], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        later = base.monotonic() + base.ASKED_EVERY
        monkeypatch.setattr(base, "monotonic", lambda: later)
        for _ in range(3):
            close_old_connections()
            _ask()
        assert asked == [True]

    def test_after_an_error(self, asked: list[bool]) -> None:
        with pytest.raises(ProgrammingError):
            bulk.execute("SELECT * FROM nowhere")
        close_old_connections()
        _ask()
        assert asked == [True]

    def test_where_the_line_says_something(self, asked: list[bool]) -> None:
        """Only a message, so that the line is good after all: whoever speaks is asked."""
        bulk.execute("LISTEN here")
        with psycopg.connect(**_wanted(), autocommit=True) as other:
            other.execute("NOTIFY here")
        fileno = connection.connection.fileno()
        select.select([fileno], [], [], 30)
        close_old_connections()
        _ask()
        assert asked == [True]


@pytest.mark.django_db(transaction=True)
class TestWhetherPlansAreKept:
    """PostgreSQL plans few rows anew each time where it may choose; for many it must be free to."""

    @pytest.fixture(autouse=True)
    def _a_new_line(self) -> None:
        connection.close()

    def test_of_few_rows_they_are_and_of_many_not(self) -> None:
        _few()
        assert _mode() == "force_generic_plan"
        _many()
        assert _mode() == "auto"
        _few()
        assert _mode() == "force_generic_plan"
        _copy()
        assert _mode() == "auto"

    def test_a_transaction_with_many_rows_is_told_once(self) -> None:
        with transaction.atomic():
            _few()
            _many()
            _few()
            assert _mode() == "auto"
        _few()
        assert _mode() == "force_generic_plan"

    @pytest.mark.parametrize("ask", [[_few], [_few, _many]])
    def test_what_a_rollback_undoes_is_said_again(self, ask: list[Callable[[], None]]) -> None:
        with pytest.raises(ZeroDivisionError), transaction.atomic():
            for one in ask:
                one()
            raise ZeroDivisionError
        _few()
        assert _mode() == "force_generic_plan"
        with transaction.atomic():
            with pytest.raises(ZeroDivisionError), transaction.atomic():
                _many()
                raise ZeroDivisionError
            _many()
            assert _mode() == "auto"


@pytest.mark.django_db(transaction=True)
class TestAMigrationUnderAConnectionThatLives:
    @pytest.fixture(params=["with names", "with numbers"])
    def read(self, request: pytest.FixtureRequest) -> Iterator[Callable[[], str]]:
        """Reads a column that becomes another type between two calls."""

        def by_name() -> str:
            return str(bulk.execute("SELECT word FROM widened WHERE word = %s", ["one"]).fetchone()[0])

        def by_number() -> str:
            cursor = connection.numbered_cursor()  # type: ignore[attr-defined]
            cursor.execute("SELECT word FROM widened WHERE word = $1", ["one"])
            return str(cursor.fetchone()[0])

        with psycopg.connect(**_wanted(), autocommit=True) as other:
            other.execute("CREATE TABLE widened AS SELECT 'one'::varchar(10) AS word")
            reads = by_name if request.param == "with names" else by_number
            for _ in range(2):
                reads()
            other.execute("ALTER TABLE widened ALTER word TYPE varchar(20)")
            yield reads
            connection.close()
            other.execute("DROP TABLE widened")

    def test_a_statement_is_prepared_anew(self, read: Callable[[], str]) -> None:
        assert [read(), read()] == ["one", "one"]

    def test_a_service_begins_again(self, read: Callable[[], str]) -> None:
        tries = []

        @retried
        def service() -> str:
            with unit_of_work():
                tries.append(1)
                return read()

        assert (service(), len(tries)) == ("one", 2)


def _mode() -> str:
    """As the server has it, asked beside the cursors that set it."""
    row = connection.connection.execute("SHOW plan_cache_mode").fetchone()
    return str(row[0])


def _wanted() -> dict[str, Any]:
    """How to connect beside Django."""
    parameters = connection.get_connection_params()
    return {name: parameters[name] for name in ("dbname", "user", "host", "port", "password") if name in parameters}
