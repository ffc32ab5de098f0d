"""Random orders, faults, decisions by hand and time: money is conserved, and a key never acts twice."""

from __future__ import annotations

from collections import Counter
from datetime import UTC
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.kernel.gateway import AccountRef, InstructionKind, Order, Outcome
from bridge.sandbox.inprocess import InProcessBank
from bridge.sandbox.model import Books, Fault
from bridge.sandbox.model.printing import printed
from bridge.sandbox.server.codec import dump, load
from tests.unit.sandbox.town import RICH, Town

PAYMENTS = ("withdrawal", "deposit", "refund")
KEYS = [f"k{number}" for number in range(6)]
FAULTS = st.fixed_dictionaries(
    {
        "fault": st.sampled_from([fault for fault in Fault if fault is not Fault.FORGET_KEY]),
        "amount": st.sampled_from([0, 30]),
        "fee": st.sampled_from([0, 7]),
        "interest": st.sampled_from([0, 3]),
        "probability": st.sampled_from([0.3, 1.0]),
        "seconds": st.sampled_from([0.0, 5.0, 100.0]),
        "delta": st.integers(-200, 200),
        "at_settlement": st.booleans(),
    }
)
PAYS_AGAIN = (Fault.SETTLED_TWICE, Fault.RETURN_UNDONE)
STEPS = st.one_of(
    st.tuples(
        st.just("submit"),
        st.sampled_from(KEYS),
        st.sampled_from(["withdrawal", "deposit", "refund", "recall"]),
        st.sampled_from([100, 250, 2_000_000]),
    ),
    st.tuples(st.just("later"), st.sampled_from([1.0, 10.0, 200_000.0])),
    st.tuples(st.just("force"), st.sampled_from(KEYS), st.sampled_from(["settle", "reject", "return"])),
    st.tuples(st.just("restart")),
)


def play(town: Town, step: tuple[Any, ...]) -> None:
    match step:
        case ("submit", key, kind, amount):
            town.submit(key, kind, amount, reference=KEYS[0])
        case ("later", seconds):
            town.later(seconds=seconds)
        case ("force", key, verb):
            found = town.books.keys.get(("meridian", key)) or town.books.keys.get(("harbor", key))
            if found:
                town.bank.force(found, verb=verb, given={}, now=town.now)
        case ("restart",):
            restart(town)


def restart(town: Town) -> None:
    """Through the store's text and back, as after the death of the process."""
    books = town.books
    kept = [books.meta, books.settings, *books.faults.rules.values(), *books.accounts.values()]
    kept += [*books.instructions.values(), *books.arrivals.values(), *books.callbacks.values()]
    kept += books.follow_ups.values()
    kept += [line for lines in (*books.activity.values(), *books.statements.values()) for line in lines]
    town.books = Books.restored([load(record.table, dump(record)) for record in kept], seed="7")
    town.bank = type(town.bank)(town.books)


def check(town: Town) -> None:
    books = town.books
    assert town.total() == 0
    for account in books.accounts.values():
        promised = [
            i.reserved for i in books.instructions.values() if _pays(i) == (account.institution, account.number)
        ]
        assert account.reserved == sum(promised) >= 0
    lines = books.statements.get("USD", [])
    assert town.settlement == signed(lines)
    assert all(earlier.at <= later.at for earlier, later in pairwise(lines))
    paper, opening, closing = printed(books, currency="USD", day=town.now.date(), where=UTC)
    assert opening + signed(paper) == closing
    for house in ("meridian", "harbor"):
        now = sum(account.current for account in books.accounts.values() if account.institution == house)
        assert now == signed(books.activity.get(house, [])) + (2 * RICH if house == "meridian" else 0)


def signed(lines) -> int:
    return sum(line.amount if line.direction == "credit" else -line.amount for line in lines)


def _pays(instruction) -> tuple[str, str]:
    if instruction.terms.kind is InstructionKind.WITHDRAWAL:
        return instruction.institution, instruction.terms.account_number
    return "settlement", f"SETTLEMENT-{instruction.terms.currency}"


@settings(max_examples=150, deadline=None)
@given(delay=st.sampled_from([0.0, 10.0]), faults=st.lists(FAULTS, max_size=4), steps=st.lists(STEPS, max_size=25))
def test_money_is_conserved_whatever_happens(delay, faults, steps):
    town = Town(delay=delay)
    for fault in faults:
        town.fault(**fault)
    for step in steps:
        play(town, step)
        check(town)
    town.later(days=30)
    check(town)


@settings(max_examples=150, deadline=None)
@given(
    delay=st.sampled_from([0.0, 10.0]),
    faults=st.lists(FAULTS.filter(lambda given: given["fault"] not in PAYS_AGAIN), max_size=4),
    steps=st.lists(STEPS.filter(lambda step: step[0] != "force"), max_size=30),
)
def test_a_key_never_acts_twice(delay, faults, steps):
    town = Town(delay=delay)
    for fault in faults:
        town.fault(**fault)
    for step in steps:
        play(town, step)
    town.later(days=5)
    assert max(Counter((i.institution, i.terms.key) for i in town.books.instructions.values()).values(), default=1) == 1
    moved = Counter((line.key, line.kind) for line in town.books.statements.get("USD", []) if line.kind in PAYMENTS)
    assert max(moved.values(), default=1) == 1


def test_in_process_gateway_speaks_the_protocol():
    town = Town(delay=10)
    house = InProcessBank(town.bank, lambda: town.now)
    gateway = house.gateway("meridian")
    order = Order("k1", InstructionKind.WITHDRAWAL, "meridian", "A1", "021000021", 100, "USD", "T1")
    assert gateway.find("k1").outcome is Outcome.NOT_FOUND
    assert gateway.submit(order).outcome is Outcome.ACKNOWLEDGED
    assert gateway.balance(AccountRef("meridian", "A1", "021000021", "USD")).available == 999_900
    town.later(seconds=10)
    assert [(i, r.outcome, r.settled_amount) for i, _, r in house.take_callbacks()] == [
        ("meridian", Outcome.SETTLED, 100)
    ]
    assert [line.direction for line in gateway.activity(town.now.replace(hour=0))] == ["debit"]
    town.fault(Fault.TIMEOUT_BEFORE)
    assert gateway.submit(order).outcome is Outcome.UNKNOWN
