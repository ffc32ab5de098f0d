"""Emptying the database after a test that commits.

Django's flush truncates every table, which the append-only tables refuse, and then makes content types and
permissions again, which is slow and does not bring back rows that a migration made. Instead:

- after the migrations, every table that has rows is copied to the schema `seed`;
- after a test, tables with rows are truncated and the copies are put back, in one transaction with
  `session_replication_role = replica`, which keeps triggers and foreign keys out of it. That needs a superuser: the
  embedded server gives one; a DATABASE_URL for tests must, too.
"""

from __future__ import annotations

from typing import Any

from django.db import connection, transaction
from django.test import TransactionTestCase

_TABLES = """
    SELECT quote_ident(c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = %s AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1
"""
_COLUMNS = """
    SELECT quote_ident(attname) FROM pg_attribute
    WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum
"""


def install() -> None:
    """Copy what the migrations left, and replace Django's flush after every `TransactionTestCase`."""
    with connection.cursor() as cursor:
        cursor.execute("DROP SCHEMA IF EXISTS seed CASCADE")
        cursor.execute("CREATE SCHEMA seed")
        for table in _filled(cursor):
            columns = ", ".join(_column(cursor, _COLUMNS, f"public.{table}"))
            cursor.execute(f"CREATE TABLE seed.{table} AS SELECT {columns} FROM public.{table}")
    TransactionTestCase._fixture_teardown = _teardown  # type: ignore[attr-defined]


def flush() -> None:
    """Back to what the migrations left. Waits at most 20 seconds for a connection that a test left open."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL lock_timeout = '20s'")
        cursor.execute("SET LOCAL session_replication_role = replica")
        seeded = _column(cursor, _TABLES, "seed")
        used = [f"public.{table}" for table in _filled(cursor) if table not in seeded]
        if used:
            cursor.execute(f"TRUNCATE {', '.join(used)} CASCADE")
        for table in seeded:
            if table == "django_migrations":
                continue
            columns = ", ".join(_column(cursor, _COLUMNS, f"seed.{table}"))
            cursor.execute(f"DELETE FROM public.{table}")
            cursor.execute(f"INSERT INTO public.{table} ({columns}) SELECT {columns} FROM seed.{table}")


def _teardown(self: TransactionTestCase) -> None:
    flush()


def _filled(cursor: Any) -> list[str]:
    """The tables of the project that have rows."""
    tables = _column(cursor, _TABLES, "public")
    asked = " UNION ALL ".join(
        f"SELECT {number} WHERE EXISTS (SELECT FROM public.{table})" for number, table in enumerate(tables)
    )
    if not asked:
        return []
    cursor.execute(asked)
    return [tables[number] for (number,) in cursor.fetchall()]


def _column(cursor: Any, query: str, parameter: str) -> list[str]:
    cursor.execute(query, [parameter])
    return [value for (value,) in cursor.fetchall()]
