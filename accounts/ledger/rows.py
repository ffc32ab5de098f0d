"""The posting table: one function per row, from what happened to the lines that record it. Pure.

To (+) and from (−), in minor units. A line with amount 0 is left out. Every function gives a balanced draft; the
database checks it again.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts.ledger.kinds import Kind


@dataclass(frozen=True, slots=True)
class Place:
    """A ledger account by what it is: whose, of what kind."""

    owner_id: uuid.UUID | None
    kind: Kind


@dataclass(frozen=True, slots=True)
class Line:
    place: Place
    amount: int
    transfer_id: uuid.UUID | None


@dataclass(frozen=True, slots=True)
class Draft:
    """A posting to be: `currency` is that of all its lines."""

    row: str
    currency: str
    lines: tuple[Line, ...]
    effective_at: datetime
    transfer_id: uuid.UUID | None = None
    instruction_id: uuid.UUID | None = None
    reverses_id: uuid.UUID | None = None


@dataclass(frozen=True, slots=True)
class Parties:
    """Between whom money moves in one transfer, and what the bank's date of the movement is."""

    transfer_id: uuid.UUID
    account_id: uuid.UUID
    fund_id: uuid.UUID
    currency: str
    effective_at: datetime
    instruction_id: uuid.UUID | None = None

    def investor(self, kind: Kind, amount: int) -> Line:
        return Line(Place(self.account_id, kind), amount, self.transfer_id)

    def fund(self, kind: Kind, amount: int) -> Line:
        return Line(Place(self.fund_id, kind), amount, self.transfer_id)

    def shared(self, kind: Kind, amount: int) -> Line:
        return Line(Place(None, kind), amount, self.transfer_id)

    def draft(self, row: str, *lines: Line) -> Draft:
        kept = tuple(line for line in lines if line.amount)
        return Draft(row, self.currency, kept, self.effective_at, self.transfer_id, self.instruction_id)


def withdrawal_submitted(who: Parties, *, amount: int) -> Draft:
    """W1."""
    return who.draft("W1", who.investor(Kind.WITHDRAWAL_IN_TRANSIT, amount), who.investor(Kind.CASH, -amount))


def withdrawal_settled(who: Parties, *, amount: int, credited: int, fee: int = 0) -> Draft:
    """W2. `amount` was in transit, `credited` reached clearing, `fee` was kept on the way.

    What was neither credited nor kept was never debited and is the investor's; a surplus comes from the investor.
    """
    return who.draft(
        "W2",
        who.investor(Kind.CLEARING, credited),
        who.shared(Kind.FEES, fee),
        who.investor(Kind.CASH, amount - credited - fee),
        who.investor(Kind.WITHDRAWAL_IN_TRANSIT, -amount),
    )


def withdrawal_rejected(who: Parties, *, amount: int) -> Draft:
    """W3, also for a withdrawal that was never received."""
    return who.draft("W3", who.investor(Kind.CASH, amount), who.investor(Kind.WITHDRAWAL_IN_TRANSIT, -amount))


def withdrawal_returned(who: Parties, *, amount: int, taken: Sequence[Line]) -> Draft:
    """W4. `taken` is where the money came from (clearing of the family, then firm_advance), negative lines."""
    return who.draft("W4", who.investor(Kind.CASH, amount), *taken)


def deposit_submitted(who: Parties, *, amount: int) -> Draft:
    """D1."""
    return who.draft("D1", who.fund(Kind.DEPOSIT_IN_TRANSIT, amount), who.investor(Kind.CLEARING, -amount))


def deposit_settled(who: Parties, *, amount: int, credited: int) -> Draft:
    """D2. What left us and did not reach the fund was kept on the way."""
    return who.draft(
        "D2",
        who.fund(Kind.CASH, credited),
        who.shared(Kind.FEES, amount - credited),
        who.fund(Kind.DEPOSIT_IN_TRANSIT, -amount),
    )


def deposit_rejected(who: Parties, *, amount: int) -> Draft:
    """D3."""
    return who.draft("D3", who.investor(Kind.CLEARING, amount), who.fund(Kind.DEPOSIT_IN_TRANSIT, -amount))


def deposit_returned(who: Parties, *, amount: int, fee: int = 0, interest: int = 0) -> Draft:
    """D4. The fund gave back `amount`; `fee` was kept on the way; `interest` came on top."""
    return who.draft(
        "D4",
        who.investor(Kind.CLEARING, amount - fee + interest),
        who.shared(Kind.FEES, fee),
        who.shared(Kind.OUTSIDE, -interest),
        who.fund(Kind.CASH, -amount),
    )


def refund_submitted(who: Parties, *, amount: int) -> Draft:
    """R1."""
    return who.draft("R1", who.investor(Kind.REFUND_IN_TRANSIT, amount), who.investor(Kind.CLEARING, -amount))


def refund_settled(who: Parties, *, amount: int, fee: int = 0, paid_to: uuid.UUID | None = None) -> Draft:
    """R2. `paid_to` is another account of the investor, where the money went there instead."""
    paid = Line(Place(paid_to or who.account_id, Kind.CASH), amount - fee, who.transfer_id)
    return who.draft("R2", paid, who.shared(Kind.FEES, fee), who.investor(Kind.REFUND_IN_TRANSIT, -amount))


def refund_rejected(who: Parties, *, amount: int) -> Draft:
    """R3."""
    return who.draft("R3", who.investor(Kind.CLEARING, amount), who.investor(Kind.REFUND_IN_TRANSIT, -amount))


def refund_returned(who: Parties, *, amount: int, fee: int = 0, paid_to: uuid.UUID | None = None) -> Draft:
    """R4. `paid_to` is the account that the refund had gone to, where that was another."""
    source = Line(Place(paid_to or who.account_id, Kind.CASH), -amount, who.transfer_id)
    return who.draft("R4", who.investor(Kind.CLEARING, amount - fee), who.shared(Kind.FEES, fee), source)


def frozen(who: Parties, *, amount: int) -> Draft:
    """Z1: blocked by law."""
    return who.draft("Z1", who.investor(Kind.FROZEN, amount), who.investor(Kind.CLEARING, -amount))


def unfrozen(who: Parties, *, amount: int) -> Draft:
    """Z2: released under a licence, or a false match."""
    return who.draft("Z2", who.investor(Kind.CLEARING, amount), who.investor(Kind.FROZEN, -amount))


def split(who: Parties, *, child_id: uuid.UUID, amount: int, kind: Kind) -> Draft:
    """X1: part of a transfer's money, in clearing or in the fund's cash, goes on as another transfer.

    The money stays in its account; only the transfer to which it belongs changes, so no balance moves.
    """
    if kind not in (Kind.CLEARING, Kind.CASH):
        raise ValueError(f"a transfer is not split while its money is in {kind}")
    place = Place(who.fund_id if kind == Kind.CASH else who.account_id, kind)
    return who.draft("X1", Line(place, amount, child_id), Line(place, -amount, who.transfer_id))


def bank_charge(*, currency: str, amount: int, effective_at: datetime) -> Draft:
    """F1: a charge on no payment, borne by the firm's own money in the settlement account."""
    return Draft(
        "F1",
        currency,
        (Line(Place(None, Kind.FEES), amount, None), Line(Place(None, Kind.FIRM_ADVANCE), -amount, None)),
        effective_at,
    )
