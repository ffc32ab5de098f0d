"""1,000 POSTs with one key over real HTTP: one transfer, and everybody is told of that one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import httpx
import pytest
from django.core.cache import cache
from knox.models import AuthToken
from rest_framework.settings import api_settings

from bridge.events.models import Event
from bridge.kernel.models import IdempotencyKey
from bridge.kernel.results import Role
from tests import factories
from tests.concurrency.crowd import at_once, errors
from tests.world import World
from transfers.models import Transfer

CLIENTS, EACH, AMOUNT = 20, 50, 1_000_000


@pytest.fixture(autouse=True)
def _no_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    cache.clear()
    monkeypatch.setitem(api_settings.DEFAULT_THROTTLE_RATES, "api", "1000000/s")


def client(url: str, headers: dict[str, str], bodies: list[bytes]) -> list[tuple[int, bool, Any]]:
    """Posts one after another over one connection: status, whether replayed, and the answer."""
    with httpx.Client(headers=headers, timeout=60) as connection:
        told = []
        for body in bodies:
            answer = connection.post(f"{url}/api/v1/transfers", content=body)
            told.append((answer.status_code, "Idempotent-Replayed" in answer.headers, answer.json()))
        return told


@pytest.fixture
def post(bridge: World, live_server: Any) -> Callable[..., list[tuple[int, bool, Any]]]:
    """Many clients at once, each posting `EACH` times; what every one of them was told."""
    _, token = AuthToken.objects.create(factories.make_login(Role.SERVICE))
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": "the-key"}

    def go(bodies: list[bytes]) -> list[tuple[int, bool, Any]]:
        calls = [partial(client, live_server.url, headers, bodies) for _ in range(CLIENTS)]
        results = at_once(calls)
        assert errors(results) == []
        return [answer for result in results for answer in result]  # type: ignore[union-attr]

    return go


def body(bridge: World, **changes: Any) -> bytes:
    account, fund = bridge.account(), bridge.fund()
    wanted = {"source_account": account.public_id, "fund": fund.public_id, "amount": AMOUNT, "currency": "USD"}
    return json.dumps(wanted | changes).encode()


def test_a_thousand_posts_make_one_transfer(bridge: World, post: Callable[..., Any]) -> None:
    answers = post([body(bridge)] * EACH)

    assert len(answers) == CLIENTS * EACH == 1000
    count = Counter((status, replayed) for status, replayed, _ in answers)
    assert set(count) <= {(201, False), (201, True), (409, False)}
    assert count[201, False] == 1
    assert {document["code"] for status, _, document in answers if status == 409} <= {"request_in_flight"}
    (transfer,) = Transfer.objects.all()
    assert {document["id"] for status, _, document in answers if status == 201} == {transfer.public_id}
    assert IdempotencyKey.objects.count() == 1
    assert Event.objects.filter(type="transfer.requested").count() == 1
    transfer.source_account.refresh_from_db()
    assert transfer.source_account.held == AMOUNT


def test_another_body_under_the_key_is_refused_whoever_comes_first(bridge: World, post: Callable[..., Any]) -> None:
    one = body(bridge)
    other = json.dumps(json.loads(one) | {"amount": AMOUNT + 1}).encode()

    answers = post([one, other] * 3)

    (transfer,) = Transfer.objects.all()
    winners = {document["amount"] for status, _, document in answers if status == 201}
    assert winners == {transfer.amount}
    assert {status for status, _, _ in answers} <= {201, 409, 422}
    assert {document["code"] for status, _, document in answers if status == 422} == {"idempotency_key_reused"}
