"""What is counted while it is empty: PostgreSQL plans for one row until it counts again, and a queue fills meanwhile.

A statement that is asked then must still look at each row a few times at most, never at all rows for each row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection

from bridge.kernel import clock, idempotency
from bridge.kernel.idempotency import Answer, Key
from bridge.kernel.postgresql import base
from bridge.kernel.transactions import unit_of_work
from funds.api.views import _with_quiet
from funds.models import Allocation
from tests.functional.conftest import bridge
from tests.world import World
from transfers.engine import claims
from transfers.models import Work
from transfers.states import Step

__all__ = ["bridge"]

MANY = 120


def count(table: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {table}")


def looked_at(statement: str, parameters: Sequence[Any]) -> int:
    """How many rows the busiest step of a statement went through, those that it passed over included."""
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {statement}", parameters)
        (plan,) = cursor.fetchone()
    (top,) = json.loads(plan) if isinstance(plan, str) else plan
    return max(_rows(node) for node in _nodes(top["Plan"]))


def _nodes(node: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield node
    for below in node.get("Plans", ()):
        yield from _nodes(below)


def _rows(node: dict[str, Any]) -> int:
    passed = sum(number for name, number in node.items() if name.startswith("Rows Removed by"))
    return round((node["Actual Rows"] + passed) * node["Actual Loops"])


@pytest.mark.parametrize("step", [Step.WITHDRAW, Step.DEPOSIT])
def test_a_claim_passes_each_piece_of_work_once(bridge: World, step: Step) -> None:
    fund = bridge.fund(seat_limit=None)
    accounts = [bridge.account() for _ in range(MANY)]
    bridge.requests([(account, fund, 1_000_000) for account in accounts])
    Work.objects.update(step=Step.BLOCKED)  # the queue has pages, and nothing in it
    waiting = list(Work.objects.all())
    Work.objects.all().delete()
    count("transfers_work")
    Work.objects.bulk_create(waiting)
    Work.objects.update(step=step)
    moment = clock.now()
    order = claims._FIRST_OF_ITS_ACCOUNT if step == Step.WITHDRAW else ""
    statement = claims._CLAIM.format(order=order)
    rows = looked_at(statement, [str(step), moment, moment, MANY, moment + timedelta(minutes=1)])
    assert MANY <= rows <= 4 * MANY
    Work.objects.update(step=Step.WITHDRAW, lease_until=None)


@pytest.mark.django_db
def test_a_plan_for_a_short_table_is_not_kept_while_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    def key(number: int) -> Key:
        return Key.of(principal="p", method="POST", route="/", key=f"key-{number}", body={"n": number})

    asked = "EXECUTE look_up (ARRAY['p'], ARRAY['POST'], ARRAY['/'], ARRAY['another'])"
    text = idempotency._STORED
    for number in range(1, 5):
        text = text.replace("%s", f"${number}", 1)
    until = base.monotonic() + 3600
    with unit_of_work() as moment, connection.cursor() as cursor:
        monkeypatch.setattr(connection, "_planned_until", until)
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("TRUNCATE kernel_idempotencykey")  # short also where earlier tests have left pages behind
        cursor.execute("SET LOCAL session_replication_role = origin")
        cursor.execute(f"PREPARE look_up AS {text}")
        idempotency.keep_each([(key(0), Answer(201, {}))], at=moment)
        count("kernel_idempotencykey")
        cursor.execute("SET LOCAL plan_cache_mode = 'force_generic_plan'")
        cursor.execute(asked)
        idempotency.keep_each([(key(n), Answer(201, {"n": "x" * 500})) for n in range(1, MANY)], at=moment)
        cursor.execute("SET LOCAL plan_cache_mode = 'force_generic_plan'")  # many rows are free to choose
        assert looked_at(asked, []) == MANY  # the plan that was made for one row
        monkeypatch.setattr(base, "monotonic", lambda: until)
        connection.prepared_cursor()  # type: ignore[attr-defined]
        assert looked_at(asked, []) <= 1
        cursor.execute("DEALLOCATE look_up")


def test_a_place_is_shown_without_a_look_at_all_that_was_reserved_in_it(bridge: World) -> None:
    account, fund = bridge.account(), bridge.fund(seat_limit=None)
    bridge.requests([(account, fund, 1_000_000 + number) for number in range(MANY)])
    count("funds_reservation")
    statement, parameters = _with_quiet(Allocation.objects.filter(fund=fund)).query.sql_with_params()
    assert looked_at(statement, parameters) <= 1
