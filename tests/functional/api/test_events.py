"""The log over HTTP: in order, without a gap, and only one's own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Event as Flag
from urllib.parse import parse_qs, urlsplit

import pytest
from django.db import connection, transaction

from bridge.events import services as events
from bridge.events.models import Event
from bridge.kernel import clock, ids
from bridge.kernel.results import Role
from tests import factories
from tests.functional.api.conftest import World

URL = "/api/v1/events"
pytestmark = pytest.mark.django_db(transaction=True)


def types(page: dict) -> list[str]:
    return [event["type"] for event in page["results"]]


def test_investors_see_the_events_of_their_own_transfers_only(world: World) -> None:
    world.request()
    stranger = factories.client_of(factories.make_login(Role.INVESTOR))

    assert types(world.client.get(URL).json()) == ["transfer.requested", "transfer.approved"]
    assert stranger.get(URL).json()["results"] == []
    everything = types(world.login(Role.AUDITOR).get(URL).json())
    assert everything[:3] == ["investor.opened", "account.opened", "fund.opened"]


def test_pages_and_positions_miss_nothing_and_repeat_nothing(world: World) -> None:
    for number in range(3):
        world.request(amount=1_000 + number)
    auditor = world.login(Role.AUDITOR)

    seen, url = [], f"{URL}?limit=2"
    while url:
        page = auditor.get(url).json()
        seen += [event["id"] for event in page["results"]]
        url = page["next"]

    whole = [event["id"] for event in auditor.get(f"{URL}?limit=200").json()["results"]]
    assert seen == whole
    assert len(whole) == Event.objects.count() == len(set(whole))
    assert [e["id"] for e in auditor.get(f"{URL}?after={whole[3]}").json()["results"]] == whole[4:]
    assert auditor.get(f"{URL}?after={whole[-1]}").json() == {"next": None, "previous": None, "results": []}


def cursor_in(page: dict) -> str:
    (cursor,) = parse_qs(urlsplit(page["next"]).query)["cursor"]
    return cursor


def test_a_place_in_the_log_stays_good_with_other_filters_and_in_the_form_of_earlier_versions(world: World) -> None:
    world.request()
    auditor = world.login(Role.AUDITOR)
    whole = [event["id"] for event in auditor.get(f"{URL}?limit=200").json()["results"]]
    cursor = cursor_in(auditor.get(f"{URL}?limit=2").json())
    earlier = cursor[:38]  # the place alone: 28 bytes

    for kept in (cursor, earlier):
        assert [event["id"] for event in auditor.get(f"{URL}?cursor={kept}").json()["results"]] == whole[2:]
        chosen = auditor.get(f"{URL}?type=transfer.approved&cursor={kept}").json()
        assert types(chosen) == ["transfer.approved"]


def test_a_damaged_place_and_a_cursor_of_another_list_are_refused(world: World) -> None:
    world.request(amount=1_000)
    world.request(amount=2_000)
    auditor = world.login(Role.AUDITOR)
    cursor = cursor_in(auditor.get(f"{URL}?limit=2").json())
    other = cursor_in(auditor.get("/api/v1/transfers?limit=1").json())

    damaged = [cursor[:9] + ("A" if cursor[9] != "A" else "B") + cursor[10:], cursor[:-1], cursor[:30], other, "A"]
    answers = [auditor.get(f"{URL}?cursor={each}") for each in damaged]

    assert [answer.status_code for answer in answers] == [400] * len(damaged)
    assert {answer.json()["errors"]["cursor"][0]["code"] for answer in answers} == {"bad_cursor"}


def test_types_can_be_chosen(world: World) -> None:
    world.request()

    assert types(world.client.get(f"{URL}?type=transfer.approved").json()) == ["transfer.approved"]


def test_anothers_event_is_no_position_for_an_investor(world: World) -> None:
    world.request()
    event = Event.objects.filter(type="transfer.requested").get()
    stranger = factories.client_of(factories.make_login(Role.INVESTOR))

    foreign = stranger.get(f"{URL}?after={event.public_id}").json()
    unknown = stranger.get(f"{URL}?after={factories.typeid('event')}").json()

    assert foreign["status"] == 400
    assert foreign["errors"] == unknown["errors"] != {}


def test_an_event_behind_a_transaction_that_still_runs_waits_for_it(world: World) -> None:
    """Else a reader would go past the slow one's events, which come with a smaller position."""
    begun, go = Flag(), Flag()

    def slow() -> None:
        with transaction.atomic():
            fact = events.Fact("test", ids.new_id(), "test.slow")
            events.append(facts=[fact], actor=factories.SETUP, at=clock.now())
            begun.set()
            go.wait(20)
        connection.close()

    auditor = world.login(Role.AUDITOR)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(slow)
        begun.wait(20)
        world.request()
        during = types(auditor.get(f"{URL}?limit=200").json())
        go.set()
        running.result(20)

    assert "transfer.requested" not in during
    assert types(auditor.get(f"{URL}?limit=200").json())[-3:] == [
        "test.slow",
        "transfer.requested",
        "transfer.approved",
    ]
