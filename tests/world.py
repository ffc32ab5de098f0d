"""A small world for tests: the real services and engine on the real database, beside the sandbox bank's model.

`World` opens investors, accounts and funds at both, moves time at both, and drives the engine until nothing is due.
"""

from __future__ import annotations

import itertools
import random
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Q

from accounts import services as accounts
from accounts.gateway import registry as investor_side
from accounts.models import Investor, InvestorAccount
from bridge.kernel import clock, invariants
from bridge.kernel.gateway import Report
from bridge.kernel.results import Actor, Channel, Done, Result, Role
from bridge.sandbox.inprocess import InProcessBank
from bridge.sandbox.model import Account, Bank, Books, Fault, FaultRule, InstitutionSettings, Owner, Rail, Settings
from funds import services as funds
from funds.gateway import registry as fund_side
from funds.models import Fund
from transfers import cases, desk, facts, services
from transfers.engine import drain
from transfers.models import InboundCallback, Transfer
from transfers.policy import policy
from transfers.states import ENDED

MERIDIAN, HARBOR = "meridian", "harbor"
ROUTING = "021000021"
INVESTOR = Actor("investor-login", Role.INVESTOR, Channel.API)
CHECKER = Actor("checker-login", Role.CHECKER, Channel.ADMIN)
MAKER = Actor("maker-login", Role.MAKER, Channel.ADMIN)
SETUP = Actor("setup", Role.SYSTEM, Channel.COMMAND)
_numbers = itertools.count(10_000_000)


CASES = 12  # families whose proof every test ends with


