"""Comparing our books with an institution's record, per reference and in both directions. Pure, in linear time.

Per instruction three things can be booked: what settled, what was sent back, what was kept as a fee. Each is compared
on its own. Nothing is ever corrected here: a difference is named, and people decide.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from uuid import UUID

from bridge.kernel.gateway import Activity, InstructionKind
from transfers.states import LIVE, InstructionState

SETTLEMENT_TIME = timedelta(days=5)  # by then a sent payment has settled or was refused, on every rail we use
NEWS_TIME = timedelta(hours=1)  # what the institution booked later than this may not have reached us yet
SETTLEMENT = "settlement"  # the institution's name under which the settlement account's statement is compared


class Facet(StrEnum):
    SETTLED = "settled"
    RETURNED = "returned"
    FEE = "fee"


class Kind(StrEnum):
    MISSING_THERE = "missing_there"
    MISSING_HERE = "missing_here"
    AMOUNT = "amount"
    STATE = "state"
    DUPLICATE = "duplicate"
    BALANCE = "balance"


@dataclass(frozen=True, slots=True)
class Ours:
    """One instruction and what our ledger booked for it in the days compared, in minor units per facet."""

    key: str
    kind: InstructionKind
    institution: str
    state: InstructionState
    amount: int
    currency: str
    sent_at: datetime
    instruction_id: UUID
    transfer_id: UUID
    booked: Mapping[Facet, int]
    day: date | None = None
    newest: datetime | None = None  # when the last of it was booked here


@dataclass(frozen=True, slots=True)
class Difference:
    """`reference` is our key, with `:returned` or `:fee` where it is not about the payment itself, or the
    institution's own id where there is no key of ours."""

    kind: Kind
    institution: str
    reference: str
    currency: str
    ours: int | None
    theirs: int | None
    explanation: str
    date: date
    instruction_id: UUID | None = None
    transfer_id: UUID | None = None


@dataclass(slots=True)
class Matching:
    """`agreed`: references on which both sides say the same. `waiting`: references too young to judge. `unmatched`:
    what their lines that our books lack (less the reverse) did to the settlement account, in minor units, per
    currency. `matched` counts instructions that agree in everything."""

    agreed: set[str] = field(default_factory=set)
    differences: list[Difference] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    unmatched: dict[str, int] = field(default_factory=dict)
    matched: int = 0

    def lacks(self, currency: str, amount: int) -> None:
        self.unmatched[currency] = self.unmatched.get(currency, 0) + amount


_Facets = dict[Facet | str, list[Activity]]
_SETTLED_DIRECTION = {
    InstructionKind.WITHDRAWAL: "debit",
    InstructionKind.DEPOSIT: "credit",
    InstructionKind.REFUND: "credit",
}
_OTHER_WAY = {"debit": "credit", "credit": "debit"}
_FACET_OF = {"return": Facet.RETURNED, "fee": Facet.FEE}


def match(
    *,
    institution: str,
    ours: Iterable[Ours],
    theirs: Iterable[Activity],
    at: datetime,
    day: date,
    asked_at: datetime | None = None,
) -> Matching:
    """Compare every instruction of `ours` with every line of `theirs`. `at` is now, `day` the newest day compared.

    Both must cover the same days by the institution's date. What we booked from `asked_at` on, when the institution was
    asked for its lines, may not be in them yet.
    """
    comparison = _Comparison(institution, at, day, asked_at)
    lines = comparison.by_key(theirs)
    for mine in ours:
        if mine.kind in _SETTLED_DIRECTION:
            comparison.compare(mine, lines.pop(mine.key, {}))
    for key, facets in lines.items():
        for found in facets.values():
            comparison.unknown(key, found)
    return comparison.result


