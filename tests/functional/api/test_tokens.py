"""Signing in and out."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

from django.test import override_settings
from django_otp.oath import TOTP
from django_otp.plugins.otp_totp.models import TOTPDevice
from knox.models import AuthToken
from rest_framework.test import APIClient

from bridge.kernel.results import Role
from tests import factories
from tests.functional.api.conftest import World

URL = "/api/v1/tokens"


def sign_in(username: str, password: str = factories.PASSWORD) -> object:
    return APIClient().post(URL, {"username": username, "password": password})


def test_a_login_and_its_password_give_a_token_that_works_until_sign_out(world: World) -> None:
    answer = APIClient().post(URL, {"username": world.user.username, "password": factories.PASSWORD})
    assert answer.status_code == 201
    assert set(answer.json()) == {"token", "expires_at"}
    client = APIClient(headers={"Authorization": f"Bearer {answer.json()['token']}"})
    assert client.get("/api/v1/accounts").status_code == 200

    assert client.delete(f"{URL}/current").status_code == 204

    assert client.get("/api/v1/accounts").status_code == 401


def test_a_token_is_kept_as_a_hash_only(db: None) -> None:
    user = factories.make_login(Role.INVESTOR)
    token = APIClient().post(URL, {"username": user.username, "password": factories.PASSWORD}).json()["token"]

    kept = AuthToken.objects.get(user=user)

    assert token not in (kept.digest, kept.token_key)
    assert len(token) >= 64


def test_a_wrong_password_an_unknown_login_and_a_switched_off_one_get_the_same_answer(db: None) -> None:
    active, off = factories.make_login(Role.INVESTOR), factories.make_login(Role.INVESTOR, is_active=False)
    answers = [
        APIClient().post(URL, {"username": name, "password": password})
        for name, password in (
            (active.username, "wrong"),
            ("who-is-that", factories.PASSWORD),
            (off.username, factories.PASSWORD),
        )
    ]

    assert {answer.status_code for answer in answers} == {401}
    assert len({(answer.json()["code"], answer.json()["detail"]) for answer in answers}) == 1


def test_five_failures_lock_the_login_even_with_the_right_password(db: None) -> None:
    user = factories.make_login(Role.INVESTOR)
    for _ in range(5):
        APIClient().post(URL, {"username": user.username, "password": "wrong"})

    answer = APIClient().post(URL, {"username": user.username, "password": factories.PASSWORD})

    assert (answer.status_code, answer.json()["code"]) == (429, "locked_out")
    assert answer["Content-Type"] == "application/problem+json"
    assert int(answer["Retry-After"]) > 0
    assert AuthToken.objects.count() == 0


def test_an_expired_token_and_one_of_a_switched_off_login_are_refused(world: World) -> None:
    _, expired = AuthToken.objects.create(world.user, expiry=timedelta(seconds=-1))
    off = factories.make_login(Role.SERVICE)
    _, token = AuthToken.objects.create(off)
    off.is_active = False
    off.save()

    for text in (expired, token):
        answer = APIClient(headers={"Authorization": f"Bearer {text}"}).get("/api/v1/funds")
        assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
        assert answer["WWW-Authenticate"] == "Bearer"


def test_an_advanced_clock_ends_no_session(world: World) -> None:
    from bridge.kernel import clock

    with override_settings(BRIDGE_SANDBOX_MODE=True):
        clock.advance(by=timedelta(days=30))

    assert world.client.get("/api/v1/funds").status_code == 200


def shown_by(device: TOTPDevice) -> str:
    """The code that the owner's app shows."""
    totp = TOTP(device.bin_key, device.step, device.t0, device.digits, device.drift)
    totp.time = time.time()
    return f"{totp.token():06d}"


def with_device(*roles: Role, confirmed: bool = True) -> tuple[Any, TOTPDevice]:
    user = factories.make_login(*roles)
    return user, TOTPDevice.objects.create(user=user, name="phone", confirmed=confirmed)


def test_a_second_factor_is_asked_for_and_its_code_is_good_once(db: None) -> None:
    user, device = with_device(Role.SERVICE)
    body = {"username": user.username, "password": factories.PASSWORD}
    code = shown_by(device)

    missing = APIClient().post(URL, body)
    right = APIClient().post(URL, {**body, "otp": code})
    again = APIClient().post(URL, {**body, "otp": code})

    assert (missing.status_code, missing.json()["code"]) == (401, "otp_missing")
    assert missing.json()["errors"]["otp"][0]["code"] == "otp_missing"
    assert right.status_code == 201
    assert (again.status_code, again.json()["code"]) == (401, "otp_wrong")
    assert again.json()["errors"]["otp"][0]["code"] == "otp_wrong"
    assert AuthToken.objects.count() == 1


def test_a_code_beside_a_wrong_password_is_not_looked_at(db: None) -> None:
    user, device = with_device(Role.SERVICE)
    body = {"username": user.username, "password": "wrong", "otp": shown_by(device)}

    assert APIClient().post(URL, body).json()["code"] == "sign_in_failed"
    body["password"] = factories.PASSWORD
    assert APIClient().post(URL, body).status_code == 201


def test_five_wrong_codes_lock_the_login_even_with_the_right_one(db: None) -> None:
    user, device = with_device(Role.SERVICE)
    body = {"username": user.username, "password": factories.PASSWORD}
    right = shown_by(device)
    wrong = f"{(int(right) + 1) % 1_000_000:06d}"
    for _ in range(5):
        APIClient().post(URL, {**body, "otp": wrong})
    TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)

    answer = APIClient().post(URL, {**body, "otp": right})

    assert (answer.status_code, answer.json()["code"]) == (429, "locked_out")
    assert AuthToken.objects.count() == 0


def test_any_device_of_the_login_will_do_and_the_others_take_no_harm(db: None) -> None:
    user, first = with_device(Role.SERVICE)
    second = TOTPDevice.objects.create(user=user, name="tablet", confirmed=True)
    body = {"username": user.username, "password": factories.PASSWORD}

    assert [APIClient().post(URL, {**body, "otp": shown_by(one)}).status_code for one in (second, first)] == [201, 201]


def test_who_has_no_confirmed_device_signs_in_as_before(db: None) -> None:
    user, _ = with_device(Role.SERVICE, confirmed=False)

    for given in ({}, {"otp": ""}, {"otp": "123456"}):
        body = {"username": user.username, "password": factories.PASSWORD, **given}
        assert APIClient().post(URL, body).status_code == 201
