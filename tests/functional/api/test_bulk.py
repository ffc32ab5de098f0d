"""Many transfers in one request: each row has its own key and its own outcome."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from knox.models import AuthToken
from rest_framework.test import APIClient

from bridge.kernel import idempotency
from bridge.kernel.models import IdempotencyKey
from bridge.kernel.results import Role
from tests import factories
from tests.functional.api.conftest import World, fresh_key
from tests.functional.test_criteria import activate, clear
from transfers.api import bulk
from transfers.models import Transfer
from transfers.services import batch, requesting

URL = "/api/v1/transfers/bulk"
SINGLE = "/api/v1/transfers"


@pytest.fixture
def service(world: World) -> APIClient:
    return world.login(Role.SERVICE)


def row(world: World, key: str, **changes: Any) -> dict[str, Any]:
    return {**world.body(**changes), "idempotency_key": key}


def send(client: APIClient, rows: list[Any]) -> list[dict[str, Any]]:
    answer = client.post(URL, {"transfers": rows}, format="json")
    assert answer.status_code == 200, answer.content
    results = answer.json()["results"]
    assert [result["index"] for result in results] == list(range(len(rows)))
    return results


def outcomes(results: list[dict[str, Any]]) -> list[tuple[int, str]]:
    return [(result["status"], result.get("error", {}).get("code", "")) for result in results]


def test_each_row_is_opened_as_if_it_had_come_alone(world: World, service: APIClient) -> None:
    results = send(service, [row(world, f"row-{n}", amount=1_000 + n) for n in range(3)])

    assert outcomes(results) == [(201, "")] * 3
    assert [result["idempotent_replayed"] for result in results] == [False] * 3
    for n, result in enumerate(results):
        assert result["transfer"]["amount"] == 1_000 + n
        assert service.get(f"{SINGLE}/{result['transfer']['id']}").json() == result["transfer"]
    world.account.refresh_from_db()
    assert world.account.held == 3_003


def test_a_bad_row_gets_its_own_problem_and_stops_nobody(world: World, service: APIClient) -> None:
    rows = [
        row(world, "good-1"),
        {},
        row(world, "text", amount="5"),
        "no object",
        None,
        row(world, "unknown", fund=factories.typeid("fund")),
        row(world, "other currency", currency="EUR"),
        row(world, "unknown field", colour="red"),
        row(world, "clé"),
        row(world, 7),  # type: ignore[arg-type]
        row(world, ""),
        row(world, "k" * 256),
        row(world, "good-2", amount=1_000),
    ]

    results = send(service, rows)

    assert outcomes(results) == [
        (201, ""),
        (400, "idempotency_key_missing"),
        (400, "invalid"),
        (400, "invalid"),
        (400, "invalid"),
        (422, "unknown_reference"),
        (422, "currency_mismatch"),
        (400, "invalid"),
        (400, "idempotency_key_malformed"),
        (400, "invalid"),
        (400, "idempotency_key_missing"),
        (400, "idempotency_key_malformed"),
        (201, ""),
    ]
    assert "amount" in results[2]["error"]["errors"]
    assert "fund" in results[5]["error"]["errors"]
    assert "colour" in results[7]["error"]["errors"]
    assert "idempotency_key" in results[9]["error"]["errors"]
    assert set(results[1]["error"]) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert Transfer.objects.count() == 2


def test_the_same_body_again_gives_the_stored_answers(world: World, service: APIClient) -> None:
    rows = [row(world, f"row-{n}", amount=1_000 + n) for n in range(3)]
    first = send(service, rows)

    again = send(service, rows)

    assert [result["idempotent_replayed"] for result in again] == [True] * 3
    assert [result["transfer"] for result in again] == [result["transfer"] for result in first]
    assert Transfer.objects.count() == 3


def test_bulk_and_single_share_their_keys(world: World, service: APIClient) -> None:
    (opened,) = send(service, [row(world, "shared-1")])
    alone = service.post(SINGLE, world.body(), headers={"Idempotency-Key": "shared-1"})
    other = service.post(SINGLE, world.body(amount=1_000), headers={"Idempotency-Key": "shared-2"})

    (replayed,) = send(service, [row(world, "shared-2", amount=1_000)])

    assert alone["Idempotent-Replayed"] == "true"
    assert alone.json() == opened["transfer"]
    assert alone["Location"] == f"{SINGLE}/{opened['transfer']['id']}"
    assert (replayed["idempotent_replayed"], replayed["transfer"]) == (True, other.json())


def test_a_key_is_refused_as_on_the_single_route(world: World, service: APIClient) -> None:
    missing: list[Any] = [None, ""]
    malformed = [" lead", "trail ", " ", "   ", "a\tb", "\u00a0b", "clé", "k" * 256]

    results = send(service, [row(world, key) for key in (*missing, *malformed)])
    alone = [service.post(SINGLE, world.body(), headers={"Idempotency-Key": key}) for key in malformed]

    codes = [result["error"]["code"] for result in results]
    assert codes == ["idempotency_key_missing"] * len(missing) + ["idempotency_key_malformed"] * len(malformed)
    for result in results:
        (named,) = result["error"]["errors"]["idempotency_key"]
        assert (result["status"], named["code"]) == (400, result["error"]["code"])
        assert "header" not in named["message"]
    assert {(answer.status_code, answer.json()["code"]) for answer in alone} == {(400, "idempotency_key_malformed")}
    assert not Transfer.objects.exists()


def test_the_key_is_looked_at_before_the_rest_of_its_row(world: World, service: APIClient) -> None:
    (result,) = send(service, [row(world, " lead", amount="5")])

    assert result["error"]["code"] == "idempotency_key_malformed"


def test_a_key_twice_in_one_body(world: World, service: APIClient) -> None:
    rows = [
        row(world, "a", amount=1_000),
        row(world, "a", amount=1_000),
        row(world, "a", amount=2_000),
        row(world, "b", fund=factories.typeid("fund")),
        row(world, "b", amount=5_000),
    ]

    results = send(service, rows)

    assert outcomes(results) == [
        (201, ""),
        (201, ""),
        (422, "idempotency_key_reused"),
        (422, "unknown_reference"),
        (422, "idempotency_key_reused"),
    ]
    assert [result["idempotent_replayed"] for result in results] == [False, True, False, False, False]
    assert results[1]["transfer"] == results[0]["transfer"]
    assert Transfer.objects.count() == 1


def test_a_key_of_before_with_another_body_is_refused_alone(world: World, service: APIClient) -> None:
    send(service, [row(world, "a", amount=1_000)])

    results = send(service, [row(world, "a", amount=2_000), row(world, "b", amount=3_000)])

    assert outcomes(results) == [(422, "idempotency_key_reused"), (201, "")]


def test_a_refused_row_does_not_use_its_key_up(world: World, service: APIClient) -> None:
    send(service, [row(world, "a", fund=factories.typeid("fund"))])

    assert outcomes(send(service, [row(world, "a")])) == [(201, "")]
    assert IdempotencyKey.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_a_row_whose_key_is_in_flight_elsewhere_waits_alone(world: World, service: APIClient) -> None:
    body = world.body(amount=1_000)
    principal = f"user:{AuthToken.objects.latest('created').user_id}"
    key = idempotency.Key.of(principal=principal, method="POST", route=SINGLE, key="busy", body=body)
    other = connection.copy()
    with other.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_lock(%s)", [key.lock_number])
        try:
            results = send(service, [row(world, "busy", amount=1_000), row(world, "free", amount=2_000)])
        finally:
            other.close()

    assert outcomes(results) == [(409, "request_in_flight"), (201, "")]
    assert outcomes(send(service, [row(world, "busy", amount=1_000)])) == [(201, "")]


@pytest.mark.django_db(transaction=True)
def test_the_same_body_twice_at_once_opens_each_row_once(world: World, service: APIClient) -> None:
    rows = [row(world, f"row-{n}", amount=1_000 + n) for n in range(30)]
    both = Barrier(2)

    def sent() -> list[dict[str, Any]]:
        both.wait(20)
        try:
            return send(service, rows)
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        answers = [future.result(60) for future in [pool.submit(sent), pool.submit(sent)]]

    assert Transfer.objects.count() == 30
    assert {outcome for results in answers for outcome in outcomes(results)} <= {(201, ""), (409, "request_in_flight")}
    again = send(service, rows)
    assert all(result["idempotent_replayed"] for result in again)
    assert len({result["transfer"]["id"] for result in again}) == 30


def test_a_poisoned_row_is_isolated_and_the_others_go_on(
    world: World, service: APIClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = requesting._Intake._one

    def poisoned(self: Any, number: int, request: Any) -> Any:
        if request.amount == 1_003:
            raise ArithmeticError("nobody foresaw this")
        return real(self, number, request)

    monkeypatch.setattr(requesting._Intake, "_one", poisoned)

    results = send(service, [row(world, f"row-{n}", amount=1_000 + n) for n in range(7)])

    assert [result["status"] for result in results] == [201, 201, 201, 500, 201, 201, 201]
    assert results[3]["error"]["code"] == "internal_error"
    assert "nobody foresaw" not in str(results[3])
    monkeypatch.undo()
    assert outcomes(send(service, [row(world, "row-3", amount=1_003)])) == [(201, "")]


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "required"),
        ({"transfers": []}, 400, "too_few"),
        ({"transfers": {}}, 400, "not_a_list"),
        ({"transfers": "all"}, 400, "not_a_list"),
        ({"transfers": None}, 400, "null"),
        ({"transfers": [0] * 10_001}, 400, "too_many"),
    ],
)
def test_a_body_that_is_no_list_of_rows_is_refused_whole(service: APIClient, body: Any, status: int, code: str) -> None:
    answer = service.post(URL, body, format="json")

    assert answer.status_code == status
    assert answer.json()["errors"]["transfers"][0]["code"] == code


def test_this_route_alone_takes_a_large_body(world: World, service: APIClient, settings: Any) -> None:
    rows = [row(world, f"row-{n}", metadata={"note": "x" * 400}) for n in range(300)]
    assert outcomes(send(service, rows))[0] == (201, "")
    large = service.post(SINGLE, world.body(metadata={str(n): "x" * 500 for n in range(50)}, external_id="y" * 99999))
    assert large.status_code == 413

    settings.BRIDGE_MAX_BULK_BYTES = 1_000
    answer = service.post(URL, {"transfers": rows}, format="json")

    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")


def test_statements_do_not_grow_with_the_rows(world: World, service: APIClient) -> None:
    def statements(rows: int) -> int:
        funds = [factories.make_fund(bank=world.bank) for _ in range(3)]
        body = [
            row(world, fresh_key()["Idempotency-Key"], amount=1_000 + n, fund=funds[n % 3].public_id)
            for n in range(rows)
        ]
        with CaptureQueriesContext(connection) as seen:
            assert {status for status, _ in outcomes(send(service, body))} == {201}
        return len(seen)

    statements(3)
    assert statements(6) < 30  # few rows go together
    assert statements(60) == statements(20) <= 42


def test_rows_are_carried_out_in_batches(world: World, service: APIClient, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    real = batch.Batch.save

    def counted(self: batch.Batch) -> None:
        sizes.append(len(self._born))
        real(self)

    monkeypatch.setattr(batch.Batch, "save", counted)
    monkeypatch.setattr(bulk, "ROWS_AT_ONCE", 4)

    send(service, [row(world, f"row-{n}", amount=1_000 + n) for n in range(10)])

    assert sizes == [4, 4, 2]


class TestRowsOfOneBatchSeeEachOther:
    def test_a_balance_is_spent_once(self, world: World, service: APIClient) -> None:
        results = send(service, [row(world, f"row-{n}", amount=4_000_000 + n) for n in range(3)])

        assert [result["transfer"]["state"] for result in results] == ["approved", "approved", "rejected"]

    def test_seats_are_given_once(self, world: World, service: APIClient) -> None:
        fund = factories.make_fund(bank=world.bank, seat_limit=2)
        accounts = [factories.make_account(factories.make_investor(), bank=world.bank) for _ in range(3)]

        results = send(
            service,
            [row(world, a.public_id, source_account=a.public_id, fund=fund.public_id) for a in accounts],
        )

        assert [result["transfer"]["state"] for result in results] == ["approved", "approved", "waitlisted"]

    def test_owners_of_an_exempt_fund_are_counted(self, world: World, service: APIClient) -> None:
        fund = factories.make_fund(bank=world.bank, regime="3c1")
        activate("legal_regime", {"limit_3c1": 2}, fund_id=fund.id)
        accounts = [factories.make_account(factories.make_investor(), bank=world.bank) for _ in range(3)]

        results = send(
            service,
            [row(world, a.public_id, source_account=a.public_id, fund=fund.public_id) for a in accounts],
        )

        assert [result["transfer"]["state"] for result in results] == ["approved", "approved", "waitlisted"]

    def test_velocity_is_counted(self, world: World, service: APIClient) -> None:
        clear(world.investor)
        activate("velocity", {"max_count_day": 2})

        results = send(service, [row(world, f"row-{n}", amount=1_000 + n) for n in range(3)])

        assert [result["transfer"]["state"] for result in results] == ["approved", "approved", "in_review"]

    def test_a_duplicate_is_seen(self, world: World, service: APIClient) -> None:
        results = send(service, [row(world, f"row-{n}", amount=1_000) for n in range(2)])

        assert [result["transfer"]["state"] for result in results] == ["approved", "in_review"]
