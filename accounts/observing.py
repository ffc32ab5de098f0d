"""Asking institutions for balances: outside any transaction, once per account, several at a time."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from datetime import datetime
from operator import attrgetter

from accounts import services
from accounts.gateway.registry import gateway_for
from accounts.models import BalanceObservation, InvestorAccount
from bridge.kernel import clock, compiled, pool
from bridge.kernel.gateway import AccountRef, Balance, GatewayUnavailable
from bridge.kernel.transactions import require_no_transaction

AT_ONCE = 8
PATIENCE = 5

logger = logging.getLogger(__name__)


def observe(
    *,
    account_ids: Iterable[uuid.UUID],
    at: datetime | None = None,
    heard: dict[str, list[bool]] | None = None,
    patience: int = PATIENCE,
    keep: bool = True,
) -> dict[uuid.UUID, BalanceObservation]:
    """Ask for each balance and store what was said. An account whose institution does not answer is left out, and
    after `patience` calls in a row without an answer its others are not asked. `heard` takes, per institution, whether
    each call was answered. `at`: the time, where the caller has just asked for it. `keep`: False where the caller
    stores what was said with what it does next (`services.keep_observations`), in one commit.

    Raises `RuntimeError` inside a transaction: no network there.
    """
    require_no_transaction()
    accounts = sorted(compiled.by_key(InvestorAccount, set(account_ids)), key=attrgetter("id"))
    if not accounts:
        return {}
    moment = at or clock.now()  # before the calls, as are the totals just read: what they miss, we subtract
    balances = _ask(accounts, {} if heard is None else heard, patience)
    observed = services.observed(
        seen=[(account, balances[account.id]) for account in accounts if account.id in balances], fetched_at=moment
    )
    if keep:
        services.keep_observations(rows=observed)
    return {row.account_id: row for row in observed}


def _ask(accounts: list[InvestorAccount], heard: dict[str, list[bool]], patience: int) -> dict[uuid.UUID, Balance]:
    for account in accounts:
        heard.setdefault(account.institution, [])
    answers = pool.each(lambda account: _one(account, heard[account.institution], patience), accounts, at_once=AT_ONCE)
    return {account.id: answer for account, answer in zip(accounts, answers, strict=True) if answer is not None}


def _one(account: InvestorAccount, heard: list[bool], patience: int) -> Balance | None:
    if len(heard) >= patience and not any(heard[-patience:]):
        return None
    reference = AccountRef(
        institution=account.institution,
        account_number=account.reveal_number(),
        routing_number=account.routing_number,
        currency=account.currency,
    )
    try:
        balance = gateway_for(account.institution).balance(reference)
    except GatewayUnavailable as error:
        heard.append(error.answered)
        logger.warning("no balance: %s", error)
        return None
    heard.append(True)
    return balance
