"""Both banks of a run, and what passes between them and Bridge: gateways, callbacks, statements."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any

from bridge.kernel.gateway import AccountRef, Balance, InstructionKind, Order, Outcome, Report
from bridge.kernel.money import display
from bridge.management.simulation import faults
from bridge.management.simulation.story import Story
from bridge.management.simulation.virtual import VirtualTime
from bridge.sandbox.inprocess import InProcessBank, InProcessGateway
from bridge.sandbox.model import Account, Bank, Books, InstitutionSettings, Instruction, Owner, Rail, Settings, Status

MERIDIAN, HARBOR = "meridian", "harbor"
ROUTING = "021000021"
SPEEDS = (0.0, 0.0, 1.0, 1.0, 1.0, 20.0, 20.0, 600.0, 86_400.0)  # seconds until an order settles


@dataclass(frozen=True, slots=True)
class Notice:
    """A callback on its way to us."""

    due_at: datetime
    order: int
    institution: str
    id: str
    payload: dict[str, Any]


class House:
    """The bank's model, and hooks for what others do while somebody waits for it."""

    def __init__(self, seed: int, rng: Random, time: VirtualTime, story: Story) -> None:
        self.rng, self.time, self.story = rng, time, story

        def institution(name: str) -> InstitutionSettings:
            speeds = {"wire": Rail(delay_seconds=rng.choice(SPEEDS)), "ach": Rail(delay_seconds=rng.choice(SPEEDS))}
            return InstitutionSettings(name=name, rails=speeds, fee=rng.choice((0, 0, 0, 1_500)))

        settings = Settings(
            institutions={MERIDIAN: institution("Meridian Custody Bank"), HARBOR: institution("Harbor Trust")},
            recall_honoured=rng.random() < 0.5,
            callback_on_reply=rng.random() < 0.5,
        )
        self.bank = Bank(Books(epoch=f"s{seed}", seed=str(seed), settings=settings))
        self.inprocess = InProcessBank(self.bank, time.now)
        self.mailbox: list[Notice] = []
        self.before_call: Callable[[Order | None, str], None] = lambda order, what: None
        self.after_call: Callable[[str], None] = lambda what: None
        self.refused: set[str] = set()  # keys of which the bank once said that they came to nothing
        self._received = 0

    @property
    def books(self) -> Books:
        return self.bank.books

    def gateway(self, institution: str) -> WatchedGateway:
        return WatchedGateway(self, institution)

    def open_account(self, institution: str, number: str, currency: str, owner: Owner, balance: int) -> None:
        account = Account(institution, number, ROUTING, currency, owner)
        self.books.accounts[institution, number] = account
        self.books.move(self.books.outside(currency), account, balance)

    # --- faults

    def plan_faults(self) -> None:
        """Draw which faults strike in this run, whom and how often."""
        for rule in faults.plan(self.rng):
            self.books.faults.add(rule)

    def fired(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for rule in self.books.faults.rules.values():
            found[str(rule.fault)] += rule.used
        return found

    def be_well(self) -> None:
        """No more faults; every account is open."""
        for number in list(self.books.faults.rules):
            self.books.faults.remove(number)
        for account in self.books.accounts.values():
            account.is_open = True

    # --- callbacks

    def post(self) -> None:
        """Take over what the bank has to say by now."""
        now = self.bank.run_due(self.time.now())
        for notice in self.bank.notices.take_due(now):
            self.bank.notices.sent(notice)
            self.mail(notice.due_at, notice.institution, notice.id, notice.payload)

    def mail(self, due_at: datetime, institution: str, number: str, payload: dict[str, Any]) -> None:
        data = payload["data"]
        self.hear(data["key"], data["status"], data["settled_amount"] + data["fee"])
        self._received += 1
        self.mailbox.append(Notice(due_at, self._received, institution, number, payload))

    def hear(self, key: str, status: str, moved: int) -> None:
        """The bank says something about a key."""
        if status == Outcome.REJECTED or (status in (Outcome.SETTLED, Outcome.RETURNED) and not moved):
            self.refused.add(key)

    def due(self) -> list[Notice]:
        """The callbacks that arrive about now; they leave the mailbox."""
        self.post()
        now = self.time.now()
        due = sorted((n for n in self.mailbox if n.due_at <= now), key=lambda n: (n.due_at, n.order))
        self.mailbox = [n for n in self.mailbox if n.due_at > now]
        return due

    def later(self, notice: Notice, seconds: float) -> None:
        """The sender comes again."""
        self.mail(self.time.now() + timedelta(seconds=seconds), notice.institution, notice.id, notice.payload)

    def next_moment(self) -> datetime | None:
        """When something happens next at the bank, or arrives from it."""
        moments = [notice.due_at for notice in self.mailbox]
        moments += [callback.due_at for callback in self.books.callbacks.values()]
        scheduled = self.books.next_due()
        return min([*moments, scheduled] if scheduled else moments, default=None)


class WatchedGateway(InProcessGateway):
    """The bank behind the gateway protocol; other machines may act while a call is under way."""

    def __init__(self, house: House, institution: str) -> None:
        super().__init__(house.inprocess, institution)
        self.house = house

    def submit(self, order: Order) -> Report:
        what = f"{order.kind} of {display(order.amount, order.currency)}"
        self.house.before_call(order, what)
        report = super().submit(order)
        self.house.hear(order.key, report.outcome, report.settled_amount + report.fee)
        self.house.story.tell(f"{self.institution} is sent the {what} ({order.key[-6:]}): {_said(report)}")
        self.house.after_call(what)
        return report

    def find(self, key: str) -> Report:
        self.house.before_call(None, "question")
        report = super().find(key)
        self.house.hear(key, report.outcome, report.settled_amount + report.fee)
        self.house.story.tell(f"{self.institution} is asked about {key[-6:]}: {_said(report)}")
        self.house.after_call("question")
        return report

    def balance(self, account: AccountRef) -> Balance:
        self.house.before_call(None, "balance")
        found = super().balance(account)
        self.house.after_call("balance")
        return found


def _said(report: Report) -> str:
    if report.outcome is Outcome.UNKNOWN:
        return "no usable answer"
    if report.outcome is Outcome.NOT_FOUND:
        return "it knows no such key"
    more = f", {report.settled_amount} credited" if report.settled_amount else ""
    more += f", {report.returned_amount} sent back" if report.returned_amount else ""
    return f"{report.outcome}{more}{f' ({report.code})' if report.code else ''}"


def acts_or_may(books: Books, key: str) -> bool:
    """Whether the bank acted on this key, or still may: not rejected, not sent back, or on its way to it."""
    if any(arrival.terms.key == key for arrival in books.arrivals.values()):
        return True
    found = [row for row in books.instructions.values() if row.terms.key == key]
    return any(row.status is Status.ACKNOWLEDGED or _has_paid(row) for row in found)


def _has_paid(row: Instruction) -> bool:
    return row.status is Status.SETTLED and row.settled_amount + row.fee > 0


PAYING = (InstructionKind.WITHDRAWAL, InstructionKind.DEPOSIT, InstructionKind.REFUND)
