"""People, accounts, funds and a bank for tests, opened through the same services that the firm uses.

Every call makes fresh ones: no test shares people with another.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.contrib.auth.models import Group, User
from django.test import Client
from knox.models import AuthToken
from rest_framework.test import APIClient

from accounts import services as accounts
from accounts.gateway import registry as investor_gateways
from accounts.models import Investor, InvestorAccount
from bridge.kernel import ids
from bridge.kernel.results import Actor, Channel, Role
from bridge.sandbox.inprocess import InProcessBank
from bridge.sandbox.model import Account, Bank, Books, InstitutionSettings, Owner, Rail, Settings
from funds import services as funds
from funds.gateway import registry as fund_gateways
from funds.models import Fund
from transfers import services as transfers
from transfers.facts import gather
from transfers.models import Transfer

SETUP = Actor(id="setup", role=Role.SYSTEM, channel=Channel.COMMAND, label="Test setup")
ROUTING = "021000021"
INVESTORS_BANK, FUNDS_BANK = "meridian", "harbor"
STAFF = (Role.MAKER, Role.CHECKER, Role.COMPLIANCE, Role.AUDITOR)
PASSWORD = "a long enough pass phrase"
_numbers = itertools.count(1)


class TestBank:
    """The sandbox bank's model in this process, behind both registries of gateways while `open`."""

    __test__ = False  # not a test case, in spite of its name

    def __init__(self, *, delay: float = 0.0) -> None:
        rails = {"wire": Rail(delay_seconds=delay)}
        houses = {code: InstitutionSettings(name=code, rails=rails) for code in (INVESTORS_BANK, FUNDS_BANK)}
        self.books = Books(seed="7", settings=Settings(institutions=houses))
        self.bank = Bank(self.books)
        self.offset = timedelta(0)
        self.house = InProcessBank(self.bank, clock=lambda: datetime.now(UTC) + self.offset)

    @contextmanager
    def open(self) -> Iterator[TestBank]:
        gateway: Callable[[str], Any] = self.house.gateway
        with (
            investor_gateways.use_gateways({INVESTORS_BANK: gateway(INVESTORS_BANK)}),
            fund_gateways.use_gateways({FUNDS_BANK: gateway(FUNDS_BANK)}),
        ):
            yield self

    def add(self, *, institution: str, number: str, currency: str, owner: Owner, balance: int = 0) -> None:
        account = Account(institution, number, ROUTING, currency, owner)
        self.books.accounts[institution, number] = account
        self.books.settlement(currency)
        self.books.move(self.books.outside(currency), account, balance)


def make_login(*roles: Role, username: str = "", **fields: Any) -> User:
    """A login with these roles; people of the firm may enter the admin."""
    username = username or f"{'-'.join(roles) or 'nobody'}-{next(_numbers)}"
    staff = any(role in STAFF for role in roles)
    user = User.objects.create_user(username, password=PASSWORD, **{"is_staff": staff, **fields})
    user.groups.set([Group.objects.get_or_create(name=str(role))[0] for role in roles])
    return user


def make_investor(*, user: User | None = None, **fields: Any) -> Investor:
    number = next(_numbers)
    row = accounts.NewInvestor(
        **{
            "kind": Investor.Kind.NATURAL_PERSON,
            "legal_name": f"Investor {number}",
            "email": f"investor{number}@example.com",
            "user_id": user.pk if user else None,
            **fields,
        }
    )
    (investor,) = accounts.open_investors(rows=[row], actor=SETUP)
    return investor


def make_account(
    investor: Investor, *, bank: TestBank | None = None, balance: int = 10_000_000, currency: str = "USD"
) -> InvestorAccount:
    """An account with `balance` minor units at the bank, where one is given."""
    number = f"77{next(_numbers):08d}"
    row = accounts.NewAccount(
        investor_id=investor.id,
        institution=INVESTORS_BANK,
        name="Cash account",
        currency=currency,
        account_number=number,
        routing_number=ROUTING,
    )
    (account,) = accounts.open_accounts(rows=[row], actor=SETUP)
    if bank is not None:
        bank.add(institution=INVESTORS_BANK, number=number, currency=currency, owner=Owner.INVESTOR, balance=balance)
    return account


def make_fund(*, bank: TestBank | None = None, **fields: Any) -> Fund:
    """An open fund without limits, unless `fields` say otherwise."""
    number = next(_numbers)
    row = funds.NewFund(
        **{
            "code": f"fund-{number}",
            "name": f"Fund {number}",
            "kind": Fund.Kind.CREDIT,
            "currency": "USD",
            "institution": FUNDS_BANK,
            "account_number": f"88{number:08d}",
            "routing_number": ROUTING,
            "status": Fund.Status.OPEN,
            "opens_at": datetime(2020, 1, 1, tzinfo=UTC),
            **fields,
        }
    )
    (fund,) = funds.open_funds(rows=[row], actor=SETUP)
    if bank is not None:
        bank.add(institution=FUNDS_BANK, number=row.account_number, currency=row.currency, owner=Owner.FUND)
    return fund


def make_transfer(
    account: InvestorAccount, fund: Fund, *, amount: int = 100_000, actor: Actor = SETUP, external_id: str = ""
) -> Transfer:
    """A transfer as its verification leaves it. Needs an open bank."""
    wanted = transfers.TransferRequest(account.id, fund.id, amount, account.currency, external_id)
    facts = gather(account_ids=[account.id], max_age=0)
    results: Any = transfers.request_transfers(requests=[wanted], actor=actor, facts=facts)
    return Transfer.objects.get(pk=results[0].id)


def client_of(user: User | None) -> APIClient:
    """An HTTP client that signs in with a fresh token, or with none."""
    client = APIClient(raise_request_exception=False)
    if user is not None:
        _, token = AuthToken.objects.create(user)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def plain_client(user: User) -> Client:
    """Like `client_of`, for bodies that are sent as they are."""
    _, token = AuthToken.objects.create(user)
    return Client(raise_request_exception=False, headers={"Authorization": f"Bearer {token}"})


def typeid(kind: str) -> str:
    """A well-formed id that nobody has."""
    return ids.encode(kind, ids.new_id())
