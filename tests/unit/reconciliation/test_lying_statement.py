"""A statement of 10,000 lines on which 1 % each are missing, twice, wrong and late: each is named for what it is."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import pytest

from bridge.kernel.gateway import Activity, InstructionKind
from bridge.sandbox.inprocess import InProcessBank
from bridge.sandbox.model import Fault
from tests.unit.sandbox.town import Town
from transfers.reconciliation.matching import SETTLEMENT, Difference, Facet, Kind, Matching, Ours, match
from transfers.reconciliation.statements import read
from transfers.states import InstructionState

LINES, AMOUNT = 10_000, 100
LIES = (Fault.MISSING_LINE, Fault.REPEATED_LINE, Fault.WRONG_LINE, Fault.LATE_LINE)
FILES = {"json": "day.json", "csv": "day.csv", "camt053": "day.xml"}


@dataclass
class Liar:
    """A bank that settled 10,000 withdrawals on one day, and what its paper says of them. `lies`: fault → keys."""

    town: Town = field(default_factory=lambda: Town(delay=0))

    def __post_init__(self) -> None:
        self.town.books.accounts["meridian", "A1"].current = LINES * AMOUNT
        for fault in LIES:
            self.town.fault(fault, probability=0.01, delta=7)
        for number in range(LINES):
            self.town.submit(f"k{number}")
        wrong = self.town.books.misprints["USD"]
        self.lies = {fault: {line.key for line in wrong if line.misprint == fault} for fault in LIES}
        self.settlement = InProcessBank(self.town.bank, lambda: self.town.now).settlement()
        self.day = self.town.now.date()

    def paper(self, day: date, shape: str) -> Sequence[Activity]:
        content = self.settlement.statement("USD", day, shape)
        return read(name=FILES[shape], content=content).lines

    def ours(self) -> list[Ours]:
        """What our ledger has: everything that the bank truly booked."""
        return [
            Ours(
                key=row.terms.key,
                kind=InstructionKind.WITHDRAWAL,
                institution="meridian",
                state=InstructionState.SETTLED,
                amount=AMOUNT,
                currency="USD",
                sent_at=row.created_at,
                instruction_id=uuid.uuid4(),
                transfer_id=uuid.uuid4(),
                booked={Facet.SETTLED: row.settled_amount},
            )
            for row in self.town.books.instructions.values()
        ]

    def compared(self, lines: Sequence[Activity], *, day: date) -> Matching:
        at = datetime.combine(day, datetime.max.time(), UTC)
        return match(institution=SETTLEMENT, ours=self.ours(), theirs=lines, at=at, day=day)


@pytest.fixture(scope="module")
def liar() -> Liar:
    return Liar()


def keys(differences: Sequence[Difference], kind: Kind) -> set[str]:
    return {item.reference for item in differences if item.kind is kind}


@pytest.mark.parametrize("shape", FILES)
def test_every_line_is_classified(liar: Liar, shape: str) -> None:
    assert all(70 <= len(found) <= 130 for found in liar.lies.values()), {k: len(v) for k, v in liar.lies.items()}
    lines = liar.paper(liar.day, shape)
    assert len(lines) == LINES - len(liar.lies[Fault.MISSING_LINE]) - len(liar.lies[Fault.LATE_LINE]) + len(
        liar.lies[Fault.REPEATED_LINE]
    )
    found = liar.compared(lines, day=liar.day)
    assert keys(found.differences, Kind.MISSING_THERE) == liar.lies[Fault.MISSING_LINE] | liar.lies[Fault.LATE_LINE]
    assert keys(found.differences, Kind.DUPLICATE) == liar.lies[Fault.REPEATED_LINE]
    assert keys(found.differences, Kind.AMOUNT) == liar.lies[Fault.WRONG_LINE]
    wrong = sum(len(lied) for lied in liar.lies.values())
    assert (len(found.differences), found.matched) == (wrong, LINES - wrong)
    assert {item.theirs for item in found.differences if item.kind is Kind.AMOUNT} == {AMOUNT + 7}


def test_what_was_late_agrees_on_the_next_day_and_nothing_else_does(liar: Liar) -> None:
    liar.town.later(days=1)
    next_day = liar.day + timedelta(days=1)
    both = [*liar.paper(liar.day, "json"), *liar.paper(next_day, "json")]
    found = liar.compared(both, day=next_day)
    assert keys(found.differences, Kind.MISSING_THERE) == liar.lies[Fault.MISSING_LINE]
    assert liar.lies[Fault.LATE_LINE] <= found.agreed
    assert len(found.differences) == sum(len(lied) for lied in liar.lies.values()) - len(liar.lies[Fault.LATE_LINE])


def test_what_the_differences_amount_to_is_the_difference_of_the_balances(liar: Liar) -> None:
    statement = read(name="day.json", content=liar.settlement.statement("USD", liar.day))
    found = liar.compared(statement.lines, day=liar.day)
    assert statement.opening == 0
    assert LINES * AMOUNT + found.unmatched["USD"] == statement.closing
