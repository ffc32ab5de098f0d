"""Asking institutions for balances: outside any transaction, once per account, several at a time."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor

from accounts import services
from accounts.gateway.registry import gateway_for
from accounts.models import BalanceObservation, InvestorAccount
from bridge.kernel import clock
from bridge.kernel.gateway import AccountRef, Balance, GatewayUnavailable
from bridge.kernel.transactions import require_no_transaction

AT_ONCE = 8

logger = logging.getLogger(__name__)


def observe(*, account_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, BalanceObservation]:
    """Ask for each balance and store what was said. An account whose institution does not answer is left out.

    Raises `RuntimeError` inside a transaction: no network there.
    """
    require_no_transaction()
    accounts = list(InvestorAccount.objects.filter(pk__in=set(account_ids)).order_by("pk"))
    if not accounts:
        return {}
    moment = clock.now()  # before the calls, as are the totals just read: what they miss, we subtract
    balances = _ask(accounts)
    return services.record_observations(
        seen=[(account, balances[account.id]) for account in accounts if account.id in balances], fetched_at=moment
    )


def _ask(accounts: list[InvestorAccount]) -> dict[uuid.UUID, Balance]:
    if len(accounts) == 1:
        answers = [_one(accounts[0])]
    else:
        with ThreadPoolExecutor(min(AT_ONCE, len(accounts))) as pool:
            answers = list(pool.map(_one, accounts))
    return {account.id: answer for account, answer in zip(accounts, answers, strict=True) if answer is not None}


def _one(account: InvestorAccount) -> Balance | None:
    reference = AccountRef(
        institution=account.institution,
        account_number=account.reveal_number(),
        routing_number=account.routing_number,
        currency=account.currency,
    )
    try:
        return gateway_for(account.institution).balance(reference)
    except GatewayUnavailable as error:
        logger.warning("no balance: %s", error)
        return None
