"""Investors, accounts and funds to move money between, opened through the firm's own services, and their requests."""

from __future__ import annotations

import itertools
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from bridge.kernel.results import Actor, Channel, Role

ROUTING = "021000021"
SETUP = Actor("benchmark", Role.SERVICE, Channel.COMMAND)
AT_ONCE = 500  # rows per call of a service
_amounts = itertools.count(1_000_00)  # none twice: a repeated amount looks like a duplicate to the rules
_turns = itertools.count()


@dataclass(frozen=True, slots=True)
class People:
    """Ids. One request per account and sample, so that no account's order holds up a batch."""

    accounts: Sequence[uuid.UUID]
    funds: Sequence[uuid.UUID]

    @property
    def hot(self) -> Sequence[uuid.UUID]:
        return self.funds[:1]


def settle_in(*, accounts: int, funds: int) -> People:
    """Open everything in an empty, migrated database."""
    from accounts import services as accounts_of
    from funds import services as funds_of

    opened = []
    for start in range(0, accounts, AT_ONCE):
        numbers = range(start, min(start + AT_ONCE, accounts))
        investors = accounts_of.open_investors(
            rows=[accounts_of.NewInvestor("natural_person", f"Investor {n}") for n in numbers], actor=SETUP
        )
        opened += accounts_of.open_accounts(
            rows=[
                accounts_of.NewAccount(investor.id, "meridian", "Cash account", "USD", f"77{n:08d}", ROUTING)
                for n, investor in zip(numbers, investors, strict=True)
            ],
            actor=SETUP,
        )
    made = funds_of.open_funds(rows=[_fund(n) for n in range(funds)], actor=SETUP)
    return People([account.id for account in opened], [fund.id for fund in made])


def known() -> People:
    """Those of a database that `settle_in` filled in an earlier process. Amounts go on where nobody asked today."""
    global _amounts  # noqa: PLW0603
    from accounts.models import InvestorAccount
    from funds.models import Fund

    _amounts = itertools.count(2_000_00 + int(time.time()) % 86_400 * 200)
    accounts, funds = InvestorAccount.objects.order_by("pk"), Fund.objects.order_by("pk")
    return People(list(accounts.values_list("pk", flat=True)), list(funds.values_list("pk", flat=True)))


def _fund(number: int) -> Any:
    from funds.services import NewFund

    return NewFund(
        code=f"bench-{number}",
        name=f"Fund {number}",
        kind="credit",
        currency="USD",
        institution="harbor",
        account_number=f"88{number:08d}",
        routing_number=ROUTING,
        status="open",
        opens_at=datetime(2020, 1, 1, tzinfo=UTC),
        minimum=1_000_00,
        seat_limit=1_000_000,
        hard_cap=10**15,
    )


def requests(people: People, funds: Sequence[uuid.UUID], count: int) -> list[Any]:
    """`count` requests, over accounts and funds in turn: the next call goes on where this one ends."""
    from transfers.services import TransferRequest

    accounts = people.accounts
    turns = itertools.islice(_turns, count)
    return [TransferRequest(accounts[n % len(accounts)], funds[n % len(funds)], next(_amounts), "USD") for n in turns]


def fill(people: People, funds: Sequence[uuid.UUID], count: int) -> float:
    """Request so many transfers through the intake service, all approved; returns rows per second."""
    from transfers import facts, services
    from transfers.policy import policy

    wanted = requests(people, funds, count)
    began = time.perf_counter()
    for start in range(0, count, AT_ONCE):
        part = wanted[start : start + AT_ONCE]
        known = facts.gather(
            account_ids={request.source_account_id for request in part}, max_age=policy().balance_age_create
        )
        results = services.request_transfers(requests=part, actor=SETUP, facts=known)
        wrong = [result for result in results if getattr(result, "state", "") != "approved"]
        if wrong:
            raise RuntimeError(f"{len(wrong)} requests were not approved, such as {wrong[0]}")
    return count / (time.perf_counter() - began)
