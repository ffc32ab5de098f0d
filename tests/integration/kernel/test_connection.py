"""After the server was restarted the next request finds it again, whichever kind of cursor it begins with."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import pytest
from django.db import close_old_connections, connection

from accounts.models import Investor
from bridge.kernel import bulk

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)


def _ask() -> None:
    Investor.objects.exists()


def _ask_prepared() -> None:
    bulk.execute("SELECT 1").fetchone()


def _copy() -> None:
    bulk.insert(Investor, [Investor(kind="entity", legal_name=f"N {n}", created_at=AT) for n in range(bulk.FEW + 1)])


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", [_ask, _ask_prepared, _copy])
def test_a_connection_that_died_between_requests_is_made_anew(first: Callable[[], None]) -> None:
    connection.ensure_connection()
    lost = connection.connection.info.backend_pid
    parameters = connection.get_connection_params()
    wanted = {name: parameters[name] for name in ("dbname", "user", "host", "port", "password") if name in parameters}
    with psycopg.connect(**wanted, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(%s, 30000)", [lost])

    close_old_connections()  # as every request and every task begins
    first()
    assert connection.connection.info.backend_pid != lost
