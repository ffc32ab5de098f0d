"""Reading a balance from the cache and from the database, side by side."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from benchmarks.people import People
from benchmarks.samples import percentile


def balances(people: People, *, count: int) -> dict[str, Any]:
    """Milliseconds per read, median and 99th percentile; the two take turns, account by account."""
    from accounts import cache
    from accounts.models import InvestorAccount
    from accounts.queries import available, display_balance, newest_observations

    accounts = list(InvestorAccount.objects.filter(pk__in=people.accounts[:count]))
    for account in accounts:
        display_balance(account)

    def cached(account: InvestorAccount) -> None:
        if cache.read(account.id) is None:
            raise RuntimeError("A balance that was just read is not in the cache.")

    def stored(account: InvestorAccount) -> None:
        fresh = InvestorAccount.objects.get(pk=account.id)
        available(fresh, newest_observations([account.id])[account.id])

    took: dict[str, list[float]] = {"cache": [], "database": []}
    for account in accounts:
        took["cache"].append(_timed(cached, account))
        took["database"].append(_timed(stored, account))
    figures = {
        f"{name}_{label}_ms": round(percentile(values, share), 3)
        for name, values in took.items()
        for label, share in (("p50", 0.5), ("p99", 0.99))
    }
    return {**figures, "p99_ratio": round(figures["cache_p99_ms"] / figures["database_p99_ms"], 3)}


def _timed(read: Callable[[Any], None], account: Any) -> float:
    began = time.perf_counter()
    read(account)
    return (time.perf_counter() - began) * 1000
