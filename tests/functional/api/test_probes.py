"""For machines that watch, and for people who look for the documentation."""

from __future__ import annotations

import json

import pytest
from django.test import Client, override_settings

from bridge.kernel.results import Role
from tests.functional.api.conftest import World

NOWHERE = "redis://127.0.0.1:1/0"


def test_alive_without_asking_anybody(client: Client) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


@pytest.mark.django_db
def test_ready_when_database_broker_and_cache_answer(client: Client) -> None:
    answer = client.get("/readyz")

    assert answer.status_code == 200, answer.content
    assert answer.json()["checks"] == {"database": "ok", "broker": "ok", "cache": "ok"}


@pytest.mark.django_db
@pytest.mark.parametrize("url", [NOWHERE, "amqp://guest:guest@127.0.0.1:1//"])
def test_not_ready_names_the_broker_that_is_down(client: Client, url: str) -> None:
    with override_settings(CELERY_BROKER_URL=url):
        answer = client.get("/readyz")

    assert answer.status_code == 503
    assert answer["Content-Type"] == "application/problem+json"
    assert answer.json()["checks"] == {"database": "ok", "broker": "down", "cache": "ok"}
    assert "broker" in answer.json()["detail"]


@pytest.mark.django_db
def test_not_ready_names_the_cache_that_is_down(client: Client) -> None:
    caches = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": NOWHERE}}
    with override_settings(CACHES=caches):
        answer = client.get("/readyz")

    assert answer.json()["checks"]["cache"] == "down"


@pytest.mark.django_db
def test_metrics_are_for_prometheus(client: Client) -> None:
    assert b"django_http_requests_total" in client.get("/metrics").content


@pytest.mark.django_db
def test_the_docs_page_has_no_script_or_style_of_its_own(client: Client) -> None:
    assert client.get("/").headers["Location"] == "/api/docs/"
    answer = client.get("/api/docs/")
    page = answer.content.decode()

    assert "<style" not in page
    assert "<script>" not in page
    assert "unsafe-inline" not in answer["Content-Security-Policy"]
    assert client.get("/api/docs/?script").status_code == 200


@pytest.mark.django_db
def test_a_decent_request_id_is_kept_and_another_replaced(client: Client) -> None:
    assert client.get("/healthz", headers={"X-Request-ID": "my-id.7"})["X-Request-ID"] == "my-id.7"
    replaced = client.get("/healthz", headers={"X-Request-ID": "<script>"})["X-Request-ID"]
    assert len(replaced) == 32


def test_an_unknown_address_is_a_page_for_people_and_a_problem_for_programs(world: World) -> None:
    page = Client().get("/nowhere", headers={"Accept": "text/html"})
    problem = Client().get("/nowhere", headers={"Accept": "application/json"})

    assert page["Content-Type"].startswith("text/html")
    assert (problem.status_code, problem.json()["code"]) == (404, "no_such_route")
    assert world.login(Role.AUDITOR).get("/api/v1/nowhere").json()["code"] == "no_such_route"


@pytest.mark.django_db
def test_a_bug_is_a_problem_that_tells_nothing_of_itself(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    from bridge.kernel.api.tokens import TokensView

    def broken(*_: object, **__: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(TokensView, "post", broken)
    client.raise_request_exception = False
    answer = client.post("/api/v1/tokens", json.dumps({}), content_type="application/json")

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert b"secret" not in answer.content
