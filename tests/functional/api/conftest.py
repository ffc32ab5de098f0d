from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache import cache
from rest_framework.test import APIClient

from bridge.kernel import clock, ids, invariants
from bridge.kernel.results import Role
from tests import factories
from transfers.engine import drain
from transfers.models import Transfer
from transfers.states import State

_keys = itertools.count(1)


def fresh_key() -> dict[str, str]:
    return {"Idempotency-Key": f"key-{next(_keys)}"}


class World:
    """One investor with an account, an open fund, and a bank that answers."""

    def __init__(self, bank: factories.TestBank) -> None:
        self.bank = bank
        self.user = factories.make_login(Role.INVESTOR)
        self.investor = factories.make_investor(user=self.user)
        self.account = factories.make_account(self.investor, bank=bank)
        self.fund = factories.make_fund(bank=bank)
        self.client = factories.client_of(self.user)

    def login(self, *roles: Role) -> APIClient:
        return factories.client_of(factories.make_login(*roles))

    def body(self, **changes: Any) -> dict[str, Any]:
        body = {
            "source_account": self.account.public_id,
            "fund": self.fund.public_id,
            "amount": 250_000,
            "currency": "USD",
        }
        return {name: value for name, value in {**body, **changes}.items() if value is not ...}

    def request(self, client: APIClient | None = None, **changes: Any) -> Any:
        """Request a transfer over HTTP; its answer's JSON."""
        answer = (client or self.client).post("/api/v1/transfers", self.body(**changes), headers=fresh_key())
        assert answer.status_code == 201, answer.content
        return answer.json()


def bring_in(world: World, *, rounds: int = 10) -> Transfer:
    """A transfer of the world's investor whose money is with us and stays: its fund's escrow waits for more."""
    fund = factories.make_fund(bank=world.bank, escrow_minimum=10**12)
    found = ids.decode("transfer", world.request(fund=fund.public_id, amount=1_000)["id"])
    for _ in range(rounds):
        drain()
        row = Transfer.objects.get(pk=found)
        if row.state == State.WITHDRAWN:
            return row
        clock.advance(by=timedelta(seconds=60))
        world.bank.offset += timedelta(seconds=60)
    raise AssertionError("its money did not come in")


@pytest.fixture(autouse=True)
def _fresh_limits() -> None:
    """The cache outlives a test's transaction."""
    cache.clear()


@pytest.fixture
def bank() -> Iterator[factories.TestBank]:
    with factories.TestBank().open() as bank:
        yield bank


@pytest.fixture
def world(db: None, bank: factories.TestBank) -> Iterator[World]:
    yield World(bank)
    broken = [verdict for verdict in invariants.verify_all() if not verdict.holds]
    assert not broken
