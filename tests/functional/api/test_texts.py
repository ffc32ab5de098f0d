"""What a refusal says: who may, what the body has to be, and no word of the libraries behind it."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from bridge.kernel.results import Role
from tests import factories
from tests.functional.api.conftest import World, fresh_key

V1 = "/api/v1"
OBJECT = "The body must be a JSON object."


def said(answer: Any, status: int) -> str:
    assert answer.status_code == status, answer.content
    return answer.json()["detail"]


def raw(world: World, body: str, path: str = "/transfers", client: Any = None, **headers: str) -> Any:
    headers = {"content_type": "application/json", **headers}
    return (client or world.client).generic("POST", V1 + path, body, headers=fresh_key(), **headers)


class TestRoles:
    def test_who_may_do_it_is_named(self, world: World) -> None:
        transfer = f"{V1}/transfers/{world.request()['id']}"
        for url, sentence in (
            (f"{V1}/transfers/bulk", "Only a service may do this."),
            (f"{transfer}/approve", "Only a checker or compliance may do this."),
            (f"{transfer}/freeze", "Only compliance may do this."),
            (f"{transfer}/hold", "Only a maker, a checker or compliance may do this."),
        ):
            assert said(world.client.post(url, {}, headers=fresh_key()), 403) == sentence

    def test_a_login_without_a_role_too(self, world: World) -> None:
        nobody = factories.client_of(factories.make_login())
        sentence = "Only an investor, a service, a maker, a checker, compliance or an auditor may do this."
        assert said(nobody.get(f"{V1}/funds"), 403) == sentence

    def test_also_where_only_the_service_knows(self, world: World) -> None:
        url = f"{V1}/transfers/{world.request()['id']}"
        body = {"rule": "velocity", "why": "seen"}
        asked = world.login(Role.MAKER).post(f"{url}/override", body, headers=fresh_key())
        assert asked.status_code == 202, asked.content

        answer = world.login(Role.CHECKER).post(f"{V1}/approvals/{asked.json()['id']}/approve", {}, headers=fresh_key())

        assert said(answer, 403) == "Only compliance may do this."


class TestBodies:
    @pytest.mark.parametrize("body", ["[]", '"x"', "null", "7", "true"])
    @pytest.mark.parametrize("path", ["/transfers", "/transfers/check", "/transfers/{transfer}/cancel"])
    def test_what_is_no_object_is_told_so(self, world: World, path: str, body: str) -> None:
        answer = raw(world, body, path.format(transfer=world.request()["id"]))

        assert said(answer, 400)
        assert answer.json()["errors"] == {"body": [{"code": "invalid", "message": OBJECT}]}

    def test_a_row_too(self, world: World) -> None:
        answer = world.login(Role.SERVICE).post(f"{V1}/transfers/bulk", {"transfers": [None, [], 1]})

        for row in answer.json()["results"]:
            assert row["error"]["errors"]["body"][0]["message"] == "A row must be a JSON object."

    def test_a_body_without_its_type(self, world: World) -> None:
        sentence = "The Content-Type is missing. Send application/json."
        assert said(raw(world, "{}", content_type=""), 415) == sentence
        assert said(raw(world, "<a/>", content_type="text/xml"), 415).endswith("Send application/json.")

    def test_a_number_without_an_end(self, world: World) -> None:
        for digits in (5_000, 50_000):
            answer = raw(world, '{"amount": ' + "9" * digits + "}")
            assert said(answer, 400) == "The body is no valid JSON: a number has too many digits."

    @pytest.mark.parametrize(
        "text", ["a\nb", "a\u202eb", "\u2066a", "a\x1bb", "a\u2028b", "a\u200fb", "a\x7fb", "a\x85b"]
    )
    def test_an_own_id_looks_the_same_everywhere(self, world: World, text: str) -> None:
        answer = world.client.post(f"{V1}/transfers", world.body(external_id=text), headers=fresh_key())

        assert answer.status_code == 400
        assert answer.json()["errors"]["external_id"][0]["code"] == "not_plain"

    def test_an_own_id_may_be_of_any_script(self, world: World) -> None:
        for text in ("Überweisung 7", "订单-118", "طلب ١١٨", "👩‍💼 7"):
            assert world.request(external_id=text)["external_id"] == text


class TestFormats:
    def test_format_is_a_parameter_like_any_other(self, world: World) -> None:
        for url in (f"{V1}/transfers", f"{V1}/transfers/{world.request()['id']}"):
            answer = world.client.get(f"{url}?format=xml")
            assert (answer.status_code, answer.json()["code"], [*answer.json()["errors"]]) == (
                400,
                "invalid",
                ["format"],
            )

    def test_the_document_names_the_formats_that_it_has(self, db: None) -> None:
        answer = Client().get("/api/schema/?format=xml")
        assert said(answer, 406) == "There is no such format. There are: json, yaml."
