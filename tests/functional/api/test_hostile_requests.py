"""Malformed and hostile requests: each is answered with a problem document, and nothing is written."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from bridge.events.models import Event
from bridge.kernel.models import IdempotencyKey
from bridge.kernel.results import Role
from funds.models import Reservation, Verification
from tests import factories
from tests.functional.api.conftest import World, fresh_key
from tests.functional.api.hostile_cases import CASES, URL, Case
from transfers.models import Transfer, Work


def written() -> list[int]:
    return [model.objects.count() for model in (Transfer, Event, IdempotencyKey, Reservation, Verification, Work)]


@pytest.fixture
def scene(world: World) -> dict[str, Any]:
    other = factories.make_account(factories.make_investor(user=factories.make_login(Role.INVESTOR)), bank=world.bank)
    transfer = factories.make_transfer(world.account, world.fund, amount=1_000)
    return {
        "world": world,
        "client": factories.plain_client(world.user),
        "theirs": other.public_id,
        "transfer": transfer.public_id,
        "unknown": factories.typeid("transfer"),
    }


def send(case: Case, scene: dict[str, Any]) -> Any:
    client: Client = scene["client"]
    world: World = scene["world"]
    body = case.body
    if isinstance(body, dict):
        changed = world.body(**body) if case.path in (URL, URL + "/check") else {}
        if changed.get("source_account") == "theirs":
            changed["source_account"] = scene["theirs"]
        body = json.dumps(changed).encode()
    headers = {**fresh_key(), "Content-Type": "application/json", **case.headers}
    if case.headers.get("Authorization", "") is None:
        client = Client(raise_request_exception=False)
    content_type = headers.pop("Content-Type")
    return client.generic(
        case.method,
        case.path.format(**{name: scene[name] for name in ("transfer", "unknown")}),
        b"" if case.method == "GET" else body,
        content_type=content_type,
        headers={name: value for name, value in headers.items() if value is not None},
    )


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_bad_request_is_a_problem_and_writes_nothing(case: Case, scene: dict[str, Any]) -> None:
    before = written()

    answer = send(case, scene)

    assert answer.status_code == case.status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    problem = answer.json()
    assert set(problem) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
    assert problem["code"] == case.code
    assert problem["status"] == case.status
    assert problem["type"].endswith(case.code)
    assert problem["request_id"] == answer["X-Request-ID"] != ""
    assert problem["detail"]
    if case.at_fault:
        assert case.at_fault in problem["errors"]
        assert all(entry["code"] and entry["message"] for entry in problem["errors"][case.at_fault])
    assert written() == before


def test_the_table_has_at_least_forty_cases_with_names_of_their_own() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 40
