from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connection, transaction
from psycopg import sql

READ, WRITE = ("SELECT",), ("SELECT", "INSERT", "UPDATE")
# What a table's triggers refuse anyway, the role has no right to: the first that a table has decides.
RIGHTS = {"append_only": ("SELECT", "INSERT"), "never_deleted": WRITE, "": (*WRITE, "DELETE")}
# The columns of a table that its writer gives: not the transaction's own number, which the triggers go by.
_TABLES = """
    SELECT c.relname, coalesce(array_agg(t.tgname) FILTER (WHERE t.tgname IS NOT NULL), '{}'), (
        SELECT array_agg(a.attname ORDER BY a.attnum) FROM pg_attribute AS a
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
        AND NOT (a.atttypid = 'xid8'::regtype AND a.atthasdef)
    )
    FROM pg_class AS c
    LEFT JOIN pg_trigger AS t ON t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled <> 'D'
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
    GROUP BY c.oid, c.relname ORDER BY c.relname
"""
_ROLE = """
    SELECT rolsuper OR pg_has_role(rolname, current_user, 'MEMBER') FROM pg_roles WHERE rolname = %s
"""


class Command(BaseCommand):
    help = (
        "Give a database role what Bridge's processes need and no more: nothing that is permanent can be changed, and "
        "no trigger switched off. Run it as the owner of the tables, after every migration."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("role", help="an existing role that owns nothing; web, worker and beat connect as it")
        parser.add_argument("--json", action="store_true", help="report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        role = options["role"]
        with transaction.atomic(), connection.cursor() as cursor:
            _refuse_the_owner(cursor, role)
            given = _grant(cursor, role)
        if options["json"]:
            self.stdout.write(json.dumps({"role": role, "tables": given}))
            return
        for rights in RIGHTS.values():
            tables = [table for table, found in given.items() if found == list(rights)]
            self.stdout.write(f"{', '.join(rights)}: {len(tables)} tables")


def _refuse_the_owner(cursor: Any, role: str) -> None:
    cursor.execute(_ROLE, [role])
    found = cursor.fetchone()
    if found is None:
        raise CommandError(f"There is no role {role}. Make one first: CREATE ROLE {role} LOGIN PASSWORD …")
    if found[0]:
        raise CommandError(f"{role} is a superuser or stands for the owner of the tables: rights would not bind it.")


def _grant(cursor: Any, role: str) -> dict[str, list[str]]:
    name = sql.Identifier(role)
    for text in (
        "REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {}",
        "REVOKE CREATE ON SCHEMA public FROM {}",
        "GRANT USAGE ON SCHEMA public TO {}",
        "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {}",
    ):
        cursor.execute(sql.SQL(text).format(name))
    cursor.execute(_TABLES)
    given = {}
    for table, triggers, columns in cursor.fetchall():
        rights = READ if table == "django_migrations" else _rights(triggers)
        named = sql.SQL("INSERT ({})").format(sql.SQL(", ").join(map(sql.Identifier, columns)))
        what = sql.SQL(", ").join(named if right == "INSERT" else sql.SQL(right) for right in rights)
        cursor.execute(sql.SQL("GRANT {} ON {} TO {}").format(what, sql.Identifier("public", table), name))
        given[table] = list(rights)
    return given


def _rights(triggers: list[str]) -> tuple[str, ...]:
    for kind in ("append_only", "never_deleted"):
        if any(name.startswith(f"pgtrigger_{kind}_") for name in triggers):
            return RIGHTS[kind]
    return RIGHTS[""]
