"""Somebody else's object cannot be told from one that does not exist."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.kernel.results import Role
from tests import factories
from tests.functional.api.conftest import World, fresh_key

OBJECTS = [
    ("GET", "transfers/{}", "transfer"),
    ("GET", "transfers/{}/events", "transfer"),
    ("POST", "transfers/{}/cancel", "transfer"),
    ("GET", "accounts/{}", "account"),
    ("GET", "accounts/{}/balance", "account"),
]


def without_id(answer: Any) -> tuple[int, str, dict[str, Any], dict[str, str]]:
    problem = {name: value for name, value in answer.json().items() if name != "request_id"}
    varying = ("X-Request-ID", "RateLimit", "RateLimit-Remaining", "RateLimit-Reset")
    headers = {name: value for name, value in answer.items() if name not in varying}
    return answer.status_code, answer["Content-Type"], problem, headers


@pytest.mark.parametrize(("method", "path", "kind"), OBJECTS)
def test_anothers_object_is_the_same_404_as_an_unknown_one(world: World, method: str, path: str, kind: str) -> None:
    theirs = {"transfer": world.request()["id"], "account": world.account.public_id}[kind]
    user = factories.make_login(Role.INVESTOR)
    factories.make_investor(user=user)
    stranger = factories.client_of(user)

    def ask(text: str) -> Any:
        return stranger.generic(
            method, f"/api/v1/{path.format(text)}", "{}", content_type="application/json", headers=fresh_key()
        )

    foreign, unknown = ask(theirs), ask(factories.typeid(kind))

    assert foreign.status_code == 404
    assert without_id(foreign) == without_id(unknown)


def test_anothers_account_in_a_request_is_the_same_422_as_an_unknown_one(world: World) -> None:
    user = factories.make_login(Role.INVESTOR)
    factories.make_investor(user=user)
    stranger = factories.client_of(user)

    def ask(account: str) -> Any:
        return stranger.post("/api/v1/transfers", world.body(source_account=account), headers=fresh_key())

    foreign, unknown = ask(world.account.public_id), ask(factories.typeid("account"))

    assert foreign.status_code == 422
    assert without_id(foreign) == without_id(unknown)


def test_an_unknown_account_is_answered_alike_whoever_asks(world: World) -> None:
    body = world.body(source_account=factories.typeid("account"))

    answers = [
        client.post("/api/v1/transfers", body, headers=fresh_key())
        for client in (world.client, world.login(Role.SERVICE))
    ]

    assert without_id(answers[0]) == without_id(answers[1])


@pytest.mark.parametrize("path", ["transfers", "accounts", "allocations", "notifications"])
def test_nothing_of_others_is_in_a_list(world: World, path: str) -> None:
    world.request()
    user = factories.make_login(Role.INVESTOR)
    factories.make_investor(user=user)

    assert factories.client_of(user).get(f"/api/v1/{path}").json()["results"] == []
    assert world.client.get(f"/api/v1/{path}").json()["results"] != []


def test_filtering_by_anothers_account_finds_nothing(world: World) -> None:
    world.request()
    stranger = factories.client_of(factories.make_login(Role.INVESTOR))

    found = stranger.get(f"/api/v1/transfers?source_account={world.account.public_id}").json()

    assert found["results"] == []


def test_a_service_acts_for_every_investor(world: World) -> None:
    service = world.login(Role.SERVICE)

    transfer = world.request(service)

    assert service.post(f"/api/v1/transfers/{transfer['id']}/cancel", {}, headers=fresh_key()).status_code == 200
    assert world.client.get(f"/api/v1/transfers/{transfer['id']}").status_code == 200
