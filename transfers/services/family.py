"""Where the money of a split family is, kept current while a unit of work posts.

A transfer and everything split off it are a family: money that leaves the settlement account without our wish comes
from any of them before it comes from the firm, and money that arrives repays the firm first.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from accounts.ledger.kinds import Kind
from accounts.ledger.queries import Whereabouts, whereabouts
from accounts.ledger.rows import Draft, Line, Parties, Place, advance_repaid
from bridge.kernel import binary, bulk
from transfers.models import Transfer

_FIELDS = frozenset(
    {Kind.WITHDRAWAL_IN_TRANSIT, Kind.CLEARING, Kind.DEPOSIT_IN_TRANSIT, Kind.REFUND_IN_TRANSIT, Kind.FROZEN}
)

_RELATIVES = """
    WITH families AS (SELECT DISTINCT family_id FROM transfers_transfer WHERE id = ANY(%s::uuid[]))
    SELECT family_id FROM families
    UNION
    SELECT child.id FROM families JOIN transfers_transfer AS child USING (family_id)
    WHERE child.split_from_id IS NOT NULL
    EXCEPT SELECT unnest(%s::uuid[])
"""


def relatives(transfer_ids: Iterable[uuid.UUID], *, but: Iterable[uuid.UUID] = ()) -> list[uuid.UUID]:
    """The ids of everything in the split families of these transfers, themselves included, without those of `but`."""
    return [row[0] for row in bulk.execute(_RELATIVES, [binary.uuids(transfer_ids), binary.uuids(but)]).fetchall()]


class Books:
    """The whereabouts of some transfers: read once, then moved by every draft of this unit of work."""

    def __init__(self) -> None:
        self._where: dict[uuid.UUID, Whereabouts] = {}

    @property
    def known(self) -> bool:
        """Whether it knows of any transfer at all."""
        return bool(self._where)

    def load(self, transfer_ids: Iterable[uuid.UUID], *, pending: Sequence[Draft]) -> None:
        """Read those that are not known yet; `pending` drafts are not written, so they are added. No lock is taken:
        the caller holds the transfers' locks, without which nothing is posted for them."""
        fresh = whereabouts(set(transfer_ids) - self._where.keys())
        self._where |= fresh
        for draft in pending:
            self._move(draft, only=fresh)

    def of(self, transfer_id: uuid.UUID) -> Whereabouts:
        """Raises `KeyError` for a transfer that was not loaded."""
        return self._where[transfer_id]

    def born(self, transfer_id: uuid.UUID) -> None:
        """A transfer that this unit of work creates has nothing yet."""
        self._where.setdefault(transfer_id, Whereabouts())

    def note(self, draft: Draft) -> None:
        self._move(draft, only=self._where)

    def _move(self, draft: Draft, *, only: dict[uuid.UUID, Whereabouts]) -> None:
        for line in draft.lines:
            where = only.get(line.transfer_id) if line.transfer_id else None
            if where is None:
                continue
            kind = line.place.kind
            if kind in _FIELDS:
                setattr(where, kind, getattr(where, kind) + line.amount)
            elif kind == Kind.FIRM_ADVANCE:
                where.advanced -= line.amount
                where.written_off += line.amount if "A2" in (draft.row, draft.undoes) else 0
            elif (
                kind == Kind.CASH and (draft.undoes or draft.row)[0] in "DX"
            ):  # rows W and R are about the investor's own cash
                assert line.place.owner_id is not None
                where.came_to_fund(line.place.owner_id, line.amount)


def advanced(books: Books, family: Sequence[Transfer]) -> int:
    """What the firm has advanced for this family and not got back, in minor units."""
    return sum(books.of(row.id).advanced for row in family)


def written_off(books: Books, family: Sequence[Transfer]) -> bool:
    return any(books.of(row.id).written_off for row in family)


def taken(books: Books, who: Parties, family: Sequence[Transfer], amount: int) -> list[Line]:
    """Out of whose money comes what left the settlement account unasked: the transfer's own clearing, then its
    family's, then the firm's. Negative lines that sum to `-amount`."""
    lines = []
    for row in sorted(family, key=lambda row: row.id != who.transfer_id):
        part = min(amount, max(books.of(row.id).clearing, 0))
        if part:
            lines.append(Line(Place(row.source_account_id, Kind.CLEARING), -part, row.id))
            amount -= part
    if amount:
        lines.append(who.shared(Kind.FIRM_ADVANCE, -amount))
    return lines


def repayments(books: Books, family: Sequence[Transfer], parties: dict[uuid.UUID, Parties]) -> Iterable[Draft]:
    """A1: what the family has in clearing repays what the firm advanced for it. Each draft must be posted before the
    next is asked for. Nothing is set off while any of the family's money is frozen."""
    if any(books.of(row.id).frozen for row in family):
        return
    for debtor in family:
        for payer in family:
            amount = min(books.of(debtor.id).advanced, books.of(payer.id).clearing)
            if amount > 0:
                yield advance_repaid(parties[debtor.id], amount=amount, from_id=payer.id)
