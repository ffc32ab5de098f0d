"""Changing investors and their accounts."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain

from django.db import transaction

from accounts.ledger import services as ledger
from accounts.ledger.kinds import INVESTOR_KINDS
from accounts.models import BalanceObservation, Credential, Investor, InvestorAccount
from bridge.events import services as events
from bridge.kernel import bulk, clock, crypto, ids
from bridge.kernel import rows as kernel_rows
from bridge.kernel.bank_details import plain_number
from bridge.kernel.errors import BridgeError, NotFound
from bridge.kernel.gateway import Balance
from bridge.kernel.money import is_money
from bridge.kernel.results import Actor


@dataclass(frozen=True, slots=True)
class NewInvestor:
    kind: str
    legal_name: str
    email: str = ""
    country: str = "US"
    user_id: int | None = None


@dataclass(frozen=True, slots=True)
class NewAccount:
    """`account_number` in clear; it is sealed at once and only its last four characters are shown."""

    investor_id: uuid.UUID
    institution: str
    name: str
    currency: str
    account_number: str
    routing_number: str = ""
    rail: str = ""


class UnknownCurrency(BridgeError):
    code = "unknown_currency"
    status = 422
    title = "Unknown currency"
    message = "'{currency}' is no currency of ISO 4217 in which an account can be kept."


class AccountNumberTaken(BridgeError):
    code = "account_number_taken"
    status = 409
    title = "Account number already in use"
    message = "{institution} account ···{last4} is already registered."


def open_investors(*, rows: Sequence[NewInvestor], actor: Actor) -> list[Investor]:
    """Register investors, with an event each."""
    with transaction.atomic():
        moment = clock.now()
        investors = [
            Investor(
                id=ids.new_id(),
                kind=row.kind,
                legal_name=row.legal_name,
                email=row.email,
                country=row.country,
                user_id=row.user_id,
                created_at=moment,
            )
            for row in rows
        ]
        Investor.objects.bulk_create(investors)
        facts = [
            events.Fact("investor", investor.id, "investor.opened", investor.status, investor.version)
            for investor in investors
        ]
        events.append(facts=facts, actor=actor, at=moment)
    return investors


def open_accounts(*, rows: Sequence[NewAccount], actor: Actor) -> list[InvestorAccount]:
    """Register accounts and open their ledger accounts, with an event each.

    Numbers are kept as they come: whether they can be right is for the rule `bank_number`, and for the forms that
    people fill in. Raises `UnknownCurrency`, `NotFound` for an investor, `AccountNumberTaken`; then none is opened.
    """
    with transaction.atomic():
        moment = clock.now()
        known = set(Investor.objects.filter(pk__in={row.investor_id for row in rows}).values_list("pk", flat=True))
        accounts = [_new_account(row, known, moment) for row in rows]
        indexes = [crypto.blind_indexes(row.account_number) for row in rows]
        taken = InvestorAccount.objects.filter(number_index__in=chain.from_iterable(indexes))
        pairs = set(taken.values_list("institution", "number_index"))
        for account, known_as in zip(accounts, indexes, strict=True):
            if any((account.institution, index) in pairs for index in known_as):
                raise AccountNumberTaken(institution=account.institution, last4=account.number_last4)
            pairs.add((account.institution, account.number_index))
        InvestorAccount.objects.bulk_create(accounts)
        ledger.open_accounts(owners=[(account.id, account.currency) for account in accounts], kinds=INVESTOR_KINDS)
        facts = [
            events.Fact(
                "account",
                account.id,
                "account.opened",
                account.status,
                account.version,
                {
                    "investor": account.investor_id,
                    "institution": account.institution,
                    "currency": account.currency,
                    "last4": account.number_last4,
                },
            )
            for account in accounts
        ]
        events.append(facts=facts, actor=actor, at=moment)
    return accounts


def _new_account(row: NewAccount, known: set[uuid.UUID], moment: datetime) -> InvestorAccount:
    if not is_money(row.currency):
        raise UnknownCurrency(currency=row.currency)
    if row.investor_id not in known:
        raise NotFound(what="investor")
    account = InvestorAccount(
        id=ids.new_id(),
        investor_id=row.investor_id,
        institution=row.institution,
        name=row.name,
        currency=row.currency,
        routing_number=row.routing_number,
        rail=row.rail,
        created_at=moment,
    )
    account.set_number(plain_number(row.account_number))
    return account


def observed(*, seen: Sequence[tuple[InvestorAccount, Balance]], fetched_at: datetime) -> list[BalanceObservation]:
    """Balances as institutions gave them, not yet stored. The accounts are as they were read before the institutions
    were asked: their total of acknowledged withdrawals then is what these balances are sure to know."""
    return [
        kernel_rows.new(
            BalanceObservation,
            {
                "account_id": account.id,
                "available": balance.available,
                "current": balance.current,
                "acknowledged_before": account.withdrawals_acknowledged,
                "fetched_at": fetched_at,
            },
        )
        for account, balance in seen
    ]


def keep_observations(*, rows: Sequence[BalanceObservation]) -> None:
    """Store what `observed` made, with one statement."""
    bulk.insert(BalanceObservation, list(rows))


def store_credential(*, institution: str, name: str, secret: str, actor: Actor) -> Credential:
    """Seal a secret that an institution gave us; older ones of that name stay valid until they are revoked."""
    with transaction.atomic():
        moment = clock.now()
        credential = Credential(id=ids.new_id(), institution=institution, name=name, created_at=moment)
        credential.set_secret(secret)
        credential.save(force_insert=True)
        fact = events.Fact(
            "credential", credential.id, "credential.stored", data={"institution": institution, "name": name}
        )
        events.append(facts=[fact], actor=actor, at=moment)
    return credential


def revoke_credential(*, credential_id: uuid.UUID, actor: Actor) -> Credential:
    """From now on it is not used. Raises `NotFound`."""
    with transaction.atomic():
        moment = clock.now()
        credential = Credential.objects.select_for_update(no_key=True).filter(pk=credential_id).first()
        if credential is None:
            raise NotFound(what="credential")
        if credential.revoked_at is None:
            credential.revoked_at = moment
            credential.save(update_fields=["revoked_at"])
            fact = events.Fact(
                "credential", credential.id, "credential.revoked", data={"institution": credential.institution}
            )
            events.append(facts=[fact], actor=actor, at=moment)
    return credential
