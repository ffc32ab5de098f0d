"""What a transfer does to an investor account's counters, aggregated per account and batch."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import F

from accounts.models import InvestorAccount
from bridge.kernel.compiled import Own, UpdateEach
from bridge.kernel.transactions import require_atomic


@dataclass(frozen=True, slots=True)
class Movement:
    """Changes of one account's counters, in minor units, and how many transfers took a place in its order."""

    account_id: uuid.UUID
    held: int = 0
    begun: int = 0
    acknowledged: int = 0
    numbered: int = 0


def taken(account_id: uuid.UUID, amount: int) -> Movement:
    """A hold is taken: the amount is set aside for a transfer."""
    return Movement(account_id, held=amount)


def released(account_id: uuid.UUID, amount: int) -> Movement:
    """The transfer will not withdraw after all."""
    return Movement(account_id, held=-amount)


def begun(account_id: uuid.UUID, amount: int) -> Movement:
    """The hold is consumed: from now on the institution may act on the withdrawal."""
    return Movement(account_id, held=-amount, begun=amount)


def acknowledged(account_id: uuid.UUID, amount: int) -> Movement:
    """Balances fetched from now on are net of this withdrawal."""
    return Movement(account_id, acknowledged=amount)


def begun_after_all(account_id: uuid.UUID, amount: int) -> Movement:
    """A withdrawal that we had taken back as never received has settled."""
    return Movement(account_id, begun=amount)


def undone(account_id: uuid.UUID, amount: int, *, was_acknowledged: bool) -> Movement:
    """The withdrawal was rejected or never received.

    One that had been acknowledged stays in both totals. Balances fetched before and after the institution freed the
    money look alike to us, and to give it back to an earlier one would count it twice in a later one: the next
    balance that is fetched knows.
    """
    return Movement(account_id, begun=0 if was_acknowledged else -amount)


def apply(movements: Iterable[Movement]) -> None:
    """Apply to rows that the caller has locked; one UPDATE with F-expressions for all of them."""
    require_atomic()
    sums: dict[uuid.UUID, list[int]] = {}
    for row in movements:
        of = sums.get(row.account_id)
        if of is None:
            sums[row.account_id] = [row.held, row.begun, row.acknowledged, row.numbered]
            continue
        of[0] += row.held
        of[1] += row.begun
        of[2] += row.acknowledged
        of[3] += row.numbered
    _APPLY(sums)


_APPLY = UpdateEach(
    InvestorAccount,
    "id",
    ("held", "begun", "acknowledged", "numbered"),
    held=F("held") + Own("held"),
    withdrawals_begun=F("withdrawals_begun") + Own("begun"),
    withdrawals_acknowledged=F("withdrawals_acknowledged") + Own("acknowledged"),
    last_seq=F("last_seq") + Own("numbered"),
)
