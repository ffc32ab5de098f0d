"""Who may do what: every role on every route and method, against the table below. What is not listed is denied.

The routes come from the resolver, so a route that the table lacks fails here. The admin has a matrix of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.urls import URLPattern, URLResolver, get_resolver, resolve
from knox.models import AuthToken
from rest_framework.response import Response
from rest_framework.test import APIRequestFactory

from bridge.approvals.models import Approval
from bridge.kernel.api.views import BridgeView
from bridge.kernel.results import Role
from tests import factories
from tests.functional.api.conftest import World, fresh_key

VISITORS = (
    "anonymous",
    "nobody",
    "superuser",
    "owner",
    "stranger",
    "service",
    "maker",
    "checker",
    "compliance",
    "auditor",
)
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
OPEN, SIGNED_IN, READ, OWN, ACT, ACT_OWN, OPERATE, DECIDE, SANDBOX, BULK, FREEZE, STAFF, STAFF_READ, ASKER = range(14)
_FIRM = {"service", "maker", "checker", "compliance", "auditor"}
_SEEN = {
    OPEN: set(VISITORS),
    SIGNED_IN: set(VISITORS) - {"anonymous"},
    READ: {"owner", "stranger", *_FIRM},
    OWN: {"owner", *_FIRM},
    ACT: {"owner", "stranger", "service", "maker"},
    ACT_OWN: {"owner", "service", "maker"},
    OPERATE: {"maker", "checker", "compliance"},
    DECIDE: {"checker", "compliance"},
    BULK: {"service"},
    FREEZE: {"compliance"},
    STAFF: {"maker", "checker", "compliance"},
    STAFF_READ: {"maker", "checker", "compliance", "auditor"},
    ASKER: set(),  # whoever asked for it, see test_approvals
    SANDBOX: {"superuser", "service", "maker", "checker", "compliance", "auditor"},
}
_HIDDEN = {OWN: {"stranger"}, ACT_OWN: {"stranger"}}  # 404 where another role would get 403

MATRIX: dict[str, dict[str, int]] = {
    "/": {"GET": OPEN},
    "/healthz": {"GET": OPEN},
    "/readyz": {"GET": OPEN},
    "/metrics": {"GET": OPEN},
    "/api/schema/": {"GET": OPEN},
    "/api/docs/": {"GET": OPEN},
    "/api/v1/tokens": {"POST": OPEN},
    "/api/v1/tokens/current": {"DELETE": SIGNED_IN},
    "/api/v1/transfers": {"GET": READ, "POST": ACT},
    "/api/v1/transfers/check": {"POST": ACT},
    "/api/v1/transfers/bulk": {"POST": BULK},
    "/api/v1/transfers/<transfer>": {"GET": OWN},
    "/api/v1/transfers/<transfer>/events": {"GET": OWN},
    "/api/v1/transfers/<transfer>/cancel": {"POST": ACT_OWN},
    "/api/v1/transfers/<transfer>/approve": {"POST": DECIDE},
    "/api/v1/transfers/<transfer>/reject": {"POST": DECIDE},
    "/api/v1/transfers/<transfer>/hold": {"POST": OPERATE},
    "/api/v1/transfers/<transfer>/release": {"POST": DECIDE},
    "/api/v1/transfers/<transfer>/freeze": {"POST": FREEZE},
    "/api/v1/transfers/<transfer>/override": {"POST": STAFF},
    "/api/v1/transfers/<transfer>/refund": {"POST": OPERATE},
    "/api/v1/transfers/<transfer>/retry": {"POST": OPERATE},
    "/api/v1/approvals": {"GET": STAFF_READ},
    "/api/v1/approvals/<approval>": {"GET": STAFF_READ},
    "/api/v1/approvals/<approval>/approve": {"POST": DECIDE},
    "/api/v1/approvals/<approval>/reject": {"POST": DECIDE},
    "/api/v1/approvals/<approval>/withdraw": {"POST": ASKER},
    "/api/v1/accounts": {"GET": READ},
    "/api/v1/accounts/<account>": {"GET": OWN},
    "/api/v1/accounts/<account>/balance": {"GET": OWN},
    "/api/v1/funds": {"GET": READ},
    "/api/v1/funds/<fund>": {"GET": READ},
    "/api/v1/allocations": {"GET": READ},
    "/api/v1/events": {"GET": READ},
    "/api/v1/notifications": {"GET": READ},
    "/api/v1/callbacks/<institution>": {"POST": OPEN},
    "/api/v1/simulations/clock/advance": {"POST": SANDBOX},
    "/api/v1/simulations/faults": {"POST": SANDBOX},
    "/api/v1/simulations/movements": {"POST": SANDBOX},
    "/api/v1/simulations/transfers/<transfer>/faults": {"POST": SANDBOX},
    "/api/v1/simulations/transfers/<transfer>/time-out": {"POST": SANDBOX},
    "/api/v1/simulations/transfers/<transfer>/settle": {"POST": SANDBOX},
    "/api/v1/simulations/transfers/<transfer>/reject": {"POST": SANDBOX},
    "/api/v1/simulations/transfers/<transfer>/return": {"POST": SANDBOX},
}


def routes(resolver: URLResolver, prefix: str = "/") -> Iterator[tuple[str, Any]]:
    for entry in resolver.url_patterns:
        path = prefix + str(entry.pattern).replace("str:", "").replace("slug:", "")
        if path.startswith("/admin/"):
            continue
        if isinstance(entry, URLResolver):
            yield from routes(entry, path)
        else:
            assert isinstance(entry, URLPattern)
            yield path, entry.callback


ROUTES = dict(routes(get_resolver()))


def test_the_table_lists_every_route_and_no_other() -> None:
    assert set(MATRIX) == set(ROUTES)


def test_the_table_lists_every_method_of_every_view() -> None:
    for path, callback in ROUTES.items():
        view = getattr(callback, "cls", None)
        if view is None:
            continue
        offered = {method for method in METHODS if hasattr(view, method.lower())}
        assert offered & {name.upper() for name in view.http_method_names} == set(MATRIX[path]), path


@pytest.fixture
def visitors(world: World) -> dict[str, Any]:
    stranger = factories.make_login(Role.INVESTOR)
    factories.make_investor(user=stranger)
    logins = {
        "anonymous": None,
        "nobody": factories.make_login(),
        "superuser": factories.make_login(is_superuser=True, is_staff=True, username="root"),
        "owner": world.user,
        "stranger": stranger,
        **{role: factories.make_login(Role(role)) for role in sorted(_FIRM)},
    }
    return {name: factories.client_of(user) for name, user in logins.items()}


@pytest.mark.parametrize("path", MATRIX)
def test_a_route_lets_in_whom_the_table_names(path: str, world: World, visitors: dict[str, Any]) -> None:
    transfer = factories.make_transfer(world.account, world.fund)
    waiting = factories.make_transfer(world.account, factories.make_fund(bank=world.bank, second_person_above=1))
    address = (
        path.replace("<transfer>", transfer.public_id)
        .replace("<account>", world.account.public_id)
        .replace("<fund>", world.fund.public_id)
        .replace("<institution>", "meridian")
        .replace("<approval>", Approval.objects.get(subject_id=waiting.id).public_id)
    )
    for method in METHODS:
        kind = MATRIX[path].get(method)
        for name, client in visitors.items():
            answer = client.generic(method, address, b"{}", content_type="application/json", headers=fresh_key())
            where = f"{method} {path} as {name}: {answer.status_code} {answer.content[:300]!r}"
            assert answer.status_code < 500 or path == "/readyz", where
            if kind is None:
                assert answer.status_code == 405, where
            elif name in _HIDDEN.get(kind, ()):
                assert answer.status_code == 404, where
            elif name in _SEEN[kind]:
                refused = (403, 404, 405) if kind == OPEN else (401, 403, 404, 405)
                assert answer.status_code not in refused, where
            else:
                assert answer.status_code == (401 if name == "anonymous" else 403), where


def test_a_view_that_lists_no_roles_is_closed_to_everybody(world: World) -> None:
    class Forgotten(BridgeView):
        def get(self, request: Any) -> Response:
            return Response({})

    for role in Role:
        if role in (Role.SYSTEM, Role.INSTITUTION):
            continue
        _, token = AuthToken.objects.create(factories.make_login(role))
        request = APIRequestFactory().get("/", headers={"Authorization": f"Bearer {token}"})
        assert Forgotten.as_view()(request).status_code == 403


class TestTheTableInTheDocument:
    """The verbs of docs/API.md, against what the views allow."""

    def rows(self) -> Iterator[tuple[str, set[str]]]:
        page = (Path(settings.BASE_DIR) / "docs/API.md").read_text()
        table = page.partition("| verb | while | who |\n|---|---|---|\n")[2].partition("\n\n")[0]
        for line in table.splitlines():
            verbs, _, who = line.strip("| ").split(" | ")
            roles = {role.value for role in Role if re.search(rf"\b{role.value}\b", who.partition(";")[0])}
            for verb in re.findall(r"`(\w+)`", verbs.partition(" with ")[0]):
                yield verb, roles

    def test_names_the_roles_that_the_views_allow(self) -> None:
        told: dict[str, set[str]] = {}
        for verb, roles in self.rows():
            told.setdefault(verb, set()).update(roles)
        allowed = {
            verb: {role.value for role in resolve(f"/api/v1/transfers/trf_1/{verb}").func.view_class.allowed["POST"]}  # type: ignore[attr-defined]
            for verb in told
        }
        assert told == allowed
        assert len(told) == sum(path.startswith("/api/v1/transfers/<transfer>/") for path in MATRIX) - 1  # but /events

    def test_a_superuser_without_a_role_and_approvals_for_services_are_told(self) -> None:
        page = " ".join((Path(settings.BASE_DIR) / "docs/API.md").read_text().split())
        assert ("services everything but approvals" in page) is ("service" not in _SEEN[STAFF_READ])
        assert ("A login without a role, a superuser too, reads nothing" in page) is ("superuser" not in _SEEN[READ])
