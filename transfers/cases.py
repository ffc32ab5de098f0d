"""A transfer whose compensation runs or ran, as a case: its split family as one, from the ledger and the event log.

What left investors must be somewhere: with the fund, with investors again, kept as a fee, or still on the bridge. The
ledger says how much is where; the states of the transfers say it once more, from another column of another table. A
case is proved when both agree and nothing is missing.
"""

from __future__ import annotations

import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.ledger.kinds import BRIDGE_KINDS, Kind
from accounts.ledger.models import Entry, Posting
from bridge.approvals.models import Approval
from bridge.events.models import Event
from transfers.models import Transfer
from transfers.states import State

PLACES: dict[str, str] = {
    "investor": "Investor's account",
    Kind.WITHDRAWAL_IN_TRANSIT: "On its way to us",
    Kind.CLEARING: "Settlement account",
    Kind.DEPOSIT_IN_TRANSIT: "On its way to the fund",
    "fund": "Fund's account",
    Kind.REFUND_IN_TRANSIT: "On its way back",
    Kind.FROZEN: "Frozen by law",
    Kind.FIRM_ADVANCE: "The firm's own money",
    Kind.FEES: "Kept by banks on the way",
    Kind.SUSPENSE: "Unidentified receipts",
    Kind.OUTSIDE: "Outside",
}
HOLDS_MONEY = {
    State.WITHDRAWING: Kind.WITHDRAWAL_IN_TRANSIT,
    State.WITHDRAWN: Kind.CLEARING,
    State.DEPOSITING: Kind.DEPOSIT_IN_TRANSIT,
    State.REFUNDING: Kind.REFUND_IN_TRANSIT,
    State.FROZEN: Kind.FROZEN,
}
TURNS = (
    "transfer.deposit_rejected",
    "transfer.deposit_returned",
    "transfer.refund_due",
    "transfer.refund_rejected",
    "transfer.reopened",
    "transfer.blocked",
    "transfer.unblocked",
    "transfer.recall_due",
    "transfer.recall_rejected",
    "transfer.frozen",
    "transfer.unfrozen",
    "transfer.split",
    "transfer.advance_opened",
    "transfer.advance_closed",
    "transfer.settled_again",
    "transfer.topped_up",
    "transfer.reduced",
    "transfer.returned",
    "transfer.refunded",
    "transfer.completed",
)  # where a case takes another way, and why


@dataclass(frozen=True, slots=True)
class Movement:
    """One line of a place's T-account: what came (+) or left (−), and what was there then. Minor units."""

    at: datetime
    posting: Posting
    transfer_id: uuid.UUID | None
    amount: int
    balance: int


@dataclass(frozen=True, slots=True)
class Proof:
    """Where everything is that left investors. Minor units; `missing` is 0 when nothing is lost or invented.

    `firm` is what the firm paid in all, `claims` what of that it still has to get back. `stated` is what the transfers'
    states say is on the bridge, and must be what the ledger says.
    """

    withdrawn: int
    returned: int
    firm: int
    claims: int
    received: int
    deposited: int
    refunded: int
    fees: int
    open: int
    stated: int
    balanced: bool

    @property
    def missing(self) -> int:
        came = self.withdrawn - self.returned + self.firm + self.received
        return came - self.deposited - self.refunded - self.fees - self.open

    @property
    def holds(self) -> bool:
        return self.balanced and not self.missing and self.open == self.stated

    @property
    def is_closed(self) -> bool:
        """Nothing is on the bridge and the firm stands in for nothing."""
        return self.holds and not self.open and not self.claims


@dataclass(frozen=True, slots=True)
class Case:
    """`members` oldest first; `accounts` and what they hold `now` by place, those where anything happened; `since` when
    the oldest money on the bridge is there; nothing where none is."""

    members: tuple[Transfer, ...]
    accounts: dict[str, tuple[Movement, ...]]
    now: dict[str, int]
    proof: Proof
    turns: tuple[Event, ...]
    approvals: tuple[Approval, ...]
    since: datetime | None

    @property
    def currency(self) -> str:
        return self.members[0].currency


