"""What an institution does besides what it was asked: on the wire, and in its own books, which stay balanced."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from bridge.sandbox.model import Delivery, Fault
from bridge.sandbox.model.printing import printed
from tests.unit.sandbox.test_properties import restart
from tests.unit.sandbox.town import RICH, Town


@pytest.fixture
def town() -> Iterator[Town]:
    made = Town(delay=0, callback_on_reply=True)
    yield made
    assert made.total() == 0
    lines = made.books.statements.get("USD", [])
    assert made.settlement == sum(line.amount if line.direction == "credit" else -line.amount for line in lines)


def told(answer: Delivery) -> tuple[str, int, int]:
    assert answer.body is not None
    return answer.body["status"], answer.body["settled_amount"], answer.body["returned_amount"]


def statement(town: Town) -> list[tuple[str, str, str, int]]:
    return [(line.key, line.kind, line.direction, line.amount) for line in town.books.statements["USD"]]


class TestSettlements:
    @pytest.mark.parametrize(
        ("kind", "institution", "direction"),
        [("withdrawal", "meridian", "credit"), ("deposit", "harbor", "debit"), ("refund", "meridian", "debit")],
    )
    def test_booked_twice_under_one_key(self, town, kind, institution, direction):
        town.fault(Fault.SETTLED_TWICE, seconds=30)
        assert told(town.submit("k1", kind)) == ("settled", 100, 0)
        town.later(seconds=30)
        assert told(town.find("k1", institution)) == ("settled", 200, 0)
        assert town.callbacks() == [("k1", "settled"), ("k1", "settled")]
        assert statement(town) == [("k1", kind, direction, 100)] * 2
        town.later(days=3)
        assert told(town.find("k1", institution)) == ("settled", 200, 0)

    def test_booked_again_for_another_amount(self, town):
        town.fault(Fault.SETTLED_TWICE, amount=40)
        town.submit("k1")
        town.later(minutes=2)
        assert told(town.find("k1")) == ("settled", 140, 0)

    @pytest.mark.parametrize("at_settlement", [False, True])
    def test_settled_after_it_had_said_rejected(self, at_settlement):
        town = Town(delay=10)
        town.fault(Fault.SETTLED_AFTER_REJECTION, code="R29", days=3, at_settlement=at_settlement)
        town.submit("k1")
        town.later(seconds=10)
        assert told(town.find("k1")) == ("rejected", 0, 0)
        assert town.books.accounts["meridian", "A1"].available == RICH
        town.later(days=3)
        assert told(town.find("k1")) == ("settled", 100, 0)
        assert town.callbacks()[-1] == ("k1", "settled")
        assert (town.settlement, town.total()) == (100, 0)

    def test_a_settlement_to_come_survives_the_death_of_the_process(self):
        town = Town(delay=0)
        town.fault(Fault.SETTLED_TWICE, days=2, count=1)
        town.submit("k1")
        restart(town)
        town.later(days=2)
        assert told(town.find("k1")) == ("settled", 200, 0)


class TestReturns:
    def test_the_return_is_the_first_that_anybody_hears(self, town):
        town.fault(Fault.RETURN_LATER, at_settlement=True, code="R16")
        assert told(town.submit("k1")) == ("returned", 100, 100)
        assert town.callbacks() == [("k1", "returned")]

    def test_the_return_comes_before_the_lost_answer_is_asked_for(self):
        town = Town(delay=10)
        town.fault(Fault.TIMEOUT_AFTER, count=1)
        town.fault(Fault.RETURN_LATER, at_settlement=True)
        town.submit("k1")
        town.later(seconds=10)
        assert town.callbacks() == [("k1", "returned")]
        assert told(town.find("k1")) == ("returned", 100, 100)

    def test_a_refund_is_rejected(self, town):
        town.fault(Fault.REJECT, kind="refund", code="R03")
        assert told(town.submit("k1", "refund")) == ("rejected", 0, 0)
        assert town.settlement == 0

    @pytest.mark.parametrize(("kind", "institution"), [("deposit", "harbor"), ("refund", "meridian")])
    def test_settled_and_returned_less_a_fee(self, town, kind, institution):
        town.fault(Fault.RETURN_LATER, days=2, fee=25)
        town.submit("k1", kind)
        town.later(days=2)
        answer = town.find("k1", institution)
        assert told(answer) == ("returned", 100, 75)
        assert (answer.body["return_fee"], answer.body["interest"]) == (25, 0)
        assert town.settlement == -25
        assert statement(town)[-1] == ("k1", "return", "credit", 75)
        assert [(line.kind, line.amount) for line in town.books.activity[institution]][1:] == [
            ("return", 75),
            ("fee", 25),
        ]

    def test_a_deposit_is_returned_with_interest_on_top(self, town):
        town.fault(Fault.RETURN_LATER, days=5, interest=12)
        town.submit("d1", "deposit")
        town.later(days=5)
        answer = town.find("d1", "harbor")
        assert told(answer) == ("returned", 100, 112)
        assert answer.body["interest"] == 12
        assert (town.settlement, town.balance("harbor", "F1")) == (12, -12)

    def test_a_part_is_returned_and_later_the_rest(self, town):
        town.fault(Fault.RETURN_LATER, days=1, amount=40, fee=5)
        town.submit("d1", "deposit")
        town.later(days=1)
        assert told(town.find("d1", "harbor")) == ("returned", 100, 35)
        town.bank.force(town.books.keys["harbor", "d1"], verb="return", given={}, now=town.now)
        assert told(town.find("d1", "harbor")) == ("returned", 100, 95)
        problem = town.bank.force(town.books.keys["harbor", "d1"], verb="return", given={}, now=town.now)
        assert problem.code == "wrong_state"

    @pytest.mark.parametrize(("kind", "institution"), [("withdrawal", "meridian"), ("deposit", "harbor")])
    def test_a_return_is_undone_and_the_money_paid_again(self, town, kind, institution):
        town.fault(Fault.RETURN_LATER, days=2)
        town.fault(Fault.RETURN_UNDONE, days=1)
        town.submit("k1", kind)
        town.later(days=2)
        assert told(town.find("k1", institution)) == ("returned", 100, 100)
        town.later(days=1)
        assert told(town.find("k1", institution)) == ("settled", 200, 100)
        assert abs(town.settlement) == 100
        assert [status for _, status in town.callbacks()] == ["settled", "returned", "settled"]


class TestRecalls:
    def recalled(self, town: Town, **given: object) -> Delivery:
        town.submit("d1", "deposit")
        return town.submit("c1", "recall", reference="d1", **given)

    def test_accepted_the_deposit_comes_back_less_a_fee_and_the_recall_is_settled(self, town):
        town.fault(Fault.RECALL_ACCEPTED, days=5, fee=10)
        assert told(self.recalled(town)) == ("acknowledged", 0, 0)
        town.later(days=5)
        assert told(town.find("d1", "harbor")) == ("returned", 100, 90)
        assert told(town.find("c1", "harbor")) == ("settled", 0, 0)
        assert town.settlement == -10

    def test_accepted_for_a_part(self, town):
        town.fault(Fault.RECALL_ACCEPTED, days=1, amount=30, interest=2)
        self.recalled(town)
        town.later(days=1)
        assert told(town.find("d1", "harbor")) == ("returned", 100, 32)

    def test_refused_with_the_receivers_reason(self, town):
        town.fault(Fault.RECALL_REFUSED, days=3, code="LEGL")
        self.recalled(town)
        town.later(days=3)
        assert town.find("c1", "harbor").body["code"] == "LEGL"
        assert told(town.find("d1", "harbor")) == ("settled", 100, 0)
        assert town.callbacks()[-1] == ("c1", "rejected")

    def test_silence_is_an_answer_that_never_comes(self, town):
        self.recalled(town)
        town.later(days=300)
        assert town.callbacks() == [("d1", "settled")]
        (_, recall) = town.bank.record(institution="harbor", after=0, limit=9, now=town.now)
        assert (recall.terms.key, str(recall.status)) == ("c1", "acknowledged")


class TestMoneyUnderNoKey:
    def test_a_stray_credit_beside_a_settlement(self, town):
        town.fault(Fault.STRAY_CREDIT, amount=77, reason="WIRE 4711", count=1)
        town.submit("k1")
        town.later(minutes=1)
        assert statement(town) == [("k1", "withdrawal", "credit", 100), ("", "other", "credit", 77)]
        assert town.books.statements["USD"][-1].reference == "WIRE 4711"
        assert town.callbacks() == [("k1", "settled")]

    def test_a_bank_charge_on_no_payment(self, town):
        town.fault(Fault.BANK_CHARGE, amount=15)
        town.submit("k1")
        town.later(minutes=1)
        assert statement(town)[-1] == ("", "fee", "debit", 15)
        assert town.settlement == 85


class TestStatements:
    def paper(self, town: Town) -> tuple[list[tuple[str, int]], int, int]:
        _, lines, opening, closing = town.bank.statement(currency="USD", day=town.now.date(), now=town.now)
        return [(line.key, line.amount) for line in lines], opening, closing

    @pytest.mark.parametrize(
        ("fault", "given", "shown", "closing"),
        [
            (Fault.MISSING_LINE, {}, [("k2", 100)], 100),
            (Fault.REPEATED_LINE, {}, [("k1", 100), ("k1", 100), ("k2", 100)], 300),
            (Fault.WRONG_LINE, {"delta": 9}, [("k1", 109), ("k2", 100)], 209),
            (Fault.LATE_LINE, {}, [("k2", 100)], 100),
        ],
    )
    def test_a_misprinted_line_is_wrong_on_paper_only_and_the_paper_adds_up(self, town, fault, given, shown, closing):
        town.fault(fault, key="k1", **given)
        town.submit("k1")
        town.submit("k2")
        for _ in range(2):  # the same paper again
            lines, opening, closed = self.paper(town)
            assert (sorted(lines), opening, closed) == (shown, 0, closing)
        assert town.settlement == 200

    def test_a_repeated_line_has_an_id_of_its_own(self, town):
        town.fault(Fault.REPEATED_LINE)
        town.submit("k1")
        lines, _, _ = printed(town.books, currency="USD", day=town.now.date(), where=town.now.tzinfo)
        assert len({line.id for line in lines}) == 2

    def test_a_late_line_is_on_the_next_days_statement(self, town):
        town.fault(Fault.LATE_LINE, key="k1")
        town.submit("k1")
        town.submit("k2")
        town.later(days=1)
        assert self.paper(town) == ([("k1", 100)], 100, 200)
        town.later(days=1)
        assert self.paper(town) == ([], 200, 200)

    def test_the_statement_of_the_day_before_comes_again(self, town):
        town.submit("k1")
        town.later(days=1)
        town.submit("k2")
        town.fault(Fault.REPEATED_STATEMENT, count=1)
        yesterday = (town.now - timedelta(days=1)).date().isoformat()
        delivery, lines, _, closing = town.bank.statement(currency="USD", day=town.now.date(), now=town.now)
        assert (delivery.body, [line.key for line in lines], closing) == ({"date": yesterday}, ["k1"], 100)
        assert self.paper(town) == ([("k2", 100)], 100, 200)


class TestTheRecord:
    def test_every_instruction_is_listed_by_page_also_under_a_forgotten_key(self, town):
        town.fault(Fault.FORGET_KEY, count=1)
        for key in ("k1", "k1", "k2"):
            town.submit(key)
        town.submit("d1", "deposit")
        first = town.bank.record(institution="meridian", after=0, limit=2, now=town.now)
        rest = town.bank.record(institution="meridian", after=first[-1].id, limit=2, now=town.now)
        assert [row.terms.key for row in (*first, *rest)] == ["k1", "k1", "k2"]

    def test_the_same_seed_plays_the_same_catalogue(self):
        def played() -> list[tuple[str, str, str, int]]:
            town = Town(delay=5)
            for fault in (Fault.SETTLED_TWICE, Fault.RETURN_LATER, Fault.STRAY_CREDIT, Fault.SETTLED_AFTER_REJECTION):
                town.fault(fault, probability=0.3)
            for number in range(60):
                town.submit(f"k{number}")
            town.later(days=9)
            return statement(town)

        assert played() == played()
        assert len({kind for _, kind, _, _ in played()}) == 3
