"""What a browser gets when something is not allowed or not there: a page; a program gets a problem document."""

from __future__ import annotations

import pytest
from django.http import HttpRequest
from django.test import Client, RequestFactory
from django.urls import reverse

from bridge.kernel import problem
from bridge.kernel.results import Role
from tests.functional.admin.conftest import BACKEND, SignIn

HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
PROBLEM = "application/problem+json"


def _request(path: str, accept: str) -> HttpRequest:
    return RequestFactory().get(path, headers={"Accept": accept})


class TestBrowser:
    def test_a_page_that_the_role_may_not_see_says_why_and_leads_back(self, sign_in: SignIn) -> None:
        url = reverse("admin:accounts_credential_changelist")
        answer = sign_in(Role.MAKER).client.get(url, headers=HTML)
        page = answer.content.decode()
        assert answer.status_code == 403
        assert answer["Content-Type"].startswith("text/html")
        assert "Your role does not allow this, or the link is no longer valid." in page
        assert 'href="/admin/"' in page
        assert "bridge/console.css" in page
        assert "style=" not in page
        assert "<style" not in page

    def test_an_address_with_nothing_leads_back_too(self) -> None:
        answer = Client().get("/nowhere", headers=HTML)
        assert answer.status_code == 404
        assert "There is nothing at this address" in answer.content.decode()
        assert 'href="/admin/"' in answer.content.decode()

    def test_a_form_that_is_too_old_says_how_to_send_it_again(self, sign_in: SignIn) -> None:
        client = Client(enforce_csrf_checks=True)
        client.force_login(sign_in(Role.MAKER).user, backend=BACKEND)
        answer = client.post(reverse("admin:accounts_investor_add"), {"legal_name": "Ada"}, headers=HTML)
        page = answer.content.decode()
        assert answer.status_code == 403
        assert "This form is too old to be sent" in page
        assert "load the page anew, and send the form again" in page
        assert 'href="/admin/"' in page
        assert "bridge/console.css" in page
        program = client.post(reverse("admin:accounts_investor_add"), {}, headers={"Accept": "application/json"})
        assert (program.status_code, program.json()["code"]) == (403, "csrf_failed")

    def test_what_cannot_be_read_says_what_to_do(self, sign_in: SignIn) -> None:
        url = reverse("admin:accounts_investor_changelist")
        answer = sign_in(Role.MAKER).client.get(url, {"_to_field": "user__password"}, headers=HTML)
        page = answer.content.decode()
        assert answer.status_code == 400
        assert "This request cannot be read" in page
        assert "Go back, load the page anew" in page
        assert "bridge/console.css" in page

    def test_our_own_fault_gets_a_page(self) -> None:
        answer = problem.server_error(_request("/admin/", "text/html"))
        assert answer.status_code == 500
        assert "Something went wrong on our side" in answer.content.decode()


class TestProgram:
    @pytest.mark.parametrize(("path", "accept"), [("/api/v1/funds", "text/html"), ("/admin/", "application/json")])
    def test_the_api_and_who_asks_for_json_get_problem_documents(self, path: str, accept: str) -> None:
        request = _request(path, accept)
        answers = [
            problem.permission_denied(request, Exception("no")),
            problem.page_not_found(request, Exception("no")),
            problem.server_error(request),
        ]
        assert [(answer.status_code, answer["Content-Type"]) for answer in answers] == [
            (403, PROBLEM), (404, PROBLEM), (500, PROBLEM),
        ]  # fmt: skip
