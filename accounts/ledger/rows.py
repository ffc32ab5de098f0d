"""The posting table: one function per row, from what happened to the lines that record it. Pure.

To (+) and from (−), in minor units. A line with amount 0 is left out. Every function gives a balanced draft; the
database checks it again.

Longer than most modules: the posting table reads best as one.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from accounts.ledger.kinds import Kind


class Place(NamedTuple):
    """A ledger account by what it is: whose, of what kind."""

    owner_id: uuid.UUID | None
    kind: Kind


class Line(NamedTuple):
    place: Place
    amount: int
    transfer_id: uuid.UUID | None


class Draft(NamedTuple):
    """A posting to be: `currency` is that of all its lines. `posting_id` where its maker must know it beforehand."""

    row: str
    currency: str
    lines: tuple[Line, ...]
    effective_at: datetime
    transfer_id: uuid.UUID | None = None
    instruction_id: uuid.UUID | None = None
    reverses_id: uuid.UUID | None = None
    posting_id: uuid.UUID | None = None
    undoes: str = ""  # of an X2: the row of what it reverses


class Parties(NamedTuple):
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
        kept = tuple([line for line in lines if line.amount])
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


def withdrawal_settled_again(who: Parties, *, credited: int, fee: int = 0) -> Draft:
    """W5: settled late, after we took it for rejected, or twice. `fee` was kept on the way."""
    return who.draft(
        "W5",
        who.investor(Kind.CLEARING, credited),
        who.shared(Kind.FEES, fee),
        who.investor(Kind.CASH, -credited - fee),
    )


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


def deposit_settled_again(who: Parties, *, credited: int, taken: Sequence[Line], fee: int = 0) -> Draft:
    """D5: settled late or twice. `taken` as in W4, for what was credited and the `fee` that was kept."""
    return who.draft("D5", who.fund(Kind.CASH, credited), who.shared(Kind.FEES, fee), *taken)


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


def refund_settled_again(
    who: Parties, *, credited: int, taken: Sequence[Line], fee: int = 0, paid_to: uuid.UUID | None = None
) -> Draft:
    """R5: settled late or twice. `taken` as in W4, for what was credited and the `fee` that was kept."""
    paid = Line(Place(paid_to or who.account_id, Kind.CASH), credited, who.transfer_id)
    return who.draft("R5", paid, who.shared(Kind.FEES, fee), *taken)


def advance_repaid(who: Parties, *, amount: int, from_id: uuid.UUID) -> Draft:
    """A1: money of the family in clearing, `from_id`'s, gives the firm back what it advanced for this transfer."""
    return who.draft(
        "A1",
        who.shared(Kind.FIRM_ADVANCE, amount),
        Line(Place(who.account_id, Kind.CLEARING), -amount, from_id),
    )


def advance_written_off(who: Parties, *, amount: int) -> Draft:
    """A2: the open claim becomes the firm's own loss, out of its untagged funding."""
    own = Line(Place(None, Kind.FIRM_ADVANCE), -amount, None)
    return who.draft("A2", who.shared(Kind.FIRM_ADVANCE, amount), own)


def firm_funded(*, currency: str, amount: int, effective_at: datetime) -> Draft:
    """A3: the firm puts money of its own into the settlement account; a negative `amount` takes it out again."""
    return _shared("A3", currency, Kind.FIRM_ADVANCE, Kind.OUTSIDE, amount, effective_at)


def short_pay_topped_up(who: Parties, *, amount: int) -> Draft:
    """A4: the firm adds what a short pay lacks, out of its untagged funding."""
    own = Line(Place(None, Kind.FIRM_ADVANCE), -amount, None)
    return who.draft("A4", who.investor(Kind.CLEARING, amount), own)


def receipt_unidentified(*, currency: str, amount: int, effective_at: datetime) -> Draft:
    """S1: money came to the settlement account and nobody knows yet whose it is."""
    return _shared("S1", currency, Kind.SUSPENSE, Kind.OUTSIDE, amount, effective_at)


def receipt_identified(who: Parties, *, amount: int, repaid: Sequence[Line] = ()) -> Draft:
    """S2: it belongs to this transfer. `repaid` is what of it gives the firm back its advances for the family, positive
    lines; the rest reaches clearing."""
    rest = amount - sum(line.amount for line in repaid)
    suspense = Line(Place(None, Kind.SUSPENSE), -amount, None)
    return who.draft("S2", *repaid, who.investor(Kind.CLEARING, rest), suspense)


def receipt_of_the_firm(*, currency: str, amount: int, effective_at: datetime) -> Draft:
    """S2, where it is the firm's own money that came in."""
    return _shared("S2", currency, Kind.FIRM_ADVANCE, Kind.SUSPENSE, amount, effective_at)


def receipt_sent_back(*, currency: str, amount: int, effective_at: datetime) -> Draft:
    """S3: it went back to whom it came from."""
    return _shared("S3", currency, Kind.OUTSIDE, Kind.SUSPENSE, amount, effective_at)


def reversal(posting: Draft, *, reverses_id: uuid.UUID, effective_at: datetime) -> Draft:
    """X2: our own mistake undone, every line of `posting` negated. The database keeps that it is reversed once."""
    lines = tuple(Line(line.place, -line.amount, line.transfer_id) for line in posting.lines)
    return Draft(
        "X2",
        posting.currency,
        lines,
        effective_at,
        posting.transfer_id,
        posting.instruction_id,
        reverses_id,
        undoes=posting.row,
    )


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
    return _shared("F1", currency, Kind.FEES, Kind.FIRM_ADVANCE, amount, effective_at)


def _shared(row: str, currency: str, to: Kind, source: Kind, amount: int, effective_at: datetime) -> Draft:
    """Between two accounts of the currency, of no transfer."""
    lines = (Line(Place(None, to), amount, None), Line(Place(None, source), -amount, None))
    return Draft(row, currency, lines, effective_at)
