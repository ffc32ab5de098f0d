from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

import pytest

from accounts.gateway import registry as investor_side
from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.approvals.services import Proposal
from bridge.events.models import Event
from bridge.kernel import clock
from bridge.kernel.results import Actor, Change, Channel, Done, Refused, Role
from bridge.sandbox.model import Fault, settling
from bridge.sandbox.model.records import StatementLine
from bridge.sandbox.model.views import statement_line_view
from funds.gateway import registry as fund_side
from tests.functional.notifications.test_event_schemas import validator
from tests.functional.reconciliation.conftest import Bench
from tests.world import CHECKER, HARBOR, MAKER, MERIDIAN
from transfers import services
from transfers.api.rendering import render_events
from transfers.float_approvals import PUT_IN, payment_id
from transfers.models import BankStatement, Receipt, Transfer
from transfers.reconciliation.intake import import_statement

CLERK = Actor("intake", Role.SYSTEM, Channel.COMMAND)


class Treasury(Bench):
    """A bench with the settlement account's statement in its hands, and two people."""

    def arrives(self, amount: int, *, reference: str = "", sender: str = "", kind: str = "other") -> StatementLine:
        """A line of the settlement account under no key of ours; below zero it goes out."""
        with self.house.lock:
            return settling.book_outside(
                self.bank.books,
                currency="USD",
                amount=amount,
                kind=kind,
                reference=reference,
                institution=sender,
                at=self.bank_time(),
            )

    def statement(self, day: date | None = None) -> bytes:
        """The bank's statement of a day, as JSON."""
        with self.house.lock:
            when = day or self.bank_time().date()
            _, lines, opening, closing = self.bank.statement(currency="USD", day=when, now=self.bank_time())
        body = {
            "account": "SETTLEMENT-USD",
            "currency": "USD",
            "date": when.isoformat(),
            "opening_balance": opening,
            "closing_balance": closing,
            "lines": [statement_line_view(line) for line in lines],
        }
        return json.dumps(body).encode()

    def states(self, *lines: dict[str, Any], opening: int = 0, account: str = "SETTLEMENT-USD") -> int:
        """Take in a statement of today with these lines, each of at least `id` and `amount` (below zero it goes out).
        The balance with which it closes."""
        rows = []
        for line in lines:
            way = {"direction": "credit" if line["amount"] > 0 else "debit", "amount": abs(line["amount"])}
            blank = {"kind": "other", "key": "", "institution_reference": "", "code": "", "currency": "USD"}
            rows.append({"at": f"{self.day}T09:00:00+00:00", **blank, **line, **way})
        closing = opening + sum(line["amount"] for line in lines)
        body = {
            "account": account,
            "currency": "USD",
            "date": self.day.isoformat(),
            "opening_balance": opening,
            "closing_balance": closing,
            "lines": rows,
        }
        import_statement(name="day.json", content=json.dumps(body).encode(), actor=CLERK)
        return closing

    def take_in(self, day: date | None = None) -> BankStatement:
        return import_statement(name="day.json", content=self.statement(day), actor=CLERK)

    def receipt(self, amount: int, **given: Any) -> Receipt:
        """Money that came, as its statement was taken in; the next statement is the next day's."""
        line = self.arrives(amount, **given)
        self.take_in()
        self.next_day()
        return Receipt.objects.get(line=f"settlement-{line.id}")

    def takes_back(self, transfer: Transfer, amount: int | None = None) -> None:
        """The investor's bank takes the withdrawal back, whole or in part, and tells us."""
        order = self.at_bank(self.leg(transfer, "withdrawal"))
        with self.house.lock:
            given = {"code": "R10", "reason": "Not authorised", **({"amount": amount} if amount else {})}
            refused = self.bank.force(order, verb="return", given=given, now=self.bank_time())
        assert refused is None, refused
        self.run(rounds=2)

    def short_paid(self, *, by: int, amount: int = 100_000_00) -> Transfer:
        """A transfer whose bank credited less than was ordered."""
        self.fault(Fault.WRONG_AMOUNT, kind="withdrawal", delta=-by)
        transfer = self.request(self.account(), self.fund(), amount)
        self.run(rounds=3)
        return self.fresh(transfer)

    def completed_where_arrivals_wait(self) -> Transfer:
        """Completed in a fund whose policy lets people decide about money that comes back."""
        transfer = self.request(self.account(), self.fund(on_deposit_failure="hold"), 1_000_000)
        self.run()
        found = self.fresh(transfer)
        assert found.state == "completed"
        return found

    def refunds(self, transfer: Transfer) -> None:
        """People decide that it goes back, and it does."""
        (result,) = services.refund_transfers(changes=[Change(transfer.id)], actor=MAKER)
        assert isinstance(result, Done), result
        self.run(rounds=6)
        assert self.fresh(transfer).state == "refunded"

    def next_day(self) -> None:
        now = clock.now()
        noon = datetime.combine(now.date() + timedelta(days=1), time(12), now.tzinfo)
        self.advance(seconds=(noon - now).total_seconds())

    def asked(self, kind: str, subject: Any, payload: dict[str, Any], *, by: Actor = MAKER) -> Approval:
        return approvals.propose(proposal=Proposal(kind, subject, payload, "As agreed."), actor=by)

    def agreed(self, kind: str, subject: Any, payload: dict[str, Any]) -> None:
        """Two people decide it."""
        (result,) = self.decided(self.asked(kind, subject, payload))
        assert not isinstance(result, Refused), result.error

    def decided(self, *asked: Approval, by: Actor = CHECKER) -> list[Any]:
        return approvals.approve(changes=[Change(one.id, one.version) for one in asked], actor=by)

    def funding(self, amount: int, reference: str, **given: Any) -> tuple[Any, dict[str, Any]]:
        payload = {
            "currency": "USD",
            "amount": amount,
            "bank_reference": reference,
            "paid_on": clock.now().date().isoformat(),
            "why": "Initial float, agreed by the board.",
            **given,
        }
        return payment_id("USD", reference), payload

    def funds_float(self, amount: int, reference: str = "IN-1", *, stated: bool = True) -> None:
        """The firm pays in, at the bank and in our books."""
        if stated:
            self.arrives(amount, reference=reference)
        self.agreed(PUT_IN, *self.funding(amount, reference))


def published() -> None:
    """Every event of the log fits its schema, as the firm and as investors are shown it."""
    for whole in (True, False):
        for event in render_events(Event.objects.order_by("at", "seq"), inside=whole):
            problems = [error.message for error in validator(event["type"]).iter_errors(json.loads(json.dumps(event)))]
            assert problems == [], (event, problems)


@pytest.fixture
def desk(db: None) -> Iterator[Treasury]:
    """It ends with every invariant and the form of every event checked."""
    made = Treasury()
    with (
        investor_side.use_gateways({MERIDIAN: made.house.gateway(MERIDIAN)}),
        fund_side.use_gateways({HARBOR: made.house.gateway(HARBOR)}),
    ):
        made.settle_clocks()
        yield made
        made.check()
        published()
