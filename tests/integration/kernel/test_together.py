"""Writes that wait for each other do what they would have done one by one."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.db.models import F
from django.test.utils import CaptureQueriesContext

from accounts.models import Investor
from bridge.kernel import bulk, compiled, crashpoints, ids
from bridge.kernel.models import IdempotencyKey
from bridge.kernel.together import FEW, send, together

AT = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

pytestmark = pytest.mark.django_db

add = compiled.UpdateEach(IdempotencyKey, "id", ("more",), status=F("status") + compiled.Own("more"))


def people(*names: str) -> list[Investor]:
    return [Investor(id=ids.new_id(), kind="natural_person", legal_name=name, created_at=AT) for name in names]


def keys(*names: str, answer: Any = "") -> list[IdempotencyKey]:
    return [
        IdempotencyKey(
            principal="100% p", method="POST", route="/", key=name, body_hash=b"\x00\xff", status=200, answer=answer,
            headers={}, created_at=AT,
        )
        for name in names
    ]  # fmt: skip


def named() -> list[str]:
    return sorted(Investor.objects.values_list("legal_name", flat=True))


def test_they_are_one_statement_when_the_block_ends() -> None:
    with CaptureQueriesContext(connection) as seen, together():
        bulk.insert(Investor, people("Ada", "Bob"))
        bulk.insert(IdempotencyKey, keys("one", answer={"share": "50%", "of": "%s and $1"}))
        assert len(seen) == 0
    assert [query["sql"].lstrip()[:4] for query in seen.captured_queries] == ["WITH"]
    assert named() == ["Ada", "Bob"]
    assert IdempotencyKey.objects.get().answer == {"share": "50%", "of": "%s and $1"}


def test_one_alone_is_itself() -> None:
    with CaptureQueriesContext(connection) as seen, together():
        bulk.insert(Investor, people("Ada"))
    assert [re.sub(r"\s.*", "", query["sql"]) for query in seen.captured_queries] == ["INSERT"]


def test_nothing_asks_nothing() -> None:
    with CaptureQueriesContext(connection) as seen, together():
        bulk.insert(Investor, [])
        assert add({}) == 0
    assert len(seen) == 0


@pytest.mark.usefixtures("db", "unguarded")
def test_a_row_may_be_changed_twice() -> None:
    bulk.insert(IdempotencyKey, keys("one", "two"))
    first, second = IdempotencyKey.objects.order_by("key")
    with together():
        bulk.insert(Investor, people("Ada"))
        assert add({first.pk: (1,)}) is None
        add({first.pk: (10,), second.pk: (5,)})
        first.answer = {"now": True}
        assert bulk.update(IdempotencyKey, [first], fields=["answer"]) is None
    assert list(IdempotencyKey.objects.order_by("key").values_list("status", "answer")) == [
        (211, {"now": True}),
        (205, ""),
    ]


def test_many_rows_go_after_what_waits() -> None:
    with CaptureQueriesContext(connection) as seen, together():
        bulk.insert(IdempotencyKey, keys("one"))
        bulk.insert(Investor, people(*map(str, range(FEW + 1))))
        assert [query["sql"].lstrip()[:4] for query in seen.captured_queries] == ["INSE", "COPY"]
    assert len(seen) == 2


@pytest.mark.usefixtures("db", "unguarded")
def test_what_is_checked_is_told_how_many() -> None:
    (row,) = keys("one")
    row.save()
    told: list[tuple[str, int]] = []
    with together():
        bulk.insert(Investor, people("Ada"))
        add({row.pk: (1,)}, check=lambda count: told.append(("found", count)))
        assert told == []
    with together():
        add({row.pk + 1: (1,)}, check=lambda count: told.append(("missing", count)))
    assert add({row.pk: (1,)}, check=lambda count: told.append(("at once", count))) == 1
    assert told == [("found", 1), ("missing", 0), ("at once", 1)]


@pytest.mark.usefixtures("db", "unguarded")
def test_a_check_that_raises_takes_the_transaction_with_it() -> None:
    (row,) = keys("one")
    row.save()

    def refuse(count: int) -> None:
        raise LookupError(count)

    with pytest.raises(LookupError), transaction.atomic(), together():
        bulk.insert(Investor, people("Ada"))
        add({row.pk + 1: (1,)}, check=refuse)
    assert named() == []


def test_a_row_that_is_refused_takes_all_with_it() -> None:
    with pytest.raises(IntegrityError, match="idempotency_key_once"), transaction.atomic(), together():
        bulk.insert(Investor, people("Ada"))
        bulk.insert(IdempotencyKey, keys("one", "one"))
    assert named() == []
    with together():  # nothing of it waits any longer
        bulk.insert(Investor, people("Bob"))
    assert named() == ["Bob"]


def test_an_error_in_the_block_writes_nothing() -> None:
    with pytest.raises(LookupError), together():
        bulk.insert(Investor, people("Ada"))
        raise LookupError
    with together():
        bulk.insert(Investor, people("Bob"))
    assert named() == ["Bob"]


def test_blocks_within_blocks_end_with_the_outermost() -> None:
    with CaptureQueriesContext(connection) as seen, together():
        with together():
            bulk.insert(Investor, people("Ada"))
        assert len(seen) == 0
    assert named() == ["Ada"]


def test_sent_is_written() -> None:
    with together():
        bulk.insert(Investor, people("Ada"))
        send()
        assert named() == ["Ada"]


def test_a_crash_point_finds_written_what_was_written_before_it() -> None:
    found: list[list[str]] = []
    with crashpoints.armed(lambda point: found.append(named())), together():
        bulk.insert(Investor, people("Ada"))
        crashpoints.reach(crashpoints.Point.SUBMIT_WRITTEN)
    assert found == [["Ada"]]
