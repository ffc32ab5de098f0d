"""A small bank for tests: two investor accounts, one fund account, and a clock that only tests move."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from bridge.kernel.gateway import InstructionKind
from bridge.sandbox.model import (
    Account,
    Bank,
    Books,
    Delivery,
    Fault,
    FaultRule,
    InstitutionSettings,
    Owner,
    Rail,
    Settings,
    Terms,
)

START = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
RICH = 1_000_000


class Town:
    """The pure model with accounts in it."""

    def __init__(self, *, delay: float = 10.0, **settings: Any) -> None:
        rails = {"wire": Rail(delay_seconds=delay)}
        houses = {code: InstitutionSettings(name=code, rails=rails) for code in ("meridian", "harbor")}
        self.books = Books(seed="7", settings=Settings(institutions=houses, **settings))
        self.bank = Bank(self.books)
        self.now = START
        for institution, number, owner, balance in (
            ("meridian", "A1", Owner.INVESTOR, RICH),
            ("meridian", "A2", Owner.INVESTOR, RICH),
            ("harbor", "F1", Owner.FUND, 0),
        ):
            account = Account(institution, number, "021000021", "USD", owner)
            self.books.accounts[institution, number] = account
            self.books.move(self.books.outside("USD"), account, balance)

    def fault(self, fault: Fault, **given: Any) -> FaultRule:
        rule = FaultRule(id=self.books.next_id(), fault=fault, **given)
        self.books.faults.add(rule)
        return rule

    def submit(self, key: str, kind: str = "withdrawal", amount: int = 100, **given: Any) -> Delivery:
        house, number = ("meridian", "A1") if kind in ("withdrawal", "refund") else ("harbor", "F1")
        terms = Terms(
            key=key,
            kind=InstructionKind(kind),
            account_number=given.get("account", number),
            routing_number=given.get("routing", "021000021"),
            amount=amount,
            currency=given.get("currency", "USD"),
            reference=given.get("reference", "T1"),
        )
        return self.bank.submit(institution=house, terms=terms, now=self.now)

    def find(self, key: str, institution: str = "meridian") -> Delivery:
        return self.bank.find(institution=institution, key=key, now=self.now)

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)
        self.bank.run_due(self.now)

    def balance(self, institution: str, number: str) -> int:
        return self.books.accounts[institution, number].current

    @property
    def settlement(self) -> int:
        return self.books.settlement("USD").current

    def callbacks(self) -> list[tuple[str, str]]:
        """What is called back by now: `(key, status)`."""
        notices = self.bank.notices.take_due(self.now)
        for notice in notices:
            self.bank.notices.sent(notice)
        return [(n.payload["data"]["key"], n.payload["data"]["status"]) for n in notices]

    def total(self) -> int:
        return sum(account.current for account in self.books.accounts.values())
