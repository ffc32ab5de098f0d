"""A cursor belongs to its list and its filters; anywhere else it would give wrong pages without a word."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from rest_framework.test import APIClient

from bridge.kernel.results import Role
from tests import factories
from tests.functional.api.conftest import World

URL = "/api/v1/transfers"


@pytest.fixture
def asked(world: World) -> list[str]:
    """Four transfers, newest first, two of them of another fund."""
    funds = [world.fund, factories.make_fund(bank=world.bank)] * 2
    made = [world.request(amount=1_000 + n, fund=fund.public_id) for n, fund in enumerate(funds)]
    return [transfer["id"] for transfer in reversed(made)]


def page(client: APIClient, url: str) -> dict[str, Any]:
    answer = client.get(url)
    assert answer.status_code == 200, answer.content
    return answer.json()


def ids_of(page: dict[str, Any]) -> list[str]:
    return [row["id"] for row in page["results"]]


def cursor_in(url: str) -> str:
    (cursor,) = parse_qs(urlsplit(url).query)["cursor"]
    return cursor


def refusal(client: APIClient, url: str) -> tuple[int, str]:
    answer = client.get(url)
    return answer.status_code, answer.json().get("errors", {}).get("cursor", [{}])[0].get("code", "")


def test_forth_and_back_again(world: World, asked: list[str]) -> None:
    first = page(world.client, f"{URL}?limit=2")
    second = page(world.client, first["next"])
    back = page(world.client, second["previous"])

    assert (ids_of(first), ids_of(second), ids_of(back)) == (asked[:2], asked[2:], asked[:2])
    assert (first["previous"], second["next"], back["previous"]) == (None, None, None)


def test_filters_may_be_written_otherwise_and_pages_be_longer(world: World, asked: list[str]) -> None:
    cursor = cursor_in(page(world.client, f"{URL}?state=approved,completed&limit=1")["next"])

    rest = page(world.client, f"{URL}?state=completed&state=approved&limit=50&cursor={cursor}")

    assert ids_of(rest) == asked[1:]


def test_other_filters_are_refused(world: World, asked: list[str]) -> None:
    plain = cursor_in(page(world.client, f"{URL}?limit=1")["next"])
    chosen = cursor_in(page(world.client, f"{URL}?limit=1&fund={world.fund.public_id}")["next"])

    for url in (
        f"{URL}?state=approved&cursor={plain}",
        f"{URL}?fund={world.fund.public_id}&cursor={plain}",
        f"{URL}?cursor={chosen}",
        f"{URL}?external_id=a&cursor={plain}",
    ):
        assert refusal(world.client, url) == (400, "bad_cursor")


@pytest.mark.parametrize("other", ["accounts", "funds", "allocations", "notifications", "approvals"])
def test_another_list_is_refused(world: World, asked: list[str], other: str) -> None:
    maker = world.login(Role.MAKER)
    cursor = cursor_in(page(maker, f"{URL}?limit=1")["next"])

    assert refusal(maker, f"/api/v1/{other}?cursor={cursor}") == (400, "bad_cursor")


def test_a_damaged_cursor_is_refused(world: World, asked: list[str]) -> None:
    cursor = cursor_in(page(world.client, f"{URL}?limit=1")["next"])
    mistaken = cursor[:12] + ("B" if cursor[12] == "A" else "A") + cursor[13:]

    for damaged in (mistaken, cursor[:-1], cursor[:23], cursor + "A", "A", "..", "é"):
        assert refusal(world.client, f"{URL}?cursor={damaged}") == (400, "bad_cursor")
