"""An investor does not learn from Bridge that somebody was screened, nor what the screening found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bridge.kernel import clock
from bridge.kernel.results import Role
from tests import factories
from tests.functional.api.conftest import World, bring_in, fresh_key
from tests.functional.test_criteria import activate, establish
from transfers import disclosure

URL = "/api/v1/transfers"
SECRET_WORDS = ("sanction", "screen", "kyc", "identity", "hit", "frozen", "freeze", "velocity", "blocked by")


def everything(world: World, transfer: str) -> Iterator[tuple[str, Any]]:
    """All that the investor can read about it."""
    yield "transfer", world.client.get(f"{URL}/{transfer}").json()
    yield "list", world.client.get(URL).json()
    yield "timeline", world.client.get(f"{URL}/{transfer}/events").json()
    yield "log", world.client.get("/api/v1/events").json()
    yield "notifications", world.client.get("/api/v1/notifications").json()
    cancelled = world.client.post(f"{URL}/{transfer}/cancel", {}, headers=fresh_key())
    yield "cancellation", cancelled.json()


def assert_silent(world: World, transfer: str) -> None:
    for where, shown in everything(world, transfer):
        text = json.dumps(shown).lower()
        found = [word for word in SECRET_WORDS if word in text.replace("white", "")]
        assert not found, (where, found, shown)


def decided(transfer: dict[str, Any]) -> dict[str, tuple[str, str]]:
    return {made["rule"]: (made["outcome"], made["reason"]) for made in transfer["decisions"]}


def screened(world: World, **values: Any) -> None:
    now = clock.now()
    establish(world.investor, **{"kyc": "verified", "kyc_verified_at": now, "sanctions_screened_at": now, **values})


@pytest.mark.parametrize(
    ("found", "state", "outcome", "said"),
    [
        ("possible_hit", "in_review", "hold", disclosure.NEEDS_REVIEW),
        ("true_hit", "rejected", "fail", disclosure.NOT_POSSIBLE),
        ("clear", "approved", "pass", disclosure.NOTHING),
    ],
)
def test_a_screening_is_not_told_whatever_it_found(
    world: World, found: str, state: str, outcome: str, said: str
) -> None:
    screened(world, sanctions=found)

    checked = world.client.post(f"{URL}/check", world.body()).json()
    transfer = world.request()

    for shown in (checked, transfer):
        assert shown["state"] == state
        assert decided(shown)["compliance"] == (outcome, said)
        assert not disclosure.CONFIDENTIAL & set(decided(shown))
    assert not any(word in json.dumps([checked, transfer]).lower() for word in SECRET_WORDS)
    assert_silent(world, transfer["id"])


def test_the_firm_reads_what_the_rules_said(world: World) -> None:
    screened(world, sanctions="possible_hit")
    transfer = world.request()

    for role in (Role.COMPLIANCE, Role.SERVICE, Role.AUDITOR):
        shown = world.login(role).get(f"{URL}/{transfer['id']}").json()
        assert decided(shown)["sanctions"][0] == "hold"
        assert shown["blocker"]["message"] == decided(shown)["sanctions"][1]
        assert "compliance" not in decided(shown)


def test_a_hold_for_identity_or_velocity_is_not_told_apart(world: World) -> None:
    said: list[Any] = []
    for values, rule in (({"kyc": "pending"}, None), ({}, {"max_sum_day": 1})):
        screened(world, sanctions="clear", **values)
        if rule:
            activate("velocity", rule)
        shown = world.request(amount=1_000 + len(said))
        assert_silent(world, shown["id"])
        said.append((shown["state"], shown["blocker"], decided(shown)["compliance"]))

    assert (
        said[0]
        == said[1]
        == (
            "in_review",
            {"code": "in_review", "message": disclosure.NEEDS_REVIEW},
            ("hold", disclosure.NEEDS_REVIEW),
        )
    )


def test_other_reasons_are_told_in_full_beside_it(world: World) -> None:
    fund = factories.make_fund(bank=world.bank, second_person_above=1)
    screened(world, sanctions="possible_hit")

    shown = world.request(fund=fund.public_id)

    assert decided(shown)["second_person"][0] == "hold"
    assert decided(shown)["second_person"][1] in shown["blocker"]["message"]
    assert disclosure.NEEDS_REVIEW in shown["blocker"]["message"]
    assert_silent(world, shown["id"])


def test_what_operations_wrote_for_operations_stays_there(world: World) -> None:
    transfer = world.request()
    world.login(Role.MAKER).post(f"{URL}/{transfer['id']}/hold", {"reason": "possible sanctions hit"})

    shown = world.client.get(f"{URL}/{transfer['id']}").json()

    assert shown["blocker"] == {"code": "in_review", "message": disclosure.NEEDS_REVIEW}
    assert_silent(world, transfer["id"])


def test_a_freeze_and_its_release_look_like_a_review(world: World) -> None:
    row = bring_in(world)
    url = f"{URL}/{row.public_id}"
    compliance = world.login(Role.COMPLIANCE)
    compliance.post(f"{url}/freeze", {"reason": "true hit"}, headers=fresh_key())

    shown = world.client.get(url).json()
    lists = {state: world.client.get(f"{URL}?state={state}").json()["results"] for state in ("withdrawn", "frozen")}

    assert compliance.get(url).json()["state"] == "frozen"
    assert (shown["state"], shown["blocker"]["message"]) == ("withdrawn", disclosure.NEEDS_REVIEW)
    assert [len(found) for found in lists.values()] == [1, 0]
    assert world.client.get("/api/v1/events?type=transfer.frozen").json()["results"] == []
    assert_silent(world, row.public_id)
    staffs = [event["type"] for event in compliance.get(f"{url}/events").json()["results"]]
    assert staffs[-1] == "transfer.frozen"

    why = {"why": "False match"}
    asked = compliance.post(f"{url}/release", why, headers=fresh_key()).json()
    world.login(Role.COMPLIANCE).post(f"/api/v1/approvals/{asked['id']}/approve", {}, headers=fresh_key())
    assert compliance.get(url).json()["blocker"]["code"] == "released"
    assert_silent(world, row.public_id)
