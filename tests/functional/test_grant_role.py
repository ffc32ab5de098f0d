"""The application's own database role: it moves money, and may not do what the triggers refuse, nor switch them off."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import DatabaseError, connection, transaction

from tests.world import World

ROLE = "bridge_application_of_a_test"


@pytest.fixture
def tables(bridge: World) -> Iterator[dict[str, list[str]]]:
    """What the role was given; from here on the test is that role. The rollback takes role and rights away."""
    out = StringIO()
    with connection.cursor() as cursor:
        cursor.execute(f"CREATE ROLE {ROLE}")
        call_command("grant_role", ROLE, "--json", stdout=out)
        cursor.execute(f"SET LOCAL ROLE {ROLE}")
        yield json.loads(out.getvalue())["tables"]
        cursor.execute("RESET ROLE")


def denied(statement: str) -> bool:
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)
    except DatabaseError as error:
        return "permission denied" in str(error) or "must be owner" in str(error)
    return False


def test_it_moves_money(bridge: World, tables: dict[str, list[str]]) -> None:
    transfer = bridge.request(bridge.account(), bridge.fund())
    bridge.run()
    assert bridge.fresh(transfer).state == "completed"
    bridge.check()


def test_it_may_not_touch_what_is_permanent(bridge: World, tables: dict[str, list[str]]) -> None:
    permanent = [table for table, rights in tables.items() if rights == ["SELECT", "INSERT"]]
    assert {"ledger_posting", "ledger_entry", "events_event", "events_seal", "funds_verification"} < set(permanent)
    for table in permanent:
        for statement in (f"DELETE FROM {table}", f"TRUNCATE {table}", f"ALTER TABLE {table} DISABLE TRIGGER ALL"):
            assert denied(statement), statement
    assert denied("INSERT INTO ledger_posting (tx) VALUES ('9')")  # a posting that a later transaction could add to
    assert denied("INSERT INTO events_event (tx) VALUES ('9')")
    assert denied("UPDATE ledger_entry SET amount = 1")
    kept = [table for table, rights in tables.items() if "DELETE" not in rights]
    assert {"transfers_transfer", "transfers_bankinstruction", "approvals_approval", "funds_allocation"} < set(kept)
    assert all(denied(f"DELETE FROM {table}") for table in kept)
    assert denied("SET LOCAL session_replication_role = replica")
    assert denied("CREATE TABLE another (id int)")


def test_whom_rights_would_not_bind_is_refused(bridge: World) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_user")
        (owner,) = cursor.fetchone()
    with pytest.raises(CommandError, match="would not bind it"):
        call_command("grant_role", owner)
    with pytest.raises(CommandError, match="There is no role nobody_at_all"):
        call_command("grant_role", "nobody_at_all")
