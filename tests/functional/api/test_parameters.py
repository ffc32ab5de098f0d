"""Behind the `?` nothing is ignored: neither a name that a route does not know nor a value that there is not."""

from __future__ import annotations

from typing import Any

import pytest

from bridge.kernel.results import Role
from tests import factories
from tests.functional.api.conftest import World, fresh_key
from tests.functional.api.test_callbacks import send
from transfers.models import Transfer

V1 = "/api/v1"


def errors(answer: Any) -> dict[str, str]:
    assert answer.status_code == 400, answer.content
    return {name: found[0]["code"] for name, found in answer.json()["errors"].items()}


def test_routes_without_filters_refuse_every_parameter(world: World) -> None:
    transfer = f"{V1}/transfers/{world.request()['id']}"
    approval = f"{V1}/approvals/{factories.typeid('approval')}"
    reads = [
        (world.client, transfer),
        (world.client, f"{transfer}/events"),
        (world.client, f"{V1}/accounts/{world.account.public_id}"),
        (world.client, f"{V1}/accounts/{world.account.public_id}/balance"),
        (world.client, f"{V1}/funds/{world.fund.public_id}"),
        (world.login(Role.CHECKER), approval),
    ]
    for client, url in reads:
        assert errors(client.get(f"{url}?limit=1&foo=1")) == {"limit": "unknown_field", "foo": "unknown_field"}
        assert client.head(f"{url}?foo=1").status_code == 400
    for url in (f"{V1}/transfers", f"{V1}/transfers/check", f"{transfer}/cancel"):
        answer = world.client.post(f"{url}?dry_run=1", world.body(), headers=fresh_key())
        assert errors(answer) == {"dry_run": "unknown_field"}
    assert Transfer.objects.get().state == "approved"


def test_who_may_not_read_is_told_that_first_and_what_is_no_method_stays_none(world: World) -> None:
    url = f"{V1}/transfers?foo=1"
    assert factories.client_of(factories.make_login()).get(url).status_code == 403
    assert world.client.delete(url).status_code == 405


def test_an_institution_may_have_parameters_in_the_address_that_it_calls(world: World) -> None:
    assert send(url=f"{V1}/callbacks/meridian?version=2").status_code == 202


@pytest.mark.parametrize(
    ("query", "known"),
    [
        ("events?type=transfer.aproved", "transfer.approved"),
        ("events?type=transfer.completed,transfer.aproved", "transfer.approved"),
        ("notifications?type=bogus", "transfer.completed"),
        ("approvals?kind=transfer.overide", "transfer.override"),
    ],
)
def test_a_value_that_there_is_not_is_refused_and_those_there_are_named(world: World, query: str, known: str) -> None:
    name = query.partition("?")[2].partition("=")[0]

    answer = world.login(Role.MAKER).get(f"{V1}/{query}")

    assert errors(answer) == {name: "unknown_name"}
    (error,) = answer.json()["errors"][name]
    assert f" {known}," in error["message"] or f" {known}." in error["message"]


def test_every_value_that_there_is_may_be_asked_for(world: World) -> None:
    maker = world.login(Role.MAKER)
    for query in (
        "events?type=rule.drafted,float.charged",
        "notifications?type=stop.set",
        "approvals?kind=fund.settle",
    ):
        assert maker.get(f"{V1}/{query}").json()["results"] == []
