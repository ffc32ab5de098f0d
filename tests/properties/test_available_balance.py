"""Available balance never counts money twice, whatever the order of calls, replies and observations.

A bank that nets withdrawals from the moment it acknowledges them, and a Bridge that learns of that later, or never;
balances are fetched while both go on, and decisions use any of them, old or new.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from accounts import holds
from accounts.models import BalanceObservation, InvestorAccount
from accounts.queries import available

AMOUNTS = st.integers(1, 400)
NUMBERS = st.integers(0, 20)
AT_ONCE = 3  # withdrawals under way; more only make a counterexample rarer


class At(Enum):
    """Where a withdrawal is, at the bank."""

    NOT_SENT = auto()
    ACCEPTED = auto()
    SETTLED = auto()
    REJECTED = auto()


@dataclass
class Withdrawal:
    amount: int
    begun: bool = False
    at: At = At.NOT_SENT
    debited: int = 0
    known_accepted: bool = False
    closed: bool = False  # its end is committed in Bridge

    @property
    def netted(self) -> int:
        """What the bank's available balance is less because of it."""
        return {At.ACCEPTED: self.amount, At.SETTLED: self.debited}.get(self.at, 0)

    @property
    def news(self) -> bool:
        """Whether the bank has something to say that Bridge has not committed."""
        if self.closed or self.at == At.NOT_SENT:
            return False
        return self.at != At.ACCEPTED or not self.known_accepted

    @property
    def claim(self) -> int:
        """What it may still take out of what the bank calls available."""
        if self.closed or self.at != At.NOT_SENT:
            return 0
        return self.amount


WAITING: dict[str, Any] = {"begun": False, "closed": False}
ON_ITS_WAY: dict[str, Any] = {"begun": True, "at": At.NOT_SENT, "closed": False}


