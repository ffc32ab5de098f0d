"""Array writes give the same rows as the ORM, whatever is in them, and refuse what the ORM refuses."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock
from uuid import UUID

import pytest
from django.db import DatabaseError, connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from accounts.ledger.models import LedgerAccount
from accounts.models import Investor
from bridge.kernel import binary, bulk, ids
from bridge.kernel.models import IdempotencyKey
from funds.models import Fund, Verification
from transfers.models import InboundCallback

AT = datetime(2026, 3, 2, 12, 30, 15, 123456, tzinfo=UTC)
TRICKY = ["", " ", "NULL", "null", "{}", '{"a"}', "\\", "\\\\", '"', "'", "''; DROP TABLE x; --", "a,b", "%s", "%%",
          "\t\r\n", "ünïcödé", "漢字", "🏦👩‍💼", "\u202e", "\ufeff", "\x7f", "$1",
          "E'\\n'", "\\x00", "\\u0000"]  # fmt: skip
TEXT = st.one_of(st.sampled_from(TRICKY), st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00")))
JSON = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-(2**63), 2**63), TEXT, st.floats(allow_nan=False, allow_infinity=False)
    ),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(TEXT, inner, max_size=3)),
    max_leaves=8,
)
MOMENTS = st.integers(0, 7 * 10**15).map(
    lambda micros: datetime(1990, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
)

database_examples = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def every_way(model: Any, make: Any) -> None:
    """Insert what `make` gives by the ORM, by arrays and by COPY; the rows must be the same."""
    written = [_written(model, lambda: model.objects.bulk_create(make()))]
    for few in (1_000_000, 0):
        with mock.patch.object(bulk, "FEW", few):
            written.append(_written(model, lambda: bulk.insert(model, make())))
    by_orm, by_array, by_copy = written
    assert by_array == by_orm
    assert by_copy == by_orm


def _written(model: Any, write: Callable[[], object]) -> list[dict[str, Any]]:
    with transaction.atomic():
        write()
        found = [_plain(row) for row in model.objects.order_by("pk").values()]
        transaction.set_rollback(True)
    return found


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: bytes(v) if isinstance(v, memoryview) else v for name, v in row.items() if name != "id"}


@pytest.mark.django_db
class TestInsert:
    @database_examples
    @given(body=JSON, problem=TEXT.map(lambda text: text[:300]), done=st.one_of(st.none(), MOMENTS))
    @example(body={"\\": '"', "'": ["\\u0000", "🏦", None]}, problem="\\", done=None)
    @example(body="NULL", problem="NULL", done=AT)
    def test_text_json_and_moments(self, body: Any, problem: str, done: datetime | None) -> None:
        if body is None:
            return  # the column refuses it on every way
        every_way(
            InboundCallback,
            lambda: [
                InboundCallback(
                    institution="harbor",
                    callback_id=f"c{n}",
                    body=body,
                    received_at=AT,
                    processed_at=done,
                    problem=problem,
                )
                for n in range(2)
            ],
        )

    @database_examples
    @given(facts=JSON, decisions=JSON)
    def test_json_that_is_kept_as_it_was_written(self, facts: Any, decisions: Any) -> None:
        numbers = [ids.new_id(), ids.new_id()]
        every_way(
            Verification,
            lambda: [
                Verification(
                    id=number, transfer_id=number, fund_id=number, stage="create", outcome="pass",
                    facts={"saw": facts}, decisions=[decisions], at=AT,
                )
                for number in numbers
            ],
        )  # fmt: skip

    @database_examples
    @given(hashes=st.lists(st.binary(max_size=40), min_size=1, max_size=4), answer=JSON, key=TEXT)
    def test_bytes(self, hashes: list[bytes], answer: Any, key: str) -> None:
        every_way(
            IdempotencyKey,
            lambda: [
                IdempotencyKey(
                    principal=str(n), method="POST", route="/r", key=key[:255], body_hash=body_hash, status=201,
                    answer={"said": answer}, headers={}, created_at=AT,
                )
                for n, body_hash in enumerate(hashes)
            ],
        )  # fmt: skip

    @database_examples
    @given(names=st.lists(TEXT.map(lambda text: text[:200]), min_size=1, max_size=5))
    def test_uuids_missing_keys_and_names(self, names: list[str]) -> None:
        numbers = [ids.new_id() for _ in names]
        every_way(
            Investor,
            lambda: [
                Investor(id=number, kind="entity", legal_name=name, country="US", user_id=None, created_at=AT)
                for number, name in zip(numbers, names, strict=True)
            ],
        )

    @database_examples
    @given(tags=st.lists(TEXT.map(lambda text: text[:60]), max_size=4), others=st.lists(st.sampled_from(TRICKY)))
    def test_arrays_of_several_lengths(self, tags: list[str], others: list[str]) -> None:
        made = [ids.new_id(), ids.new_id()]
        every_way(
            Fund,
            lambda: [
                Fund(
                    id=number, code=f"f-{number.hex}", name="A fund", kind="credit", currency="USD", opens_at=AT,
                    created_at=AT, institution="harbor", number_index=str(number), required_documents=values,
                )
                for number, values in zip(made, (tags, others), strict=True)
            ],
        )  # fmt: skip

    @pytest.mark.parametrize("number", [0, 1, -1, 2**63 - 1, -(2**63)])
    def test_numbers_to_the_edge(self, number: int) -> None:
        every_way(LedgerAccount, lambda: [LedgerAccount(owner_id=None, kind="cash", currency="XTS", balance=number)])

    def test_no_rows_are_no_statement(self, django_assert_num_queries: Any) -> None:
        with django_assert_num_queries(0):
            bulk.insert(Investor, [])
            assert bulk.update(Investor, [], fields=["legal_name"]) == 0

    @pytest.mark.parametrize("size", [1, 2, 1_000])
    def test_any_number_of_rows_is_one_statement(self, size: int) -> None:
        rows = [Investor(kind="entity", legal_name=f"Investor {n}", created_at=AT) for n in range(size)]
        with CaptureQueriesContext(connection) as queries:
            bulk.insert(Investor, rows)
            bulk.update(Investor, rows, fields=["legal_name", "status"])
        assert len(queries) == 2
        assert Investor.objects.count() == size


@pytest.mark.django_db
class TestUpdate:
    @database_examples
    @given(values=st.lists(st.tuples(JSON, TEXT, st.one_of(st.none(), MOMENTS)), min_size=1, max_size=4))
    def test_the_same_as_the_orm(self, values: list[tuple[Any, str, datetime | None]]) -> None:
        fields = ["body", "problem", "processed_at"]
        results = []
        for write in (
            InboundCallback.objects.bulk_update,
            lambda rows, names: bulk.update(InboundCallback, rows, fields=names),
        ):
            with transaction.atomic():
                with connection.cursor() as cursor:  # what a bank said is never written twice
                    cursor.execute("SET LOCAL session_replication_role = replica")
                rows = [
                    InboundCallback(institution="harbor", callback_id=str(n), body={}, received_at=AT)
                    for n in range(len(values))
                ]
                untouched = InboundCallback.objects.create(
                    institution="harbor", callback_id="other", body={"keep": 1}, received_at=AT
                )
                InboundCallback.objects.bulk_create(rows)
                for row, (body, problem, done) in zip(rows, values, strict=True):
                    row.body, row.problem, row.processed_at = {"said": body}, problem[:300], done
                assert write(rows, fields) == len(rows)
                results.append([_plain(row) for row in InboundCallback.objects.order_by("callback_id").values()])
                untouched.refresh_from_db()
                assert untouched.body == {"keep": 1}
                transaction.set_rollback(True)
        assert results[0] == results[1]

    def test_a_row_that_is_gone_is_not_counted(self) -> None:
        row = Investor(id=ids.new_id(), kind="entity", legal_name="Nobody", created_at=AT)
        assert bulk.update(Investor, [row], fields=["legal_name"]) == 0
        assert not Investor.objects.exists()


@pytest.mark.django_db
class TestRefused:
    @pytest.fixture(autouse=True, params=["arrays", "copy"])
    def way(self, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(bulk, "FEW", 1_000_000 if request.param == "arrays" else 0)

    @pytest.mark.parametrize("length", [201, 5_000])
    @pytest.mark.parametrize("letter", ["a", "ä", "🏦"])
    def test_a_text_that_is_too_long_is_refused_and_never_cut(self, length: int, letter: str) -> None:
        long = Investor(kind="entity", legal_name=letter * length, created_at=AT)
        with pytest.raises(DatabaseError, match="too long"), transaction.atomic():
            bulk.insert(Investor, [long])
        short = Investor(kind="entity", legal_name="short", created_at=AT)
        bulk.insert(Investor, [short])
        short.legal_name = letter * length
        with pytest.raises(DatabaseError, match="too long"), transaction.atomic():
            bulk.update(Investor, [short], fields=["legal_name"])
        assert Investor.objects.get().legal_name == "short"

    def test_the_longest_text_that_fits(self) -> None:
        bulk.insert(Investor, [Investor(kind="entity", legal_name="🏦" * 200, created_at=AT)])
        assert Investor.objects.get().legal_name == "🏦" * 200

    @pytest.mark.parametrize("name", ["a\x00b", "\x00"])
    def test_nul_is_refused_as_by_the_orm(self, name: str) -> None:
        for write in (Investor.objects.bulk_create, lambda rows: bulk.insert(Investor, rows)):
            with pytest.raises((ValueError, DatabaseError)), transaction.atomic():
                write([Investor(kind="entity", legal_name=name, created_at=AT)])

    def test_missing_where_a_value_is_needed(self) -> None:
        with pytest.raises(DatabaseError, match="null value"), transaction.atomic():
            bulk.insert(Investor, [Investor(kind="entity", legal_name="x", created_at=None)])

    def test_one_bad_row_refuses_them_all(self) -> None:
        good = Investor(kind="entity", legal_name="good", created_at=AT)
        bad = Investor(kind="entity", legal_name="b" * 201, created_at=AT)
        with pytest.raises(DatabaseError), transaction.atomic():
            bulk.insert(Investor, [good, bad])
        assert not Investor.objects.exists()


@pytest.mark.django_db
class TestKeys:
    @given(keys=st.lists(st.uuids(), max_size=300))
    @example(keys=[])
    def test_uuids_of_any_number_arrive_in_their_order(self, keys: list[UUID]) -> None:
        for given_as in (binary.uuids(keys), binary.any_of(keys), binary.uuids_of(key.int for key in keys)):
            assert bulk.execute("SELECT %s::uuid[]", [given_as]).fetchone() == (keys,)

    @given(keys=st.lists(st.integers(-(2**63), 2**63 - 1), max_size=20) | st.lists(TEXT, max_size=20))
    def test_numbers_and_texts(self, keys: list[int] | list[str]) -> None:
        kind = "text" if keys and isinstance(keys[0], str) else "bigint"
        assert bulk.execute(f"SELECT %s::{kind}[]", [binary.any_of(keys)]).fetchone() == (keys,)
        if kind == "text":
            assert bulk.execute("SELECT %s::text[]", [binary.texts(keys)]).fetchone() == (keys,)


class TestTotals:
    @given(st.lists(st.tuples(st.integers(0, 9), st.integers(-(10**15), 10**15))))
    def test_sums_per_key_with_the_keys_in_order(self, pairs: list[tuple[int, int]]) -> None:
        sums = bulk.total(pairs)
        assert list(sums) == sorted({key for key, _ in pairs})
        assert all(sums[key] == sum(number for other, number in pairs if other == key) for key in sums)

    @given(JSON)
    def test_json_text_reads_back_as_it_was(self, value: Any) -> None:
        assert json.loads(bulk.dumps(value)) == value


@pytest.mark.django_db
class TestByKey:
    @pytest.mark.parametrize("delta", [1, -1, 10**15, -(10**15)])
    def test_each_row_moves_by_its_own_number(self, delta: int) -> None:
        rows = [
            LedgerAccount.objects.create(owner_id=ids.new_id(), kind="cash", currency="USD", balance=n)
            for n in range(3)
        ]
        deltas = {rows[0].pk: delta, rows[1].pk: 2 * delta}
        LedgerAccount.objects.update(balance=F("balance") + bulk.ByKey("id", deltas))
        found = LedgerAccount.objects.in_bulk([row.pk for row in rows])
        assert [found[row.pk].balance for row in rows] == [delta, 1 + 2 * delta, 2]
