"""A fund that is a draft is the firm's own matter: an investor who has its id learns nothing from it."""

from __future__ import annotations

import pytest

from bridge.kernel.results import Role
from tests import factories
from tests.functional.api.conftest import World, fresh_key
from transfers.models import Transfer


@pytest.mark.parametrize("route", ["/api/v1/transfers", "/api/v1/transfers/check"])
def test_is_answered_like_a_fund_that_does_not_exist(world: World, route: str) -> None:
    draft = factories.make_fund(bank=world.bank, status="draft")
    known = world.client.post(route, world.body(fund=draft.public_id), headers=fresh_key())
    unknown = world.client.post(route, world.body(fund=factories.typeid("fund")), headers=fresh_key())
    assert known.status_code == unknown.status_code == 422
    said, other = known.json(), unknown.json()
    for document in (said, other):
        document.pop("request_id")
    assert said == other
    assert not Transfer.objects.exists()


def test_the_firm_sees_why_its_own_draft_takes_nothing(world: World) -> None:
    draft = factories.make_fund(bank=world.bank, status="draft")
    body = world.request(world.login(Role.SERVICE), fund=draft.public_id)
    assert body["state"] == "rejected"