class World:
    """Two banks, one Bridge. Amounts in minor units of USD unless said."""

    def __init__(self, *, delay: float = 1.0, deliver_callbacks: bool = True) -> None:
        rails = {"wire": Rail(delay_seconds=delay), "ach": Rail(delay_seconds=delay)}
        self.bank = Bank(
            Books(
                seed="1",
                settings=Settings(
                    institutions={
                        MERIDIAN: InstitutionSettings(name="Meridian Custody Bank", rails=dict(rails)),
                        HARBOR: InstitutionSettings(name="Harbor Trust", rails=dict(rails)),
                    }
                ),
            )
        )
        self.ahead = timedelta(0)
        self.house = InProcessBank(self.bank, self.bank_time)
        self.deliver_callbacks = deliver_callbacks
        self._faults = itertools.count(1)

    def bank_time(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    # --- people and funds

    def investor(self, **given: Any) -> Investor:
        values = {"kind": "natural_person", "legal_name": f"Investor {next(_numbers)}", **given}
        return accounts.open_investors(rows=[accounts.NewInvestor(**values)], actor=SETUP)[0]

    def account(
        self, *, investor: Investor | None = None, balance: int = 100_000_000, currency: str = "USD"
    ) -> InvestorAccount:
        number = str(next(_numbers))
        owner = investor or self.investor()
        row = accounts.NewAccount(owner.id, MERIDIAN, "Custody account", currency, number, ROUTING)
        (account,) = accounts.open_accounts(rows=[row], actor=SETUP)
        with self.house.lock:
            self._open(MERIDIAN, number, currency, Owner.INVESTOR, balance)
        return account

    def fund(self, **given: Any) -> Fund:
        number = str(next(_numbers))
        moment = clock.now()
        values: dict[str, Any] = {
            "code": f"fund-{number}",
            "name": f"Fund {number}",
            "kind": "venture",
            "currency": "USD",
            "institution": HARBOR,
            "account_number": number,
            "routing_number": ROUTING,
            "opens_at": moment - timedelta(days=30),
            "closes_at": moment + timedelta(days=90),
            "status": "open",
            "minimum": 1_000,
            "seat_limit": 100,
            "hard_cap": 100_000_000_00,
            **given,
        }
        (fund,) = funds.open_funds(rows=[funds.NewFund(**values)], actor=SETUP)
        with self.house.lock:
            self._open(HARBOR, number, values["currency"], Owner.FUND, 0)
        return fund

    def _open(self, institution: str, number: str, currency: str, owner: Owner, balance: int) -> None:
        books = self.bank.books
        account = Account(institution, number, ROUTING, currency, owner)
        books.accounts[institution, number] = account
        if balance:
            books.move(books.outside(currency), account, balance)

    # --- requests

    def request(
        self, account: InvestorAccount, fund: Fund, amount: int = 1_000_000, *, actor: Actor = INVESTOR, **given: Any
    ) -> Transfer:
        """Ask for one transfer and return it as it then is."""
        (result,) = self.requests([(account, fund, amount)], actor=actor, **given)
        assert isinstance(result, Done), result
        return self.fresh(result.id)

    def requests(
        self, rows: list[tuple[InvestorAccount, Fund, int]], *, actor: Actor = INVESTOR, **given: Any
    ) -> list[Result]:
        wanted = [
            services.TransferRequest(account.id, fund.id, amount, account.currency, **given)
            for account, fund, amount in rows
        ]
        known = facts.gather(account_ids={account.id for account, _, _ in rows}, max_age=0)
        results = services.request_transfers(requests=wanted, actor=actor, facts=known)
        assert isinstance(results, list)
        return results

    def fresh(self, transfer: Transfer | uuid.UUID) -> Transfer:
        key = transfer.id if isinstance(transfer, Transfer) else transfer
        return Transfer.objects.select_related("fund", "source_account").get(pk=key)

    # --- time and faults

    def advance(self, **by: float) -> None:
        """Both clocks."""
        step = timedelta(**by)
        clock.advance(by=step)
        self.ahead += step

    def wait_out(self, name: str) -> None:
        """Both clocks, to a minute after a wait of the policy that begins now."""
        moment = clock.now()
        self.advance(seconds=(policy().after(moment, name) - moment).total_seconds() + 60)

    def fault(self, fault: Fault, **given: Any) -> FaultRule:
        """Something goes wrong at the bank; once, unless `count` says otherwise."""
        rule = FaultRule(id=next(self._faults), fault=fault, **{"count": 1, **given})
        with self.house.lock:
            self.bank.books.faults.add(rule)
        return rule

    def run(self, *, seconds: float = 5, rounds: int = 6) -> None:
        """Let both sides work, moving time a little between."""
        for _ in range(rounds):
            drain()
            self.advance(seconds=seconds)
            self.receive()
        drain()

    def receive(self) -> None:
        """Deliver what the bank calls back."""
        for institution, message, report in self.house.take_callbacks():
            if self.deliver_callbacks:
                self.store_callback(institution, message, report)

    def store_callback(self, institution: str, message: str, report: Report, **other: Any) -> None:
        """As the bank said it; `other`: what it said in other words than a report can."""
        InboundCallback.objects.get_or_create(
            institution=institution,
            callback_id=message,
            defaults={"body": {"data": {**_as_sent(report), **other}}, "received_at": clock.now()},
        )

    # --- the end of every test

    def check(self) -> None:
        """Every invariant holds, and the bank's own books agree with ours per key."""
        broken = {verdict.name: verdict.rows for verdict in invariants.verify_all() if not verdict.holds}
        assert broken == {}
        self._shown()
        self._proved()
        self._agree()

    def _shown(self) -> None:
        """Every open transfer stands once in what operations look at."""
        shown = Counter(item.pk for item in desk.everything(at=clock.now()) if item.kind == "transfer")
        open_ones = Transfer.objects.filter(Q(work__isnull=False) | ~Q(state__in=ENDED)).values_list("pk", flat=True)
        assert shown == Counter(set(open_ones))

    def _proved(self) -> None:
        """The cases of the newest families add up, as operations see them."""
        for family in Transfer.objects.filter(split_from__isnull=True).order_by("-pk")[:CASES]:
            proof = cases.case_of(family).proof
            assert proof.holds, (family, proof)

    def _agree(self) -> None:
        from transfers.models import BankInstruction

        theirs = {i.terms.key: i for i in self.bank.books.instructions.values()}
        assert theirs.keys() <= set(BankInstruction.objects.values_list("key", flat=True))
        for ours in BankInstruction.objects.exclude(state__in=["submitted", "unknown", "acknowledged"]):
            there = theirs.get(ours.key)
            if ours.state == "rejected":
                assert there is None or str(there.status) == "rejected", (ours, there)
            else:
                assert there is not None and there.settled_amount == ours.settled_amount, (ours, there)
                assert ours.kind == "recall" or there.returned_amount == ours.returned_amount, (ours, there)


def _as_sent(report: Report) -> dict[str, Any]:
    """A report in the bank's own words, as it stands in a callback."""
    values = {**asdict(report), "at": (report.at or clock.now()).isoformat()}
    return {**values, "status": str(values.pop("outcome"))}


@contextmanager
def world(**given: Any) -> Iterator[World]:
    """A world whose banks answer Bridge inside the block."""
    made = World(**given)
    with ExitStack() as stack:
        stack.enter_context(investor_side.use_gateways({MERIDIAN: made.house.gateway(MERIDIAN)}))
        stack.enter_context(fund_side.use_gateways({HARBOR: made.house.gateway(HARBOR)}))
        assert settings.BRIDGE_SANDBOX_MODE
        yield made


def shuffled(items: list[Any], seed: int) -> list[Any]:
    return random.Random(seed).sample(items, len(items))
