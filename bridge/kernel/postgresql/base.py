"""Django's PostgreSQL, with psycopg's own reader of times, and cursors for prepared statements and for COPY.

Django reads every `timestamptz` in Python, to put it into any time zone: 5 µs each, and a transfer has eleven. Ours are
all in UTC, as the connection is, so psycopg's reader in C gives the same value in 0.2 µs.

Longer than most modules: all in which our connections differ from Django's.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC
from functools import partial
from select import POLLIN, POLLPRI, poll
from time import monotonic
from typing import Any

import psycopg
from django.db.backends.postgresql import base, operations
from psycopg.adapt import Dumper
from psycopg.postgres import types
from psycopg.pq import Format, TransactionStatus

from bridge.kernel.columns import Array


class PreparedCursor(psycopg.Cursor[Any]):
    """Parameters travel beside the statement, which the server parses and plans once per connection; after a rollback
    once more, since the driver gives up then whatever it has prepared.

    Not where they carry many rows: a plan that was kept from when its tables were small would read them whole for each
    of these rows, and to plan anew costs next to nothing beside them.
    """

    def execute(
        self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Any:
        few = sum([len(value) for value in params or () if isinstance(value, str | bytes)]) < MANY
        _keep_plans(self.connection, few=few)
        return _anew_if_changed(self, partial(super().execute, query, params, prepare=few, binary=binary))


class NumberedCursor(psycopg.RawCursor[Any]):
    """The same for texts whose parameters are numbered, `$1`: the driver looks for none, however long the text is."""

    def execute(
        self, query: Any, params: Any = None, *, prepare: bool | None = None, binary: bool | None = None
    ) -> Any:
        _keep_plans(self.connection, few=True)
        return _anew_if_changed(self, partial(super().execute, query, params, prepare=True, binary=binary))


class CopyingCursor(psycopg.Cursor[Any]):
    """`execute(text, [data])` runs COPY … FROM STDIN over this data."""

    def execute(self, query: Any, params: Any = None, **_: Any) -> Any:
        _keep_plans(self.connection, few=False)
        with self.copy(query) as copy:
            copy.write(params[0])
        return self


def _anew_if_changed(cursor: Any, execute: Callable[[], Any]) -> Any:
    """A column that a migration has widened since the statement was prepared is none that the statement promised, and
    the server refuses it from then on. What is prepared is given up then, and the statement prepared anew.

    Inside a transaction nothing can be asked any more: its rollback gives everything up, and `retried` begins again.
    """
    try:
        return execute()
    except psycopg.errors.FeatureNotSupported:
        if cursor.connection.info.transaction_status != TransactionStatus.IDLE:
            raise
        cursor.connection.execute("DEALLOCATE ALL")
        return execute()


def _keep_plans(connection: Any, *, few: bool) -> None:
    """Have the server keep its plans (`plan_cache_mode`) for statements of few rows, and choose by itself for many.

    Left to itself it takes an array that it does not look into for ten rows, finds a plan for the one row that it has
    cheaper, and makes that plan again each time: a quarter of what a request cost it. Once a transaction has had many
    rows, it is not told again until it ends.
    """
    keeps: bool | None = getattr(connection, "keeps_plans", None)  # None: new, or a rollback has undone what was said
    if keeps is few or (few and keeps is False and connection.info.transaction_status != TransactionStatus.IDLE):
        return
    connection.execute(f"SET plan_cache_mode = {'force_generic_plan' if few else 'auto'}")
    connection.keeps_plans = few


class _ArrayDumper(Dumper):
    """An array in binary form; of which type, the statement says."""

    format = Format.BINARY

    def dump(self, obj: Any) -> bytes:
        return bytes(obj)


MANY = 4_000  # characters and bytes in parameters, two hundred ids
PREPARED_MAX = 400  # per connection; the driver's 100 are fewer than our texts, and what falls out is parsed again
PLANS_LAST = 1.0, 10.0  # seconds at least and at most
ASKED_EVERY = 5.0  # seconds from one question whether the server lives to the next at least
ON_REQUEST = 1 << 31  # executions before the driver prepares by itself: never; `PreparedCursor` asks for it
_TIME = types["timestamptz"].oid


class DatabaseOperations(operations.DatabaseOperations):
    def last_executed_query(self, cursor: Any, sql: Any, params: Any) -> Any:
        """Of a prepared statement the driver keeps no text; what was asked for is told instead."""
        return super().last_executed_query(cursor, sql, params) or sql


class DatabaseWrapper(base.DatabaseWrapper):
    ops_class = DatabaseOperations
    connection: Any
    _prepare_cursor: Any
    _born = _planned_until = _asked = 0.0

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        connection = super().get_new_connection(conn_params)
        connection.prepared_max = PREPARED_MAX
        connection.prepare_threshold = ON_REQUEST  # Django's None forbids it even to those who ask
        connection.adapters.register_dumper(Array, _ArrayDumper)
        if self.timezone == UTC:
            reader = psycopg.adapters.get_loader(_TIME, Format.TEXT)
            assert reader is not None
            connection.adapters.register_loader("timestamptz", reader)
        self._born = self._asked = monotonic()
        self._planned_until = self._born + PLANS_LAST[0]
        return connection

    def is_usable(self) -> bool:
        """Whether the server still listens on this connection.

        Django asks it at every request, a round trip. But a server that ends a connection, is stopped or dies says so
        on the line, and to look there costs nothing. It is asked only now and then, for lines that were cut without a
        word, and after an error.
        """
        if monotonic() - self._asked < ASKED_EVERY and not self.errors_occurred and self._is_quiet():
            return True
        alive: bool = super().is_usable()
        if alive:
            self._asked = monotonic()
        return alive

    def _is_quiet(self) -> bool:
        """A line that is open and idle, with nothing on it to read."""
        line = self.connection
        if line is None or line.closed or line.info.transaction_status != TransactionStatus.IDLE:
            return False
        watch = poll()
        watch.register(line.fileno(), POLLIN | POLLPRI)
        return not watch.poll(0)  # a line that was cut is told without having been asked for

    def prepared_cursor(self) -> Any:
        """A cursor for statements whose text is always the same; wrapped, watched and guarded as any other."""
        return self._cursor_of(PreparedCursor)

    def numbered_cursor(self) -> Any:
        """The same for texts with `$1`."""
        return self._cursor_of(NumberedCursor)

    def _cursor_of(self, kind: type[Any]) -> Any:
        self._find_connection()
        with self.wrap_database_errors:
            if monotonic() >= self._planned_until:
                self._plan_anew()
            return self._prepare_cursor(kind(self.connection))

    def copying_cursor(self) -> Any:
        """A cursor for COPY; wrapped, watched and guarded as any other."""
        self._find_connection()
        with self.wrap_database_errors:
            return self._prepare_cursor(CopyingCursor(self.connection))

    def _plan_anew(self) -> None:
        """Let the server forget how it does what it has prepared, and what its triggers ask.

        A plan lasts until somebody counts the table (autovacuum, once a minute at best), and one that was made for a
        table of a page reads all of it, however long it has become: half of a request's time in the first minute of a
        new installation. So a plan is never older than the connection was when it was made, nor than ten seconds.
        """
        self.connection.execute("DISCARD PLANS")
        now = monotonic()
        least, most = PLANS_LAST
        self._planned_until = now + min(max(now - self._born, least), most)

    def _rollback(self) -> None:
        if self.connection is not None:
            self.connection.keeps_plans = None
        super()._rollback()  # type: ignore[misc]

    def _savepoint_rollback(self, sid: str) -> None:
        self.connection.keeps_plans = None
        super()._savepoint_rollback(sid)  # type: ignore[misc]

    def _find_connection(self) -> None:
        """A connection that lives, as Django's own cursors make sure of: the first of a request asks the server."""
        self.close_if_health_check_failed()
        if self.connection is None:
            self.ensure_connection()

    def create_cursor(self, name: str | None = None) -> Any:
        if self.timezone != UTC:
            return super().create_cursor(name)
        if name is None:
            return self.connection.cursor()
        named: Any = base.ServerSideCursor
        return named(self.connection, name=name, scrollable=False, withhold=self.connection.autocommit)
