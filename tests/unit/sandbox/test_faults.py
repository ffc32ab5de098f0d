"""Every fault of the model, and that the plan is repeatable."""

from __future__ import annotations

import pytest

from bridge.sandbox.model import Behaviour, Call, Fault, FaultPlan, FaultRule
from bridge.sandbox.model.faults import Target
from tests.unit.sandbox.town import Town


@pytest.mark.parametrize(
    ("fault", "behaviour", "acted"),
    [
        (Fault.TIMEOUT_BEFORE, Behaviour.SILENCE, False),
        (Fault.TIMEOUT_AFTER, Behaviour.SILENCE, True),
        (Fault.ERROR_BEFORE, Behaviour.ERROR, False),
        (Fault.ERROR_AFTER, Behaviour.ERROR, True),
    ],
)
def test_lost_reply_hides_whether_the_bank_acted_and_the_same_key_settles_it(fault, behaviour, acted):
    town = Town(delay=0)
    town.fault(fault, count=1)
    assert town.submit("k1").behaviour is behaviour
    assert town.settlement == (100 if acted else 0)
    assert (town.find("k1").problem is None) is acted
    assert town.callbacks() == ([("k1", "settled")] if acted else [])
    town.submit("k1")
    assert town.settlement == 100


def test_timeout_late_acts_later_and_a_resend_before_does_not_make_it_two():
    town = Town(delay=0)
    town.fault(Fault.TIMEOUT_LATE, count=1, seconds=30)
    town.submit("k1")
    assert town.find("k1").problem.code == "not_found"
    town.submit("k1")
    town.later(seconds=31)
    assert town.settlement == 100


def test_timeout_late_without_a_resend_acts_by_itself():
    town = Town(delay=0)
    town.fault(Fault.TIMEOUT_LATE, seconds=30)
    town.submit("k1")
    town.later(seconds=31)
    assert town.settlement == 100
    assert town.callbacks() == [("k1", "settled")]


def test_injected_rejection_carries_its_code_at_once_or_when_it_falls_due():
    town = Town(delay=10)
    town.fault(Fault.REJECT, count=1, code="R16")
    town.fault(Fault.REJECT, count=1, code="R02", at_settlement=True)
    assert town.submit("k1").body["code"] == "R16"
    assert town.submit("k2").body["status"] == "acknowledged"
    town.later(seconds=10)
    assert town.find("k2").body["code"] == "R02"
    assert town.books.accounts["meridian", "A1"].reserved == 0
    assert town.callbacks() == [("k2", "rejected")]


def test_insufficient_funds_is_rejected_with_r01():
    town = Town()
    town.fault(Fault.INSUFFICIENT_FUNDS)
    assert town.submit("k1").body["code"] == "R01"


def test_slow_and_duplicate_response_are_told_to_the_wire():
    town = Town()
    town.fault(Fault.SLOW, seconds=3)
    town.fault(Fault.DUPLICATE_RESPONSE)
    delivery = town.submit("k1")
    assert (delivery.seconds, delivery.copies) == (3, 2)


def test_stale_query_shows_the_state_before_or_nothing():
    town = Town(delay=10)
    town.submit("k1")
    town.later(seconds=10)
    town.fault(Fault.STALE_QUERY, count=1)
    town.fault(Fault.STALE_QUERY, count=1, not_found=True)
    assert town.find("k1").body["status"] == "acknowledged"
    assert town.find("k1").problem.code == "not_found"
    assert town.find("k1").body["status"] == "settled"


@pytest.mark.parametrize(
    ("fault", "now", "after_a_minute"),
    [
        (Fault.LOST_CALLBACK, 0, 0),
        (Fault.DUPLICATED_CALLBACK, 2, 2),
        (Fault.LATE_CALLBACK, 0, 1),
    ],
)
def test_callback_is_lost_doubled_or_late(fault, now, after_a_minute):
    town = Town(delay=10)
    town.fault(fault)
    town.submit("k1")
    town.later(seconds=10)
    seen = town.callbacks()
    assert len(seen) == now
    town.later(seconds=60)
    assert len(seen + town.callbacks()) == after_a_minute


def test_out_of_order_callback_comes_right_after_the_next_one():
    town = Town(delay=10)
    town.fault(Fault.OUT_OF_ORDER_CALLBACK, key="k1")
    town.submit("k1")
    town.submit("k2")
    town.later(seconds=10)
    assert town.callbacks() == [("k2", "settled"), ("k1", "settled")]


def test_return_later_sends_the_money_back_days_after():
    town = Town(delay=10)
    town.fault(Fault.RETURN_LATER, days=2, code="R10")
    town.submit("k1")
    town.later(days=1)
    assert town.settlement == 100
    town.later(days=2)
    assert town.settlement == 0
    body = town.find("k1").body
    assert (body["status"], body["returned_amount"], body["code"]) == ("returned", 100, "R10")
    assert town.callbacks() == [("k1", "settled"), ("k1", "returned")]


def test_wrong_amount_settles_short_or_over():
    town = Town(delay=0)
    town.fault(Fault.WRONG_AMOUNT, count=1, delta=-30)
    town.fault(Fault.WRONG_AMOUNT, count=1, delta=5)
    assert town.submit("k1").body["settled_amount"] == 70
    assert town.submit("k2").body["settled_amount"] == 105
    assert town.settlement == 175


def test_partial_statement_drops_lines_but_not_the_closing_balance():
    town = Town(delay=0)
    for number in range(4):
        town.submit(f"k{number}")
    town.fault(Fault.PARTIAL_STATEMENT, count=1, keep=0.5)
    _, lines, _, closing = town.bank.statement(currency="USD", day=town.now.date(), now=town.now)
    assert (len(lines), closing) == (2, 400)


def test_forgotten_key_is_not_found_and_acts_again():
    town = Town(delay=0)
    town.fault(Fault.FORGET_KEY, count=1)
    town.submit("k1")
    assert town.find("k1").problem.code == "not_found"
    town.submit("k1")
    assert town.settlement == 200


def test_fault_that_cannot_strike_at_a_call_is_refused():
    with pytest.raises(ValueError, match="cannot strike"):
        FaultRule(id=1, fault=Fault.WRONG_AMOUNT, call=Call.BALANCE)


def test_same_seed_and_keys_give_the_same_faults_in_any_order():
    def struck(keys: list[str], seed: str = "5") -> set[str]:
        plan = FaultPlan(seed=seed, rules=[FaultRule(id=1, fault=Fault.REJECT, probability=0.4)])
        return {key for key in keys if plan.take(Fault.REJECT, Call.SUBMIT, Target("meridian", key=key))}

    keys = [f"k{number}" for number in range(500)]
    assert struck(keys) == struck(keys[::-1])
    assert struck(keys) != struck(keys, seed="6")
    assert 150 < len(struck(keys)) < 250
