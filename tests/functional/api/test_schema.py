"""The OpenAPI document is complete, current and true to what is answered."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from django.conf import settings
from django.core.management import call_command
from django.test import Client

from tests.functional.api.test_matrix import MATRIX


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> dict:
    path = tmp_path_factory.mktemp("schema") / "openapi.yaml"
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(path))
    return yaml.safe_load(path.read_text())


def test_it_is_valid_openapi_3_1_without_a_warning(document: dict) -> None:
    assert document["openapi"].startswith("3.1")


def test_it_has_every_route_and_method_of_the_api(document: dict) -> None:
    wanted = {
        (path.replace("<", "{").replace(">", "}"), method.lower())
        for path, methods in MATRIX.items()
        for method in methods
        if path.startswith("/api/v1/")
    }

    assert {(path, method) for path, item in document["paths"].items() for method in item} == wanted


def test_every_operation_has_a_summary_and_problem_documents(document: dict) -> None:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            where = f"{method} {path}"
            assert operation["summary"], where
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], where


def test_money_moving_posts_require_a_key(document: dict) -> None:
    verbs = ("cancel", "approve", "reject", "release", "freeze", "override", "refund", "retry")
    routes = ["/api/v1/transfers", *(f"/api/v1/transfers/{{transfer}}/{verb}" for verb in verbs)]
    routes += [f"/api/v1/approvals/{{approval}}/{verb}" for verb in ("approve", "reject", "withdraw")]
    for route in routes:
        operation = document["paths"][route]["post"]
        (key,) = [entry for entry in operation["parameters"] if entry["name"] == "Idempotency-Key"]
        assert key["required"] is True


def test_the_committed_document_is_current(document: dict) -> None:
    committed = yaml.safe_load((Path(settings.BASE_DIR) / "docs" / "openapi.yaml").read_text())

    assert committed == document, "run `manage.py spectacular --file docs/openapi.yaml`"


def test_it_is_served_as_yaml_and_json(document: dict) -> None:
    served = yaml.safe_load(Client().get("/api/schema/").content)

    assert served["paths"].keys() == document["paths"].keys()
    assert Client().get("/api/schema/?format=json").json()["openapi"] == document["openapi"]
