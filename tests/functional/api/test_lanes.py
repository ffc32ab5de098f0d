"""The API's short way keeps what the pages' middleware did for it; pages keep all of theirs."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.checks import run_checks
from django.test import Client, RequestFactory

from bridge.kernel.api.middleware import LanesMiddleware

pytestmark = pytest.mark.django_db

SAME = ("X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy")


def directives(answer: Any) -> set[str]:
    return set(answer["Content-Security-Policy"].split("; "))


def test_the_api_has_the_headers_of_a_page(client: Client) -> None:
    page, answer = client.get("/healthz"), client.get("/api/v1/transfers")
    assert {name: answer[name] for name in SAME} == {name: page[name] for name in SAME}
    assert directives(answer) == directives(page)
    assert answer["Content-Length"] == str(len(answer.content))


@pytest.mark.parametrize("path", ["/api/v1/transfers", "/healthz"])
def test_a_host_that_nobody_allowed_is_refused(client: Client, settings: Any, path: str) -> None:
    settings.ALLOWED_HOSTS = ["bridge.example"]
    assert client.get(path, headers={"host": "bridge.example"}).status_code in (200, 401)
    assert client.get(path, headers={"host": "elsewhere.example"}).status_code == 400


@pytest.mark.parametrize("path", ["/api/v1/transfers", "/healthz", "/admin/login/"])
@pytest.mark.parametrize("accept", ["text/html", "application/json"])
def test_a_refused_host_leaves_one_line_that_names_the_setting(
    client: Client, settings: Any, caplog: pytest.LogCaptureFixture, path: str, accept: str
) -> None:
    settings.ALLOWED_HOSTS = ["bridge.example"]

    answer = client.get(path, headers={"host": "elsewhere.example", "accept": accept})

    assert answer.status_code == 400
    assert "Bridge does not answer under this host name." in answer.content.decode()
    (line,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "You may need to add 'elsewhere.example' to ALLOWED_HOSTS." in line.getMessage()
    assert line.exc_info is None


def test_the_api_knows_no_session_and_a_page_demands_its_token() -> None:
    careful = Client(enforce_csrf_checks=True)
    answer = careful.post("/api/v1/tokens", {"username": "x", "password": "y"}, content_type="application/json")
    assert answer.status_code == 401
    assert not answer.cookies
    assert careful.post("/admin/login/", {"username": "x", "password": "y"}).status_code == 403


def test_each_request_to_the_api_leaves_one_line(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="bridge.requests"):
        client.get("/api/v1/transfers?limit=1", headers={"x-request-id": "mine-1"})
    (line,) = [record.msg for record in caplog.records if record.name == "bridge.requests"]
    assert {name: line[name] for name in ("event", "code", "request", "request_id", "ip")} == {
        "event": "request_finished",
        "code": 401,
        "request": "GET /api/v1/transfers?limit=1",
        "request_id": "mine-1",
        "ip": "127.0.0.1",
    }


def test_pages_have_what_the_silenced_checks_looked_for(settings: Any) -> None:
    """Django looks into `MIDDLEWARE` alone; here its own checks look at the pages' list."""
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, *settings.BRIDGE_PAGE_MIDDLEWARE]
    found = {message.id for message in run_checks(include_deployment_checks=True)}
    assert found.isdisjoint(settings.SILENCED_SYSTEM_CHECKS)


def test_middleware_with_a_hook_that_nobody_would_call_is_refused(settings: Any) -> None:
    settings.BRIDGE_PAGE_MIDDLEWARE = ["django_prometheus.middleware.PrometheusAfterMiddleware"]
    with pytest.raises(TypeError, match="PrometheusAfterMiddleware has a hook"):
        LanesMiddleware(lambda request: RequestFactory().get("/"))  # type: ignore[arg-type,return-value]
