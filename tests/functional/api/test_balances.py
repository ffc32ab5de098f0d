"""A balance that is kept is shown without asking the database whose it is, and to nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from bridge.kernel.results import Role
from tests import factories
from tests.functional.api.conftest import World


def read(world: World, client: Any) -> Any:
    return client.get(f"/api/v1/accounts/{world.account.public_id}/balance")


@pytest.mark.parametrize("role", [Role.INVESTOR, Role.SERVICE])
def test_a_kept_balance_costs_the_sign_in_alone(world: World, role: Role) -> None:
    client = world.client if role == Role.INVESTOR else world.login(role)
    first = read(world, client).json()
    with CaptureQueriesContext(connection) as seen:
        again = read(world, client).json()
    assert [query["sql"].count("knox_authtoken") > 0 for query in seen.captured_queries] == [True]
    assert (first["source"], again["source"]) == ("institution", "cache")
    assert first["as_of"].endswith("Z")
    assert again == {**first, "source": "cache"}
    assert "owner" not in again


def test_a_kept_balance_is_not_shown_to_somebody_else(world: World) -> None:
    user = factories.make_login(Role.INVESTOR)
    factories.make_investor(user=user)
    assert read(world, world.client).status_code == 200
    assert read(world, factories.client_of(user)).status_code == 404
    assert read(world, world.client).json()["source"] == "cache"


def test_a_kept_balance_follows_its_investor_to_another_login(
    world: World, django_capture_on_commit_callbacks: Any
) -> None:
    assert read(world, world.client).status_code == 200
    world.investor.user = user = factories.make_login(Role.INVESTOR)
    with django_capture_on_commit_callbacks(execute=True):
        world.investor.save()
    assert read(world, world.client).status_code == 404
    assert read(world, factories.client_of(user)).json()["source"] == "institution"
