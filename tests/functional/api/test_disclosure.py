"""An investor does not learn from Bridge that somebody was screened, nor what the screening found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from bridge.kernel import clock
from bridge.kernel.results import Actor, Channel, Role
from notifications.messages import Parties, message_for
from tests import factories
from tests.functional.api.conftest import World, bring_in, fresh_key
from tests.functional.test_criteria import activate, establish
from transfers import disclosure, sentences
from transfers.controls import stops
from transfers.engine import drain

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


def test_a_freeze_changes_nothing_about_the_place_that_the_investor_reads(world: World) -> None:
    row = bring_in(world)
    url = f"{URL}/{row.public_id}"

    def read() -> tuple[Any, ...]:
        places = world.client.get("/api/v1/allocations").json()["results"]
        return world.client.get(url).json()["reservation"], [place["reserved"] for place in places]

    before = read()
    compliance = world.login(Role.COMPLIANCE)
    compliance.post(f"{url}/freeze", {"reason": "true hit"}, headers=fresh_key())

    assert before == ({"state": "reserved", "expires_at": None}, [1_000])
    assert read() == before
    assert compliance.get(url).json()["reservation"]["state"] == "released"
    assert [place["reserved"] for place in compliance.get("/api/v1/allocations").json()["results"]] == [0]

    asked = compliance.post(f"{url}/release", {"why": "False match"}, headers=fresh_key()).json()
    world.login(Role.COMPLIANCE).post(f"/api/v1/approvals/{asked['id']}/approve", {}, headers=fresh_key())
    assert read() == before

    assert compliance.post(f"{url}/refund", {}, headers=fresh_key()).status_code == 200
    drain()
    assert read() == ({"state": "released", "expires_at": None}, [0])


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


STAFFS_WORDS = "Suspected sanctions evasion, report filed"


def test_why_and_by_whom_an_investor_was_stopped_stays_with_staff(world: World) -> None:
    transfer = world.request()
    mary = Actor("7", Role.COMPLIANCE, Channel.ADMIN, label="mary.compliance")
    stops.set_stops(stops=[stops.NewStop("investor", STAFFS_WORDS, investor_id=world.investor.id)], actor=mary)
    drain()

    told = world.client.get(f"{URL}/{transfer['id']}").json()["blocker"]

    assert told == {"code": "stopped", "message": "Transfers are on hold for now; it goes on by itself."}
    for role in (Role.AUDITOR, Role.SERVICE):
        read = world.login(role).get(f"{URL}/{transfer['id']}").json()["blocker"]["message"]
        assert STAFFS_WORDS in read
        assert "mary.compliance" in read
    assert_silent(world, transfer["id"])
    assert all("mary" not in json.dumps(shown) for _, shown in everything(world, transfer["id"]))


@pytest.mark.parametrize("verb", ["cancel", "reject"])
def test_why_staff_ended_a_transfer_stays_with_staff(world: World, verb: str) -> None:
    transfer = world.request()
    staff = world.login(Role.MAKER if verb == "cancel" else Role.CHECKER)
    answer = staff.post(f"{URL}/{transfer['id']}/{verb}", {"reason": STAFFS_WORDS}, headers=fresh_key())

    assert answer.status_code == 200
    assert_silent(world, transfer["id"])
    assert STAFFS_WORDS in json.dumps(staff.get(f"{URL}/{transfer['id']}/events").json())


def test_who_of_staff_approved_is_not_told(world: World) -> None:
    screened(world, sanctions="possible_hit")
    transfer = world.request()
    checker = factories.make_login(Role.CHECKER)
    answer = factories.client_of(checker).post(f"{URL}/{transfer['id']}/approve", {}, headers=fresh_key())

    assert answer.status_code == 200
    events = world.client.get(f"{URL}/{transfer['id']}/events").json()["results"]
    assert [event["data"]["approved_by"] for event in events if event["type"] == "transfer.approved"] == [""]


def test_an_investors_own_words_are_shown_to_them(world: World) -> None:
    transfer = world.request()
    world.client.post(f"{URL}/{transfer['id']}/cancel", {"reason": "changed my mind"}, headers=fresh_key())

    events = world.client.get(f"{URL}/{transfer['id']}/events").json()["results"]
    assert [event["data"]["reason"] for event in events if event["type"] == "transfer.cancelled"] == ["changed my mind"]


@pytest.mark.parametrize(
    "kind",
    ["transfer.topped_up", "transfer.reduced", "transfer.cancelled", "transfer.recall_due", "transfer.redirected"],
)
def test_a_reason_is_told_only_where_bridge_itself_wrote_it(kind: str) -> None:
    assert disclosure.event_data(kind, {"reason": STAFFS_WORDS})["reason"] == ""
    for sentence in sentences.FOR_EVERYBODY:
        assert disclosure.event_data(kind, {"reason": sentence})["reason"] == sentence


def test_why_two_people_decided_an_outcome_is_not_told_and_a_banks_reason_is() -> None:
    for code, told in (("two_people", ""), ("AC04", "closed")):
        data = {"code": code, "reason": told or STAFFS_WORDS}
        assert disclosure.event_data("transfer.deposit_rejected", data)["reason"] == told


@pytest.mark.parametrize(
    "code",
    [
        "stopped",
        "exposure_limit",
        "advance_uncovered",
        "advance_open",
        "deposit_rejected",
        "refund_rejected",
        "recall_due",
        "recall_rejected",
        "engine_fault",
    ],
)
def test_a_blocker_that_may_hold_staffs_words_has_a_sentence_of_its_own(code: str) -> None:
    written = f"It is frozen by law. {STAFFS_WORDS}"

    shown, message = disclosure.blocker(code, written, [])
    event = disclosure.event_data("transfer.blocked", {"code": code, "message": written})

    assert shown == code
    assert (event["code"], event["message"]) == (code, message)
    assert not any(word in message.lower() for word in SECRET_WORDS)


def test_a_notification_of_less_does_not_say_what_staff_wrote() -> None:
    data = {"amount": 5, "currency": "USD", "amount_before": 9, "reason": STAFFS_WORDS}
    parties = Parties(investor="Ada", account="Checking", last4="1234", fund="Harbor I")

    assert "sanctions" not in message_for("transfer.reduced", data, parties).body
    assert "sanctions" in message_for("transfer.topped_up", data, parties).body  # to operations alone
