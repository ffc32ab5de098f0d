"""A compiled queryset gives what the queryset gives, at every call, whatever is filled in."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection
from django.db.models import CharField, DateTimeField, F, Model, Q
from django.test.utils import CaptureQueriesContext

from accounts.models import ComplianceProfile, Investor
from bridge.kernel import binary, columns, compiled, ids, locking
from bridge.kernel.compiled import AnyFrom, AnyOf, Given
from bridge.kernel.models import IdempotencyKey
from bridge.kernel.transactions import unit_of_work

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db(transaction=True)


def investor(number: int) -> Investor:
    return Investor.objects.create(
        id=ids.new_id(), kind="natural_person", legal_name=f"Investor {number}", created_at=AT
    )


def keep(key: str, answer: Any, at: datetime = AT) -> IdempotencyKey:
    return IdempotencyKey.objects.create(
        principal="p",
        method="POST",
        route="/",
        key=key,
        body_hash=b"\x00\xff",
        status=201,
        answer=answer,
        created_at=at,
    )


def contents(rows: Iterable[Model]) -> list[dict[str, Any]]:
    return sorted((vars(row) | {"_state": None} for row in rows), key=str)


@pytest.mark.usefixtures("transactional_db", "unguarded")
class TestAddingNumbers:
    def test_each_row_gets_its_own_and_the_others_nothing(self) -> None:
        first, second, other = (keep(key, {}).pk for key in ("one", "two", "three"))
        add = compiled.UpdateEach(IdempotencyKey, "id", ("more",), status=F("status") + compiled.Own("more"))
        assert add({first: (1,), second: (-3,)}) == 2
        assert add({second: (10,)}) == 1
        assert add({}) == 0
        found = dict(IdempotencyKey.objects.values_list("pk", "status"))
        assert found == {first: 202, second: 208, other: 201}

    def test_a_row_that_does_not_meet_the_condition_stays(self) -> None:
        row = keep("one", {})
        add = compiled.UpdateEach(
            IdempotencyKey, "id", ("more",), only_where=Q(status__lt=202), status=F("status") + compiled.Own("more")
        )
        assert [add({row.pk: (1,)}), add({row.pk: (1,)})] == [1, 0]
        row.refresh_from_db()
        assert row.status == 202

    def test_keys_may_be_uuids(self) -> None:
        mine = [investor(number) for number in range(2)]
        raise_version = compiled.UpdateEach(Investor, "id", ("more",), version=F("version") + compiled.Own("more"))
        before = {row.pk: row.version for row in mine}
        assert raise_version({row.pk: (number + 1,) for number, row in enumerate(mine)}) == 2
        after = dict(Investor.objects.values_list("pk", "version"))
        assert after == {row.pk: before[row.pk] + number + 1 for number, row in enumerate(mine)}


class TestReading:
    def test_rows_are_those_of_the_orm_at_every_call(self) -> None:
        mine = [investor(number) for number in range(3)]
        for wanted in (mine, mine[:1], []):
            found = compiled.by_key(Investor, [row.pk for row in wanted])
            assert {row.pk: vars(row) | {"_state": None} for row in found} == {
                row.pk: vars(Investor.objects.get(pk=row.pk)) | {"_state": None} for row in wanted
            }

    def test_converted_columns_are_converted(self) -> None:
        """JSON comes from the driver as text."""
        row = keep("one", {"deep": [1, None, "ü"]})
        (found,) = compiled.by_key(IdempotencyKey, [row.pk])
        assert found.answer == {"deep": [1, None, "ü"]}
        assert bytes(found.body_hash) == b"\x00\xff"

    def test_a_given_value_is_filled_in_anew(self) -> None:
        keep("early", {}, datetime(2026, 1, 1, tzinfo=UTC))
        keep("late", {}, datetime(2026, 2, 1, tzinfo=UTC))
        since = compiled.Tuples(
            lambda: (
                IdempotencyKey.objects.filter(created_at__gte=Given("since", "timestamptz", DateTimeField()))
                .order_by("key")
                .values_list("key", flat=True)
            )
        )
        assert since(since=datetime(2026, 1, 15, tzinfo=UTC)) == [("late",)]
        assert since(since=datetime(2025, 1, 15, tzinfo=UTC)) == [("early",), ("late",)]

    def test_several_models_in_one_statement_are_those_of_one_each(self) -> None:
        """Columns of every kind beside each other, converted where their own model wants it."""
        mine, kept = [investor(number) for number in range(3)], [keep("one", {"deep": [1, "ü"]}), keep("two", [])]
        profile = ComplianceProfile.objects.create(investor=mine[1], accredited=True, updated_at=AT)
        wanted: dict[type[Model], list[Any]] = {
            Investor: [row.pk for row in mine],
            ComplianceProfile: [row.pk for row in mine],
            IdempotencyKey: [row.pk for row in kept],
        }
        asked: dict[type[Model], list[Any]]
        for asked in (wanted, wanted | {Investor: []}, {model: [] for model in wanted}):
            with CaptureQueriesContext(connection) as seen:
                found = compiled.several(asked)
            assert len(seen) == 1
            assert {model: contents(rows) for model, rows in found.items()} == {
                model: contents(compiled.by_key(model, keys)) for model, keys in asked.items()
            }
        assert [row.accredited for row in compiled.several(wanted)[ComplianceProfile]] == [profile.accredited]

    def test_keys_may_come_from_a_selection(self) -> None:
        one, two = keep("one", {}), keep("two", {})
        of_names = compiled.Rows(
            IdempotencyKey,
            lambda: IdempotencyKey.objects.filter(
                AnyFrom(
                    "SELECT id FROM kernel_idempotencykey WHERE key = ANY(%s::text[]) AND method = %s", "keys", "verb"
                )
            ).order_by("pk"),
        )
        assert [row.pk for row in of_names(keys=columns.texts(["two", "one", "three"]), verb="POST")] == [
            one.pk,
            two.pk,
        ]
        assert of_names(keys=columns.texts(["one"]), verb="GET") == []

    def test_a_value_that_nobody_gave_is_an_error(self) -> None:
        with pytest.raises(KeyError, match="keys"):
            compiled.Rows(Investor, lambda: Investor.objects.filter(AnyOf("pk", "uuid", "keys")))()


class TestLocking:
    def test_whole_tables_are_locked_by_a_prepared_statement_that_locks(self) -> None:
        mine = sorted(investor(number).pk for number in range(3))
        with unit_of_work(), CaptureQueriesContext(connection) as seen:
            found = compiled.locked(Investor, reversed(mine))
        assert [row.pk for row in found] == mine
        assert "FOR NO KEY UPDATE" in seen.captured_queries[0]["sql"]

    def test_a_narrowed_queryset_stays_narrowed(self) -> None:
        from accounts.models import InvestorAccount

        with unit_of_work():
            assert locking.lock(InvestorAccount.objects.filter(currency="EUR"), [uuid.uuid4()]) == []


class TestPreparing:
    def test_a_statement_of_ours_is_parsed_and_planned_once_per_connection(self) -> None:
        row = keep("one", {})
        of_key = compiled.Tuples(
            lambda: IdempotencyKey.objects.filter(key=Given("key", "text", CharField())).values_list("pk")
        )
        for _ in range(10):
            assert of_key(key="one") == [(row.pk,)]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT generic_plans, custom_plans FROM pg_prepared_statements WHERE statement LIKE %s",
                ['SELECT "kernel_idempotencykey"."id" AS "pk" FROM%'],
            )
            ((generic, custom),) = cursor.fetchall()
        assert (generic, custom) == (10, 0)

    def test_one_that_carries_many_rows_is_planned_for_them(self) -> None:
        of_keys = compiled.Tuples(
            lambda: IdempotencyKey.objects.filter(AnyOf("pk", "bigint", "keys")).values_list("key")
        )
        row = keep("one", {})
        for _ in range(10):
            assert of_keys(keys=binary.any_of([row.pk, *range(10**9, 10**9 + 500)])) == [("one",)]
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE %s",
                ['SELECT "kernel_idempotencykey"."key" AS "key" FROM%ANY%'],
            )
            assert cursor.fetchone() == (0,)