def case_of(transfer: Transfer) -> Case:
    """The case of this transfer's family. Five queries, however long its history."""
    members = tuple(
        Transfer.objects.filter(family_id=transfer.family_id).select_related("fund", "source_account", "investor")
        .order_by("pk")
    )  # fmt: skip
    ids = [row.pk for row in members]
    touched = Entry.objects.filter(transfer_id__in=ids).values("posting_id")  # whole postings, untagged lines too
    entries = list(Entry.objects.filter(posting_id__in=touched).select_related("posting", "account").order_by("id"))
    undone = _rows_of(entry.posting.reverses_id for entry in entries)
    placed = [(_place(entry, undone), entry) for entry in entries]
    events = Event.objects.filter(subject_type="transfer", subject_id__in=ids, type__in=TURNS).order_by("id")
    now = {place: total for place, total in _sums(placed).items() if total}
    return Case(
        members=members,
        accounts=_accounts(placed),
        now=now,
        proof=_proof(members, placed, undone),
        turns=tuple(events),
        approvals=tuple(Approval.objects.filter(subject_id__in=ids).order_by("created_at", "pk")),
        since=min((row.bridge_since for row in members if row.bridge_since), default=None),
    )


def _rows_of(posting_ids: Iterable[uuid.UUID | None]) -> dict[uuid.UUID, str]:
    """The rows of postings that others reverse."""
    wanted = {each for each in posting_ids if each is not None}
    return dict(Posting.objects.filter(pk__in=wanted).values_list("pk", "row")) if wanted else {}


def _row(entry: Entry, undone: dict[uuid.UUID, str]) -> str:
    """The row of the posting table that this entry belongs to; of a reversal, that of what it reverses."""
    reverses = entry.posting.reverses_id
    return undone.get(reverses, entry.posting.row) if reverses else entry.posting.row


def _place(entry: Entry, undone: dict[uuid.UUID, str]) -> str:
    """Cash is the fund's where a deposit moved it, or a split that found it there; else an investor's."""
    if entry.account.kind != Kind.CASH:
        return str(entry.account.kind)
    return "fund" if _row(entry, undone).startswith(("D", "X")) else "investor"


def _accounts(placed: Sequence[tuple[str, Entry]]) -> dict[str, tuple[Movement, ...]]:
    found: dict[str, list[Movement]] = defaultdict(list)
    balances: Counter[str] = Counter()
    for place, entry in placed:
        balances[place] += entry.amount
        found[place].append(
            Movement(
                at=entry.posting.effective_at,
                posting=entry.posting,
                transfer_id=entry.transfer_id,
                amount=entry.amount,
                balance=balances[place],
            )
        )
    return {place: tuple(found[place]) for place in PLACES if place in found}


def _sums(placed: Sequence[tuple[str, Entry]]) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for place, entry in placed:
        sums[place] += entry.amount
    return {place: sums[place] for place in PLACES if place in sums}


def _proof(members: Sequence[Transfer], placed: Sequence[tuple[str, Entry]], undone: dict[uuid.UUID, str]) -> Proof:
    sums = _sums(placed)
    by_row: Counter[str] = Counter()
    postings: Counter[Any] = Counter()
    for place, entry in placed:
        postings[entry.posting_id] += entry.amount
        if place == "investor":
            by_row[_row(entry, undone)] += entry.amount
    back = sum(amount for row, amount in by_row.items() if row.startswith("R"))
    return Proof(
        withdrawn=-sum(by_row[row] for row in ("W1", "W2", "W3", "W5")),
        returned=by_row["W4"],
        firm=-sums.get(Kind.FIRM_ADVANCE, 0),
        claims=-sum(entry.amount for place, entry in placed if place == Kind.FIRM_ADVANCE and entry.transfer_id),
        received=-sums.get(Kind.SUSPENSE, 0) - sums.get(Kind.OUTSIDE, 0),
        deposited=sums.get("fund", 0),
        refunded=back,
        fees=sums.get(Kind.FEES, 0),
        open=sum(sums.get(kind, 0) for kind in BRIDGE_KINDS),
        stated=sum(row.amount for row in members if row.state in HOLDS_MONEY),
        balanced=not any(postings.values()),
    )
