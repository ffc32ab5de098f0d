"""The bank's books: every record in memory, every change noted, so that a store can keep exactly what changed."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from bridge.sandbox.model.faults import FaultPlan, FaultRule
from bridge.sandbox.model.records import (
    Account,
    ActivityLine,
    Arrival,
    Callback,
    FollowUp,
    Instruction,
    Owner,
    Record,
    StatementLine,
)
from bridge.sandbox.model.settings import Settings

SETTLEMENT = "settlement"
BANK = "bank"


@dataclass(slots=True)
class Meta:
    """`epoch` goes into every id that the bank gives out, so that ids of a bank that was reset never come again."""

    table: ClassVar[str] = "meta"

    epoch: str = "0"
    counter: int = 0
    offset_seconds: float = 0.0

    @property
    def pk(self) -> str:
        return "meta"


class Books:
    """Not thread-safe: the bank's wrapper holds one lock around every call."""

    def __init__(self, *, epoch: str = "0", seed: str = "0", settings: Settings | None = None) -> None:
        self.meta = Meta(epoch=epoch)
        self.settings = settings or Settings()
        self.faults = FaultPlan(seed=seed)
        self.accounts: dict[tuple[str, str], Account] = {}
        self.instructions: dict[int, Instruction] = {}
        self.keys: dict[tuple[str, str], Instruction] = {}
        self.arrivals: dict[int, Arrival] = {}
        self.follow_ups: dict[int, FollowUp] = {}
        self.callbacks: dict[int, Callback] = {}
        self.activity: dict[str, list[ActivityLine]] = {}
        self.statements: dict[str, list[StatementLine]] = {}
        self.misprints: dict[str, list[StatementLine]] = {}
        self._due: list[tuple[datetime, int, str, int]] = []
        self._changed: dict[tuple[str, str], Record | None] = {}
        self.touch(self.meta)
        self.touch(self.settings)

    # -- what changed ------------------------------------------------------------------------------------------------

    def touch(self, record: Record) -> None:
        self._changed[record.table, record.pk] = record

    def forget(self, record: Record) -> None:
        self._changed[record.table, record.pk] = None

    def drain(self) -> dict[tuple[str, str], Record | None]:
        """All records that changed since the last call; `None` for one that is gone."""
        changed, self._changed = self._changed, {}
        return changed

    def next_id(self) -> int:
        self.meta.counter += 1
        self.touch(self.meta)
        return self.meta.counter

    # -- accounts ----------------------------------------------------------------------------------------------------

    def settlement(self, currency: str) -> Account:
        return self._own(SETTLEMENT, f"SETTLEMENT-{currency}", currency, Owner.SETTLEMENT)

    def fees(self, currency: str) -> Account:
        return self._own(BANK, f"FEES-{currency}", currency, Owner.BANK)

    def outside(self, currency: str) -> Account:
        return self._own(BANK, f"OUTSIDE-{currency}", currency, Owner.BANK)

    def _own(self, institution: str, number: str, currency: str, owner: Owner) -> Account:
        account = self.accounts.get((institution, number))
        if account is None:
            account = Account(institution, number, "", currency, owner)
            self.accounts[institution, number] = account
            self.touch(account)
        return account

    def move(self, source: Account, target: Account, amount: int) -> None:
        """Money never appears or vanishes: all accounts together are zero per currency, always."""
        assert source.currency == target.currency
        source.current -= amount
        target.current += amount
        self.touch(source)
        self.touch(target)

    # -- lines -------------------------------------------------------------------------------------------------------

    def add_activity(self, line: ActivityLine) -> None:
        self.activity.setdefault(line.institution, []).append(line)
        self.touch(line)

    def add_statement(self, line: StatementLine) -> None:
        self._keep_statement(line)
        self.touch(line)

    def _keep_statement(self, line: StatementLine) -> None:
        self.statements.setdefault(line.currency, []).append(line)
        if line.misprint:
            self.misprints.setdefault(line.currency, []).append(line)

    # -- what is due -------------------------------------------------------------------------------------------------

    def schedule(self, at: datetime, what: str, record_id: int) -> None:
        heapq.heappush(self._due, (at, self.next_id(), what, record_id))

    def pop_due(self, now: datetime) -> Iterator[tuple[datetime, str, int]]:
        """What falls due until `now`, in order of time; also what is scheduled meanwhile."""
        while self._due and self._due[0][0] <= now:
            at, _, what, record_id = heapq.heappop(self._due)
            yield at, what, record_id

    def next_due(self) -> datetime | None:
        return self._due[0][0] if self._due else None

    # -- coming back from a store ------------------------------------------------------------------------------------

    @classmethod
    def restored(cls, records: Iterable[Record], *, seed: str = "0") -> Books:
        """Books from all records that a store kept, in order of their `pk` per table."""
        books = cls(seed=seed)
        rules: list[FaultRule] = []
        for record in records:
            books._take_back(record, rules)
        books.faults = FaultPlan(seed=seed, rules=rules)
        for instruction in books.instructions.values():
            if instruction.settle_at is not None:
                books.schedule(instruction.settle_at, "settle", instruction.id)
            if instruction.return_at is not None:
                books.schedule(instruction.return_at, "return", instruction.id)
        for arrival in books.arrivals.values():
            books.schedule(arrival.at, "arrive", arrival.id)
        for planned in books.follow_ups.values():
            books.schedule(planned.at, "follow_up", planned.id)
        books.drain()
        return books

    def _take_back(self, record: Record, rules: list[FaultRule]) -> None:
        match record:
            case Meta():
                self.meta = record
            case Settings():
                self.settings = record
            case FaultRule():
                rules.append(record)
            case Account():
                self.accounts[record.institution, record.number] = record
            case Instruction():
                self.instructions[record.id] = record
                if not record.forgotten:
                    self.keys[record.institution, record.terms.key] = record
            case Arrival():
                self.arrivals[record.id] = record
            case FollowUp():
                self.follow_ups[record.id] = record
            case Callback():
                self.callbacks[record.seq] = record
            case ActivityLine():
                self.activity.setdefault(record.institution, []).append(record)
            case StatementLine():
                self._keep_statement(record)
            case _:
                raise TypeError(f"no place in the books for {record!r}")
