"""One key, one transfer, one answer."""

from __future__ import annotations

from bridge.kernel.models import IdempotencyKey
from bridge.kernel.results import Role
from tests import factories
from tests.functional.api.conftest import World, fresh_key
from transfers.models import Transfer

URL = "/api/v1/transfers"


def test_the_same_key_gives_the_stored_answer_and_no_second_transfer(world: World) -> None:
    key = fresh_key()
    first = world.client.post(URL, world.body(), headers=key)
    world.client.post(f"{URL}/{first.json()['id']}/cancel", {}, headers=fresh_key())

    again = world.client.post(URL, world.body(), headers=key)

    assert "Idempotent-Replayed" not in first
    assert again["Idempotent-Replayed"] == "true"
    assert (again.status_code, again.json()) == (201, first.json())
    assert (again["ETag"], again["Location"]) == (first["ETag"], first["Location"])
    assert Transfer.objects.count() == 1


def test_the_order_of_names_in_the_body_does_not_matter(world: World) -> None:
    key = fresh_key()
    world.client.post(URL, world.body(), headers=key)

    again = world.client.post(URL, dict(reversed(world.body().items())), headers=key)

    assert again["Idempotent-Replayed"] == "true"


def test_the_same_key_with_another_body_is_refused(world: World) -> None:
    key = fresh_key()
    world.client.post(URL, world.body(), headers=key)

    answer = world.client.post(URL, world.body(amount=1), headers=key)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency_key_reused")
    assert Transfer.objects.count() == 1


def test_a_request_with_errors_does_not_use_its_key_up(world: World) -> None:
    key = fresh_key()
    bad = world.client.post(URL, world.body(amount=0), headers=key)
    unknown = world.client.post(URL, world.body(fund=factories.typeid("fund")), headers=key)
    assert (bad.status_code, unknown.status_code, IdempotencyKey.objects.count()) == (400, 422, 0)

    answer = world.client.post(URL, world.body(), headers=key)

    assert answer.status_code == 201


def test_a_refused_change_does_not_use_its_key_up(world: World) -> None:
    url = f"{URL}/{world.request()['id']}/cancel"
    key = fresh_key()
    stale = world.client.post(url, {}, headers={**key, "If-Match": '"77"'})
    assert stale.status_code == 412

    assert world.client.post(url, {}, headers=key).status_code == 200


def test_another_login_with_the_same_key_never_gets_the_answer(world: World) -> None:
    key = fresh_key()
    world.client.post(URL, world.body(), headers=key)
    service = world.login(Role.SERVICE)

    answer = service.post(URL, world.body(), headers=key)

    assert answer.status_code == 201
    assert "Idempotent-Replayed" not in answer


def test_the_same_key_on_another_transfer_is_another_request(world: World) -> None:
    first, second = world.request(amount=1_000), world.request(amount=2_000)
    key = fresh_key()

    answers = [world.client.post(f"{URL}/{row['id']}/cancel", {}, headers=key) for row in (first, second)]

    assert [answer.json()["id"] for answer in answers] == [first["id"], second["id"]]
    assert {answer.json()["state"] for answer in answers} == {"cancelled"}


def test_a_replayed_cancellation_is_answered_as_the_first_time(world: World) -> None:
    url = f"{URL}/{world.request()['id']}/cancel"
    key = fresh_key()
    first = world.client.post(url, {}, headers=key)

    again = world.client.post(url, {}, headers=key)

    assert again.json() == first.json()
    assert again["Idempotent-Replayed"] == "true"


def test_holding_takes_no_key_but_respects_one(world: World) -> None:
    maker = world.login(Role.MAKER)
    url = f"{URL}/{world.request()['id']}/hold"
    key = fresh_key()
    first = maker.post(url, {}, headers=key)

    again = maker.post(url, {}, headers=key)

    assert first.status_code == 200
    assert again["Idempotent-Replayed"] == "true"
