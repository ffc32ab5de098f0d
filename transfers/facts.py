"""Gathering what only a bank can tell: the one step that may ask it, outside any transaction.

Services take the result; they read everything else under their own locks.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import timedelta

from accounts.models import BalanceObservation, InvestorAccount
from accounts.observing import observe
from accounts.queries import newest_observations
from bridge.kernel import clock
from transfers.controls import circuits


@dataclass(frozen=True, slots=True)
class Facts:
    """The newest balance of each account as its institution gave it. An account that is missing is not known."""

    observations: dict[uuid.UUID, BalanceObservation] = field(default_factory=dict)


def gather(*, account_ids: Iterable[uuid.UUID], max_age: int) -> Facts:
    """Balances at most `max_age` seconds old, asked once per account where what we have is older.

    An institution that does not answer leaves us with what we have; the rules judge its age.
    """
    wanted = set(account_ids)
    moment = clock.now()
    known = newest_observations(wanted)
    oldest = moment - timedelta(seconds=max_age)
    stale = [account_id for account_id in wanted if account_id not in known or known[account_id].fetched_at < oldest]
    shut = circuits.open_until() if stale else {}
    if shut:  # who does not answer is not asked
        silent = InvestorAccount.objects.filter(pk__in=stale, institution__in=shut)
        stale = sorted(set(stale) - set(silent.values_list("pk", flat=True)))
    if stale:
        heard: dict[str, list[bool]] = {}
        known = {**known, **observe(account_ids=stale, heard=heard)}
        circuits.heard(heard)
    return Facts(known)
