"""What the bank does when nothing goes wrong, and what an honest bank refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from bridge.sandbox.model import Behaviour, Rail
from bridge.sandbox.model.calendar import due
from bridge.sandbox.model.settings import Settings, settings_from
from tests.unit.sandbox.town import RICH, START, Town


def status(delivery) -> str:
    return delivery.body["status"]


class TestSettlement:
    def test_withdrawal_is_acknowledged_then_settles_into_the_settlement_account(self):
        town = Town(delay=10)
        assert status(town.submit("k1")) == "acknowledged"
        account = town.books.accounts["meridian", "A1"]
        assert (account.current, account.available, town.settlement) == (RICH, RICH - 100, 0)
        town.later(seconds=10)
        assert (account.current, account.available, town.settlement) == (RICH - 100, RICH - 100, 100)
        assert town.callbacks() == [("k1", "settled")]
        assert town.find("k1").body["settled_amount"] == 100

    def test_without_delay_it_settles_in_the_reply_and_calls_nobody_back(self):
        town = Town(delay=0)
        assert status(town.submit("k1")) == "settled"
        assert town.settlement == 100
        assert town.callbacks() == []

    def test_deposit_and_refund_leave_the_settlement_account(self):
        town = Town(delay=0)
        town.submit("w", amount=300)
        town.submit("d", "deposit", 200)
        town.submit("r", "refund", 50)
        assert (town.settlement, town.balance("harbor", "F1"), town.balance("meridian", "A1")) == (50, 200, RICH - 250)

    def test_fee_is_kept_on_the_way(self):
        town = Town(delay=0)
        town.books.settings.institutions["meridian"].fee = 7
        body = town.submit("w").body
        assert (body["settled_amount"], body["fee"], town.settlement) == (93, 7, 93)
        assert town.balance("meridian", "A1") == RICH - 100
        assert town.total() == 0

    def test_each_event_happens_at_its_own_time_however_late_anybody_looks(self):
        town = Town(delay=10)
        town.submit("k1")
        town.later(days=3)
        assert town.books.activity["meridian"][0].at == START + timedelta(seconds=10)

    def test_statement_of_a_day_opens_where_the_day_before_closed(self):
        town = Town(delay=0)
        town.submit("w1", amount=100)
        town.later(days=1)
        town.submit("w2", amount=40)
        _, lines, opening, closing = town.bank.statement(currency="USD", day=date(2026, 3, 3), now=town.now)
        assert ([line.key for line in lines], opening, closing) == (["w2"], 100, 140)


class TestKeys:
    def test_same_key_and_body_gets_the_first_answer_and_acts_once(self):
        town = Town(delay=10)
        first = town.submit("k1")
        town.later(seconds=20)
        again = town.submit("k1")
        assert again.body == first.body
        assert again.replayed
        assert town.settlement == 100

    def test_same_key_with_another_body_is_refused(self):
        town = Town()
        town.submit("k1", amount=100)
        assert town.submit("k1", amount=101).problem.code == "key_reused"

    def test_a_rejection_is_an_answer_that_is_kept(self):
        town = Town(delay=0)
        assert status(town.submit("k1", amount=RICH + 1)) == "rejected"
        town.books.move(town.books.outside("USD"), town.books.accounts["meridian", "A1"], RICH)
        assert status(town.submit("k1", amount=RICH + 1)) == "rejected"
        assert status(town.submit("k2", amount=RICH + 1)) == "settled"

    def test_a_key_is_forgotten_after_its_lifetime_and_then_acts_again(self):
        town = Town(delay=0, key_lifetime_seconds=60)
        town.submit("k1")
        town.later(seconds=60)
        assert town.find("k1").problem.code == "not_found"
        town.submit("k1")
        assert town.settlement == 200


class TestRefusals:
    @pytest.mark.parametrize(
        ("given", "code"),
        [
            ({"account": "nobody"}, "R03"),
            ({"routing": "999999999"}, "R13"),
            ({"currency": "EUR"}, "AM03"),
            ({"amount": RICH + 1}, "R01"),
        ],
    )
    def test_order_that_the_account_cannot_carry_is_rejected_with_its_code(self, given, code):
        body = Town().submit("k1", **given).body
        assert (body["status"], body["code"]) == ("rejected", code)

    def test_money_already_promised_cannot_be_withdrawn_twice(self):
        town = Town(delay=10)
        town.submit("k1", amount=RICH)
        assert town.submit("k2", amount=1).body["code"] == "R01"

    def test_closed_account_is_rejected(self):
        town = Town()
        town.books.accounts["meridian", "A1"].is_open = False
        assert town.submit("k1").body["code"] == "R02"

    def test_fund_account_takes_no_withdrawal(self):
        assert Town().submit("k1", "deposit", account="nobody").body["code"] == "R03"

    def test_settlement_account_without_overdraft_pays_only_what_it_has(self):
        town = Town(delay=0, settlement_overdraft=False)
        assert town.submit("d1", "deposit").body["code"] == "R01"


class TestRecallAndForce:
    def test_recall_marks_the_deposit_and_moves_nothing(self):
        town = Town(delay=0)
        town.submit("d1", "deposit")
        assert status(town.submit("c1", "recall", reference="d1")) == "acknowledged"
        assert town.find("d1", "harbor").body["recalled_by"] == "c1"
        assert town.settlement == -100

    def test_honoured_recall_brings_the_deposit_back(self):
        town = Town(delay=0, recall_honoured=True)
        town.submit("d1", "deposit")
        town.submit("c1", "recall", reference="d1")
        town.later(seconds=1)
        assert town.settlement == 0
        assert town.callbacks() == [("d1", "returned"), ("c1", "settled")]

    def test_recall_of_an_unknown_deposit_is_rejected(self):
        assert Town().submit("c1", "recall", reference="nothing").body["code"] == "NOOR"

    def test_forcing_settles_late_after_a_rejection_and_twice(self):
        town = Town(delay=0)
        town.submit("k1", amount=RICH + 1)
        instruction = town.books.keys["meridian", "k1"]
        for _ in range(2):
            assert town.bank.force(instruction, verb="settle", given={"amount": 10}, now=town.now) is None
        assert (instruction.settled_amount, town.settlement) == (20, 20)

    def test_only_what_settled_can_be_returned(self):
        town = Town(delay=10)
        town.submit("k1")
        instruction = town.books.keys["meridian", "k1"]
        assert town.bank.force(instruction, verb="return", given={}, now=town.now).code == "wrong_state"


class TestCalendar:
    NEW_YORK = ZoneInfo("America/New_York")

    def test_order_after_the_cutoff_counts_for_the_next_business_day(self):
        rail = Rail(delay_seconds=0, cutoff="17:00", calendar="federal_reserve")
        friday_evening = datetime(2026, 3, 6, 23, 30, tzinfo=UTC)
        settles = due(friday_evening, rail, self.NEW_YORK)
        assert settles.astimezone(self.NEW_YORK).isoformat() == "2026-03-09T08:30:00-04:00"

    def test_columbus_day_is_a_day_off_for_the_federal_reserve_but_not_for_the_exchange(self):
        columbus = datetime(2026, 10, 12, 15, 0, tzinfo=UTC)
        reserve = Rail(delay_seconds=0, calendar="federal_reserve")
        exchange = Rail(delay_seconds=0, calendar="nyse")
        assert due(columbus, reserve, UTC).date() == date(2026, 10, 13)
        assert due(columbus, exchange, UTC) == columbus

    def test_unknown_settings_are_refused_in_words(self):
        with pytest.raises(ValueError, match="no nonsense"):
            settings_from({"nonsense": 1})
        changed = settings_from({"institutions": {"meridian": {"rails": {"ach": {"delay_seconds": 0}}}}}, Settings())
        assert changed.institutions["meridian"].rails["ach"].delay_seconds == 0
        assert changed.institutions["meridian"].rails["wire"].delay_seconds == 1


def test_reply_is_the_default_behaviour():
    assert Town().submit("k").behaviour is Behaviour.REPLY