class Bank(RuleBasedStateMachine):
    """One account. `held`, `begun` … move only through `accounts.holds`, as services move them."""

    def __init__(self) -> None:
        super().__init__()
        self.deposited = 1_000
        self.account = InvestorAccount(held=0, withdrawals_begun=0, withdrawals_acknowledged=0)
        self.withdrawals: list[Withdrawal] = []
        self.observations: list[BalanceObservation] = []
        self.asking: list[int] = []  # totals of acknowledged withdrawals, read before the calls that are under way

    # --- Bridge

    def move(self, movement: holds.Movement) -> None:
        self.account.held += movement.held
        self.account.withdrawals_begun += movement.begun
        self.account.withdrawals_acknowledged += movement.acknowledged

    def some(self, number: int, **having: Any) -> Withdrawal | None:
        fit = [row for row in self.withdrawals if all(getattr(row, name) == value for name, value in having.items())]
        return fit[number % len(fit)] if fit else None

    def the(self, number: int, **having: Any) -> Withdrawal:
        found = self.some(number, **having)
        assert found is not None
        return found

    @initialize()
    def first_observation(self) -> None:
        self.start_asking()
        self.be_answered(0)

    @precondition(lambda self: sum(not row.closed for row in self.withdrawals) < AT_ONCE)
    @rule(amount=AMOUNTS, which=NUMBERS)
    def request(self, amount: int, which: int) -> None:
        seen = self.observations[which % len(self.observations)]
        if available(self.account, seen) >= amount:
            self.withdrawals.append(Withdrawal(amount))
            self.move(holds.taken(self.account.id, amount))

    @precondition(lambda self: self.some(0, **WAITING))
    @rule(number=NUMBERS)
    def cancel(self, number: int) -> None:
        row = self.the(number, **WAITING)
        row.closed = True
        self.move(holds.released(self.account.id, row.amount))

    @precondition(lambda self: self.some(0, **WAITING))
    @rule(number=NUMBERS)
    def begin(self, number: int) -> None:
        row = self.the(number, **WAITING)
        row.begun = True
        self.move(holds.begun(self.account.id, row.amount))

    @precondition(lambda self: self.some(0, news=True))
    @rule(number=NUMBERS)
    def learn(self, number: int) -> None:
        """A reply, callback or answer reaches Bridge and is committed."""
        row = self.the(number, news=True)
        if row.at == At.REJECTED:
            row.closed = True
            self.move(holds.undone(self.account.id, row.amount, was_acknowledged=row.known_accepted))
            return
        if not row.known_accepted:
            row.known_accepted = True
            self.move(holds.acknowledged(self.account.id, row.amount))
        row.closed = row.at == At.SETTLED

    @rule()
    def start_asking(self) -> None:
        self.asking.append(self.account.withdrawals_acknowledged)

    @precondition(lambda self: self.asking)
    @rule(number=NUMBERS)
    def be_answered(self, number: int) -> None:
        before = self.asking.pop(number % len(self.asking))
        self.observations.append(BalanceObservation(available=self.bank_available, acknowledged_before=before))

    @rule()
    def fetch(self) -> None:
        """Asked and answered with nothing in between."""
        self.start_asking()
        self.be_answered(-1)

    # --- the bank

    @property
    def bank_available(self) -> int:
        return self.deposited - sum(row.netted for row in self.withdrawals)

    @precondition(lambda self: self.some(0, **ON_ITS_WAY))
    @rule(number=NUMBERS, taken=st.booleans())
    def arrive(self, number: int, taken: bool) -> None:
        self.the(number, **ON_ITS_WAY).at = At.ACCEPTED if taken else At.REJECTED

    @precondition(lambda self: self.some(0, at=At.ACCEPTED))
    @rule(number=NUMBERS, debited=st.sampled_from([100, 100, 60, 0]), settles=st.booleans())
    def finish(self, number: int, debited: int, settles: bool) -> None:
        """It settles, now and then with less than was asked for, or is rejected after all."""
        row = self.the(number, at=At.ACCEPTED)
        row.at = At.SETTLED if settles else At.REJECTED
        row.debited = row.amount * debited // 100

    @rule(amount=AMOUNTS)
    def receive(self, amount: int) -> None:
        """The investor pays in, or a refund arrives."""
        self.deposited += amount

    # --- always

    @invariant()
    def no_observation_promises_more_than_there_is(self) -> None:
        free = self.bank_available - sum(row.claim for row in self.withdrawals)
        for seen in self.observations:
            assert available(self.account, seen) <= free

    @invariant()
    def what_was_promised_is_there(self) -> None:
        assert self.bank_available - sum(row.claim for row in self.withdrawals) >= 0

    @invariant()
    def counters_are_what_they_say(self) -> None:
        waiting = [row.amount for row in self.withdrawals if not row.begun and not row.closed]
        assert self.account.held == sum(waiting)
        assert 0 <= self.account.withdrawals_acknowledged <= self.account.withdrawals_begun


class TestAvailable(Bank.TestCase):
    settings = settings(max_examples=400, stateful_step_count=30, deadline=None)


class TestStories:
    def began(self, amount: int) -> tuple[Bank, Withdrawal]:
        bank = Bank()
        bank.first_observation()
        bank.request(amount, 0)
        bank.begin(0)
        return bank, bank.withdrawals[0]

    def observe(self, bank: Bank) -> int:
        bank.start_asking()
        bank.be_answered(0)
        return available(bank.account, bank.observations[-1])

    def test_what_is_begun_is_not_available_before_the_bank_knows_of_it(self) -> None:
        bank, _ = self.began(100)
        assert self.observe(bank) == 900

    def test_what_the_bank_nets_is_subtracted_once_after_its_answer(self) -> None:
        bank, row = self.began(100)
        bank.arrive(0, taken=True)
        bank.learn(0)
        assert self.observe(bank) == 900
        row.at, row.debited = At.SETTLED, 100
        bank.learn(0)
        assert self.observe(bank) == 900

    def test_what_was_rejected_at_once_is_available_again(self) -> None:
        bank, _ = self.began(100)
        bank.arrive(0, taken=False)
        bank.learn(0)
        assert [available(bank.account, seen) for seen in bank.observations] == [1_000]
        assert self.observe(bank) == 1_000

    def test_a_balance_fetched_between_a_late_rejection_and_our_hearing_of_it_gives_the_money_back_once(self) -> None:
        bank, _ = self.began(100)
        bank.arrive(0, taken=True)
        bank.learn(0)
        bank.finish(0, debited=100, settles=False)
        assert self.observe(bank) == 1_000
        bank.learn(0)
        assert available(bank.account, bank.observations[-1]) == 1_000
        assert self.observe(bank) == 1_000
