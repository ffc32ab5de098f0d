"""How long money has been with us: everything between withdrawn and completed, by who has it and by age.

Ages run from the moment since when the money is with us without a break (`bridge_since`), by the database's clock. The
third bucket ends with the close of the second business day, the longest that a clean transfer takes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, Q, QuerySet, Sum

from bridge.kernel.waits import BusinessDays
from transfers.models import Transfer
from transfers.states import State

STATES = (State.WITHDRAWN, State.DEPOSITING, State.REFUNDING, State.FROZEN)
BUCKETS = ("under 1 hour", "under 1 day", "under 2 business days", "older")
TWO_DAYS = BusinessDays(2)
LONGEST = timedelta(days=21)  # two business days never take longer
US = "settlement account"
FROZEN = "settlement account, frozen"


@dataclass(frozen=True, slots=True)
class Line:
    """What one holder has of one currency: how many transfers and how much (minor units) of each age."""

    holder: str
    currency: str
    counts: tuple[int, ...]
    amounts: tuple[int, ...]

    @property
    def total(self) -> int:
        return sum(self.amounts)


def ages(*, at: datetime) -> list[Line]:
    """One line per holder and currency, by holder. One query, of what is open only."""
    return _merged(
        _open()
        .values("state", "currency", "source_account__institution", "fund__institution")
        .order_by()
        .annotate(**_columns(at))
    )


def oldest(*, limit: int) -> QuerySet[Transfer]:
    """The money that has been with us longest, with its fund, investor and account."""
    return _open().select_related("fund", "investor", "source_account").order_by("bridge_since", "pk")[:limit]


def bucket(since: datetime, *, at: datetime) -> int:
    """In which of `BUCKETS` money is that came at `since`."""
    return next(number for number, begins in enumerate((*_begins(at), since)) if since >= begins)


def holder(state: str, *, investors_bank: str, funds_bank: str) -> str:
    """Who has the money of a transfer in this state."""
    return {State.DEPOSITING: funds_bank, State.REFUNDING: investors_bank, State.FROZEN: FROZEN}.get(State(state), US)


def _open() -> QuerySet[Transfer]:
    return Transfer.objects.filter(work__isnull=False, state__in=STATES, bridge_since__isnull=False)


def _columns(at: datetime) -> dict[str, Any]:
    """Count and sum per bucket."""
    hour, day, two = _begins(at)
    kept = (
        Q(bridge_since__gte=hour),
        Q(bridge_since__gte=day, bridge_since__lt=hour),
        Q(bridge_since__gte=two, bridge_since__lt=day),
        Q(bridge_since__lt=two),
    )
    columns: dict[str, Any] = {}
    for number, condition in enumerate(kept):
        columns[f"count{number}"] = Count("pk", filter=condition)
        columns[f"amount{number}"] = Sum("amount", filter=condition, default=0)
    return columns


def _begins(at: datetime) -> tuple[datetime, datetime, datetime]:
    """Since when money may have come to be in the first, second and third bucket."""
    day = at - timedelta(days=1)
    return at - timedelta(hours=1), day, min(day, _two_business_days_ago(at))


def _two_business_days_ago(at: datetime) -> datetime:
    """The earliest moment whose second business day had not closed before `at`, to the second."""
    low, high = 0, int(LONGEST.total_seconds())
    while low < high:
        middle = (low + high + 1) // 2
        if TWO_DAYS.after(at - timedelta(seconds=middle)) >= at:
            low = middle
        else:
            high = middle - 1
    return at - timedelta(seconds=low)


def _merged(rows: Iterable[Any]) -> list[Line]:
    counts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * len(BUCKETS))
    amounts: dict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * len(BUCKETS))
    for row in rows:
        who = holder(
            row["state"], investors_bank=row["source_account__institution"], funds_bank=row["fund__institution"]
        )
        for number in range(len(BUCKETS)):
            counts[who, row["currency"]][number] += row[f"count{number}"]
            amounts[who, row["currency"]][number] += int(row[f"amount{number}"])
    return [Line(*key, tuple(counts[key]), tuple(amounts[key])) for key in sorted(counts)]