@dataclass(slots=True)
class _Comparison:
    institution: str
    at: datetime
    day: date
    asked_at: datetime | None = None
    result: Matching = field(default_factory=Matching)

    def by_key(self, theirs: Iterable[Activity]) -> dict[str, _Facets]:
        """Their lines by our key and facet; a line whose id comes twice counts once and is named. The bank of the
        settlement account may number each day's lines anew."""
        lines: dict[str, _Facets] = {}
        seen: set[tuple[str, date | None]] = set()
        for line in theirs:
            one = (line.id, line.at.date() if self.institution == SETTLEMENT else None)
            if one in seen:
                self._name(Kind.DUPLICATE, line, line.id, line.amount, f"{self.institution} lists its line twice.")
                continue
            seen.add(one)
            facet = _FACET_OF.get(line.kind, Facet.SETTLED)
            lines.setdefault(line.key, {}).setdefault(facet if line.key else line.id, []).append(line)
        return lines

    def compare(self, mine: Ours, lines: _Facets) -> None:
        agrees = True
        for facet in Facet:
            found = lines.get(facet, [])
            booked, theirs = mine.booked.get(facet, 0), _total(self.institution, mine.kind, facet, found)
            reference = mine.key if facet is Facet.SETTLED else f"{mine.key}:{facet}"
            if booked == theirs:
                if found or booked or mine.state not in LIVE:
                    self.result.agreed.add(reference)
                continue
            agrees = False
            self.result.lacks(mine.currency, _signed(mine.kind, facet, theirs - booked))
            if found and abs(theirs) > booked and self.at - max(line.at for line in found) < NEWS_TIME:
                self.result.waiting.add(reference)
                continue
            if booked > abs(theirs) and self.asked_at and mine.newest and mine.newest >= self.asked_at:
                self.result.waiting.add(reference)
                continue
            kind, why = self._judge(mine, facet, booked, found)
            when = min((line.at.date() for line in found), default=mine.day or self.day)
            self._differ(mine, kind, reference, (booked, theirs), why=why, when=when)
        if agrees and mine.state in LIVE and not lines and not any(mine.booked.values()):
            self._not_yet(mine)
            agrees = False
        self.result.matched += agrees and bool(lines)

    def unknown(self, key: str, found: Sequence[Activity]) -> None:
        """Lines that concern no instruction of ours; the amount is signed as their customer's account saw it."""
        first = found[0]
        total = sum(line.amount if line.direction == "credit" else -line.amount for line in found)
        facet = _FACET_OF.get(first.kind, Facet.SETTLED)
        reference = (key if facet is Facet.SETTLED else f"{key}:{facet}") if key else first.id
        known = f"under the key {key}, which is none of ours" if key else "under no key"
        self._name(
            Kind.MISSING_HERE, first, reference, total, f"{self.institution} booked a {first.kind or 'line'} {known}."
        )
        self.result.lacks(first.currency, total)

    def _not_yet(self, mine: Ours) -> None:
        """Sent, and nothing is booked on either side: in flight, unless it has been so for too long."""
        if self.at - mine.sent_at <= SETTLEMENT_TIME:
            self.result.waiting.add(mine.key)
            return
        why = (
            f"Sent on {mine.sent_at:%Y-%m-%d %H:%M} and still {mine.state} here; "
            f"{self.institution} has booked nothing for it."
        )
        when = min(mine.sent_at.date(), self.day)
        self._differ(mine, Kind.MISSING_THERE, mine.key, (mine.amount, None), why=why, when=when)

    def _judge(self, mine: Ours, facet: Facet, booked: int, found: Sequence[Activity]) -> tuple[Kind, str]:
        there = self.institution
        word = {Facet.SETTLED: f"{mine.kind}", Facet.RETURNED: f"return of the {mine.kind}", Facet.FEE: "fee"}[facet]
        if not found:
            return Kind.MISSING_THERE, f"Our ledger has a {word} that {there} does not list."
        if not booked:
            return Kind.STATE, f"{there} booked a {word}; our instruction is {mine.state} and the ledger has none."
        if len(found) > 1 and all(line.amount == booked for line in found):
            return Kind.DUPLICATE, f"{there} booked the {word} {len(found)} times; our ledger has it once."
        return Kind.AMOUNT, f"The {word} differs between our ledger and {there}."

    def _differ(
        self, mine: Ours, kind: Kind, reference: str, amounts: tuple[int, int | None], *, why: str, when: date
    ) -> None:
        self.result.differences.append(
            Difference(
                kind=kind,
                institution=self.institution,
                reference=reference,
                currency=mine.currency,
                ours=amounts[0],
                theirs=amounts[1],
                explanation=why,
                date=when,
                instruction_id=mine.instruction_id,
                transfer_id=mine.transfer_id,
            )
        )

    def _name(self, kind: Kind, line: Activity, reference: str, theirs: int, why: str) -> None:
        self.result.differences.append(
            Difference(kind, self.institution, reference[:100], line.currency, None, theirs, why[:400], line.at.date())
        )


def _total(institution: str, kind: InstructionKind, facet: Facet, found: Sequence[Activity]) -> int:
    """The lines of one facet, those in the unexpected direction taken off: an institution corrects itself so."""
    settled = _SETTLED_DIRECTION[kind]
    if institution == SETTLEMENT:
        settled = _OTHER_WAY[settled]
    expected = {Facet.SETTLED: settled, Facet.RETURNED: _OTHER_WAY[settled], Facet.FEE: "debit"}[facet]
    return sum(line.amount if line.direction == expected else -line.amount for line in found)


def _signed(kind: InstructionKind, facet: Facet, amount: int) -> int:
    """What `amount` of this facet does to the settlement account."""
    arrives = (kind is InstructionKind.WITHDRAWAL) == (facet is Facet.SETTLED) and facet is not Facet.FEE
    return amount if arrives else -amount
