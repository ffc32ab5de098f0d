"""Filling an empty sandbox: logins, investors, accounts with money at the bank, funds. What is there stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib.auth.models import User
from django.db import connection, transaction

from accounts import services as accounts
from bridge.kernel import clock
from bridge.kernel.errors import BridgeError
from bridge.kernel.results import Actor, Channel, Role
from bridge.management.demo import catalogue, logins, names
from bridge.management.demo.catalogue import FUNDS_BANK, INVESTORS_BANK, ROUTING
from bridge.management.demo.names import DemoInvestor
from bridge.sandbox.client import SandboxControl
from bridge.sandbox.wire import CONTROL, derive_credentials
from funds import services as funds
from funds.models import Fund

ACTOR = Actor(id="demo_data", role=Role.SYSTEM, channel=Channel.COMMAND, label="Demo data")
_LOCK = 0x64656D6F  # one filler at a time
FOR_EACH_LOGIN = 3  # investors for whom a login acts


class NotASandbox(BridgeError):
    code = "not_a_sandbox"
    status = 409
    title = "Not a sandbox"
    message = "Demo logins and demo data are for the embedded sandbox only; this is neither (BRIDGE_SANDBOX_MODE)."


@dataclass(frozen=True, slots=True)
class Filled:
    """What was made; zeros where it was there already."""

    logins: int = 0
    investors: int = 0
    accounts: int = 0
    funds: int = 0


def require_sandbox() -> None:
    """Raises `NotASandbox` anywhere but in an embedded installation whose clock may be moved."""
    if not settings.BRIDGE_SANDBOX_MODE or getattr(settings, "PLACES", None) is None:
        raise NotASandbox


def bank_control() -> SandboxControl:
    """The sandbox bank's control routes."""
    keys = derive_credentials(settings.BRIDGE_SANDBOX_SECRET, CONTROL)
    return SandboxControl(settings.BRIDGE_SANDBOX_URL, keys.api_key, keys.secret)


def ensure(*, control: Callable[[], SandboxControl] = bank_control) -> Filled:
    """Make what is missing, all or nothing, and write the table of logins. Safe to repeat and to run twice at once.

    Raises `NotASandbox`, and `ControlRefused` where the sandbox bank does not answer.
    """
    require_sandbox()
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [_LOCK])
        before = User.objects.count()
        people = logins.ensure_logins()
        filled = Filled(logins=User.objects.count() - before)
        if not Fund.objects.filter(code=catalogue.FLAGSHIP).exists():
            filled = _fill(people, control(), filled)
    logins.write_table(settings.PLACES.state / "demo_logins.json")
    return filled


def _fill(people: dict[str, User], bank: SandboxControl, filled: Filled) -> Filled:
    investors = names.investors()
    offers = catalogue.funds(clock.now())
    # The bank first: what it has and we do not know harms nobody, and a second attempt sets the same balances.
    bank.call("POST", "/control/accounts", {"accounts": [*_at_the_bank(investors), *_for_funds(offers)]})
    owners = [people[login.username] for login in logins.with_role(Role.INVESTOR)]
    opened = accounts.open_investors(
        rows=[
            accounts.NewInvestor(
                kind=row.kind,
                legal_name=row.legal_name,
                email=row.email,
                country=row.country,
                user_id=owners[number % len(owners)].pk if number < FOR_EACH_LOGIN * len(owners) else None,
            )
            for number, row in enumerate(investors)
        ],
        actor=ACTOR,
    )
    rows = [
        accounts.NewAccount(
            investor_id=investor.id,
            institution=INVESTORS_BANK,
            name=account.name,
            currency=account.currency,
            account_number=account.number,
            routing_number=ROUTING[INVESTORS_BANK],
        )
        for investor, row in zip(opened, investors, strict=True)
        for account in row.accounts
    ]
    accounts.open_accounts(rows=rows, actor=ACTOR)
    funds.open_funds(rows=offers, actor=ACTOR)
    return Filled(filled.logins, len(opened), len(rows), len(offers))


def _at_the_bank(investors: list[DemoInvestor]) -> list[dict[str, Any]]:
    return [
        {
            "institution": INVESTORS_BANK,
            "number": account.number,
            "routing": ROUTING[INVESTORS_BANK],
            "currency": account.currency,
            "owner": "investor",
            "balance": account.balance,
        }
        for investor in investors
        for account in investor.accounts
    ]


def _for_funds(offers: list[funds.NewFund]) -> list[dict[str, Any]]:
    return [
        {
            "institution": FUNDS_BANK,
            "number": fund.account_number,
            "routing": fund.routing_number,
            "currency": fund.currency,
            "owner": "fund",
        }
        for fund in offers
    ]
