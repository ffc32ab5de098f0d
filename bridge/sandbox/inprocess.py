"""The bank without a wire: the pure model behind the gateway protocol, for simulations, tests and benchmarks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from threading import RLock
from typing import Any

from bridge.kernel.gateway import AccountRef, Activity, Balance, GatewayUnavailable, Order, Outcome, Report
from bridge.sandbox.client import read_callback
from bridge.sandbox.model import Bank, Behaviour, Delivery, Terms
from bridge.sandbox.model.books import SETTLEMENT
from bridge.sandbox.model.views import activity_view, instruction_view
from bridge.sandbox.server.statements import WRITERS, Statement
from bridge.sandbox.wire import RAILS, activity_from, balance_from, report_from

PAGE = 1000


class InProcessBank:
    """One bank, its lock and its clock, shared by the gateways of all its institutions."""

    def __init__(self, bank: Bank, clock: Callable[[], datetime]) -> None:
        self.bank = bank
        self.clock = clock
        self.lock = RLock()

    def gateway(self, institution: str) -> InProcessGateway:
        return InProcessGateway(self, institution)

    def settlement(self) -> InProcessSettlement:
        return InProcessSettlement(self)

    def take_callbacks(self) -> list[tuple[str, str, Report]]:
        """What the bank would call back by now, in order: `(institution, message id, report)`; each is given once."""
        with self.lock:
            now = self.bank.run_due(self.clock())
            notices = self.bank.notices.take_due(now)
            for notice in notices:
                self.bank.notices.sent(notice)
        return [(notice.institution, notice.id, report_from(notice.payload["data"])) for notice in notices]


class InProcessSettlement:
    """The settlement account of one currency: what `client.SettlementAccount` is over a wire."""

    def __init__(self, house: InProcessBank) -> None:
        self._house = house

    def balance(self, currency: str) -> Balance:
        with self._house.lock:
            now, number = self._house.clock(), self._house.bank.books.settlement(currency).number
            delivery = self._house.bank.balance(institution=SETTLEMENT, number=number, now=now)
        if delivery.body is None:
            raise GatewayUnavailable(SETTLEMENT, _why(delivery))
        return balance_from(delivery.body)

    def statement(self, currency: str, day: date, shape: str = "json") -> bytes:
        """One day's statement as the bank sends it: json, camt053, bai2, mt940 or csv."""
        with self._house.lock:
            now, number = self._house.clock(), self._house.bank.books.settlement(currency).number
            delivery, lines, opening, closing = self._house.bank.statement(currency=currency, day=day, now=now)
        if delivery.body is None:
            raise GatewayUnavailable(SETTLEMENT, _why(delivery))
        shown = date.fromisoformat(delivery.body["date"])
        text = WRITERS[shape][1](Statement(number, currency, shown, opening, closing, lines, now))
        content = text.encode()
        return content[: int(len(content) * delivery.keep)]


class InProcessGateway:
    """`InstitutionGateway` over the model. Silence and errors come back as `UNKNOWN` at once, without waiting."""

    def __init__(self, house: InProcessBank, institution: str) -> None:
        self._house = house
        self.institution = institution

    def submit(self, order: Order) -> Report:
        terms = Terms(
            key=order.key,
            kind=order.kind,
            account_number=order.account_number,
            routing_number=order.routing_number,
            amount=order.amount,
            currency=order.currency,
            reference=order.reference,
            rail=RAILS[order.rail],
        )
        with self._house.lock:
            now = self._house.clock()
            delivery = self._house.bank.submit(institution=self.institution, terms=terms, now=now)
        return _report(delivery, order.key)

    def find(self, key: str) -> Report:
        with self._house.lock:
            now = self._house.clock()
            delivery = self._house.bank.find(institution=self.institution, key=key, now=now)
        return _report(delivery, key)

    def balance(self, account: AccountRef) -> Balance:
        with self._house.lock:
            now, number = self._house.clock(), account.account_number
            delivery = self._house.bank.balance(institution=self.institution, number=number, now=now)
        if delivery.body is None:
            raise GatewayUnavailable(self.institution, _why(delivery), answered=delivery.problem is not None)
        return balance_from(delivery.body)

    def activity(self, since: datetime) -> Iterator[Activity]:
        after = 0
        while True:
            with self._house.lock:
                delivery, lines = self._house.bank.activity(
                    institution=self.institution, since=since, after=after, limit=PAGE, now=self._house.clock()
                )
            if delivery.behaviour is not Behaviour.REPLY:
                raise GatewayUnavailable(self.institution, _why(delivery), answered=delivery.problem is not None)
            yield from (activity_from(activity_view(line)) for line in lines)
            if len(lines) < PAGE:
                return
            after = lines[-1].id

    def record(self) -> list[Report]:
        """Every instruction that the institution ever took, oldest first, also under keys that it has forgotten."""
        with self._house.lock:
            bank, now = self._house.bank, self._house.clock()
            limit = len(bank.books.instructions)
            rows = bank.record(institution=self.institution, after=0, limit=limit, now=now)
            return [report_from(instruction_view(row)) for row in rows]

    def reading(self, payload: Mapping[str, Any]) -> Report:
        return read_callback(payload)


def _report(delivery: Delivery, key: str) -> Report:
    if delivery.body is not None:
        return report_from(delivery.body)
    if delivery.problem is None:
        return Report(key=key, outcome=Outcome.UNKNOWN, code="no_reply", reason=_why(delivery))
    if delivery.problem.code == "not_found":
        return Report(key=key, outcome=Outcome.NOT_FOUND)
    # A key that was used with another body may have acted: that is not a rejection.
    return Report(key=key, outcome=Outcome.UNKNOWN, code=delivery.problem.code, reason=delivery.problem.reason)


def _why(delivery: Delivery) -> str:
    return delivery.problem.reason if delivery.problem else f"the bank answered with {delivery.behaviour}"
