"""Limits, and the headers that tell of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.test import override_settings
from django_redis import get_redis_connection  # type: ignore[import-untyped]
from rest_framework.settings import api_settings

from bridge.kernel.api.throttling import WindowThrottle
from bridge.kernel.results import Role
from tests.functional.api.conftest import World

NOWHERE = {
    "default": {
        "BACKEND": "django_redis.cache.RedisCache",
        "LOCATION": "redis://127.0.0.1:1/0",
        "OPTIONS": {"IGNORE_EXCEPTIONS": True, "SOCKET_CONNECT_TIMEOUT": 1},
    }
}


@pytest.fixture
def three_an_hour(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(api_settings.DEFAULT_THROTTLE_RATES, "api", "3/h")
    yield
    WindowThrottle._asleep_until = 0.0


def test_the_fourth_request_of_three_waits_and_another_login_does_not(world: World, three_an_hour: None) -> None:
    answers = [world.client.get("/api/v1/funds") for _ in range(4)]

    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert answers[0]["RateLimit-Policy"] == '"api";q=3;w=3600'
    assert answers[0]["RateLimit"].startswith('"api";r=2;t=')
    assert [answer["RateLimit-Remaining"] for answer in answers] == ["2", "1", "0", "0"]
    assert answers[3].json()["code"] == "rate_limited"
    assert 0 < int(answers[3]["Retry-After"]) <= 3600
    assert world.login(Role.SERVICE).get("/api/v1/funds").status_code == 200


def test_without_a_cache_everybody_passes(world: World, three_an_hour: None) -> None:
    with override_settings(CACHES=NOWHERE):
        answers = [world.client.get("/api/v1/funds") for _ in range(5)]

    assert [answer.status_code for answer in answers] == [200] * 5
    assert "RateLimit" not in answers[0]


def test_a_count_disappears_with_its_window(world: World, three_an_hour: None) -> None:
    world.client.get("/api/v1/funds")

    redis = get_redis_connection("default")
    (key,) = redis.keys("*rate:api:*")

    assert 0 < redis.ttl(key) <= 3601
