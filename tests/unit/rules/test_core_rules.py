"""Each rule at and around each of its boundaries."""

from __future__ import annotations

from typing import Any

import pytest

from funds.rules import Facts
from tests.unit.rules.worlds import DAY, NOW, SECOND, decide, ran, world

Changes = dict[str, Any]
LATER = ("withdrawal", "deposit")


class TestFundOpen:
    @pytest.mark.parametrize(
        ("changes", "create", "withdrawal", "deposit"),
        [
            ({}, "pass", "pass", "pass"),
            ({"fund__status": "draft"}, "fail", "hold", "hold"),
            ({"fund__status": "paused"}, "fail", "hold", "hold"),
            ({"fund__status": "closing"}, "fail", "pass", "pass"),
            ({"fund__status": "closing", "place__own_reserved": 1}, "pass", "pass", "pass"),
            ({"fund__status": "closed"}, "fail", "fail", "fail"),
            ({"fund__status": "closed", "place__own_reserved": 1}, "fail", "fail", "fail"),
            ({"fund__status": "liquidated"}, "hold", "hold", "hold"),
            ({"fund__opens_at": NOW + SECOND}, "fail", "hold", "hold"),
            ({"fund__opens_at": NOW}, "pass", "pass", "pass"),
            ({"fund__status": "closing", "fund__opens_at": NOW}, "fail", "pass", "pass"),
            ({"fund__closes_at": None}, "pass", "pass", "pass"),
            ({"fund__closes_at": NOW + SECOND}, "pass", "pass", "pass"),
            ({"fund__closes_at": NOW}, "fail", "fail", "pass"),
            ({"fund__closes_at": NOW - 5 * DAY + SECOND}, "fail", "fail", "pass"),
            ({"fund__closes_at": NOW - 5 * DAY}, "fail", "fail", "fail"),
            ({"fund__status": "paused", "fund__closes_at": NOW - 9 * DAY}, "fail", "fail", "fail"),
            ({"fund__status": "closing", "fund__closes_at": NOW}, "fail", "fail", "pass"),
        ],
    )
    def test_at_every_stage(self, changes: Changes, create: str, withdrawal: str, deposit: str) -> None:
        found = [
            decide("fund_open", world(request__stage=stage, **changes)).outcome
            for stage in ("create", "withdrawal", "deposit")
        ]
        assert found == [create, withdrawal, deposit]

    def test_the_grace_before_the_deposit_is_a_parameter(self) -> None:
        facts = world(request__stage="deposit", fund__closes_at=NOW - DAY)
        assert decide("fund_open", facts, deposit_grace_days=1).outcome == "fail"
        assert decide("fund_open", facts, deposit_grace_days=2).outcome == "pass"

    def test_the_reason_says_when_it_closed(self) -> None:
        decision = decide("fund_open", world(fund__closes_at=NOW))
        assert decision.reason == "Alpha closed at 2026-03-10 15:00 UTC."


class TestCurrency:
    @pytest.mark.parametrize("stage", ["create", "withdrawal", "deposit"])
    @pytest.mark.parametrize(
        ("asked", "fund", "account", "outcome"),
        [
            ("USD", "USD", "USD", "pass"),
            ("EUR", "EUR", "EUR", "pass"),
            ("EUR", "USD", "EUR", "fail"),
            ("EUR", "EUR", "USD", "fail"),
            ("EUR", "USD", "USD", "fail"),
        ],
    )
    def test_one_currency_throughout(self, stage: str, asked: str, fund: str, account: str, outcome: str) -> None:
        facts = world(request__stage=stage, request__currency=asked, fund__currency=fund, account__currency=account)
        assert decide("currency", facts).outcome == outcome


class TestMinimum:
    @pytest.mark.parametrize(("cut_from", "outcome"), [(0, "fail"), (499, "fail"), (500, "fail"), (501, "pass")])
    def test_what_the_fund_itself_cut_back_had_reached_it(self, cut_from: int, outcome: str) -> None:
        facts = world(request__amount=500, request__cut_from=cut_from, fund__minimum=1_000, place__already=0)
        assert decide("minimum", facts).outcome == outcome

    @pytest.mark.parametrize("stage", ["create", "withdrawal"])
    @pytest.mark.parametrize(
        ("amount", "already", "outcome"),
        [
            (10_000_00, 0, "pass"),
            (9_999_99, 0, "fail"),
            (10_000_01, 0, "pass"),
            (1, 9_999_99, "pass"),
            (1, 9_999_98, "fail"),
            (1, 10_000_00, "pass"),
        ],
    )
    def test_a_top_up_counts_what_is_there(self, stage: str, amount: int, already: int, outcome: str) -> None:
        facts = world(request__stage=stage, request__amount=amount, place__already=already)
        assert decide("minimum", facts).outcome == outcome

    def test_the_reason_speaks_of_amounts(self) -> None:
        assert decide("minimum", world(request__amount=5_00)).reason == (
            "USD 5.00 is below the fund's minimum of USD 10,000.00."
        )
        assert decide("minimum", world(request__amount=5_00, place__already=7_00)).reason == (
            "USD 5.00 with the USD 7.00 already there is below the fund's minimum of USD 10,000.00."
        )

    def test_a_currency_without_decimals_is_written_without(self) -> None:
        facts = world(request__amount=500, request__currency="JPY", fund__currency="JPY", fund__minimum=1000)
        assert decide("minimum", facts).reason == "JPY 500 is below the fund's minimum of JPY 1,000."

    def test_is_not_asked_once_the_money_has_left(self) -> None:
        assert not ran("minimum", world(request__stage="deposit"))


class TestMaximum:
    @pytest.mark.parametrize("stage", ["create", "withdrawal"])
    @pytest.mark.parametrize(
        ("amount", "already", "maximum", "outcome"),
        [
            (500_000_00, 0, 500_000_00, "pass"),
            (500_000_01, 0, 500_000_00, "fail"),
            (1, 499_999_99, 500_000_00, "pass"),
            (1, 500_000_00, 500_000_00, "fail"),
            (10**15 - 1, 10**15, None, "pass"),
        ],
    )
    def test_per_investor(self, stage: str, amount: int, already: int, maximum: int | None, outcome: str) -> None:
        facts = world(request__stage=stage, request__amount=amount, place__already=already, fund__maximum=maximum)
        assert decide("maximum", facts).outcome == outcome


class TestSeats:
    @pytest.mark.parametrize(
        ("limit", "taken", "has_seat", "at_create", "later"),
        [
            (100, 99, False, "pass", "pass"),
            (100, 100, False, "waitlist", "hold"),
            (100, 101, False, "waitlist", "hold"),
            (100, 100, True, "pass", "pass"),
            (0, 0, False, "waitlist", "hold"),
            (None, 5_000, False, "pass", "pass"),
        ],
    )
    def test_a_top_up_takes_no_second_seat(
        self, limit: int | None, taken: int, has_seat: bool, at_create: str, later: str
    ) -> None:
        changes = {"fund__seat_limit": limit, "fund__seats_taken": taken, "place__has_seat": has_seat}
        assert decide("seats", world(**changes)).outcome == at_create
        for stage in LATER:
            assert decide("seats", world(request__stage=stage, **changes)).outcome == later

    def test_its_own_reservation_is_its_seat(self) -> None:
        facts = world(request__stage="withdrawal", fund__seats_taken=100, place__own_reserved=1)
        assert decide("seats", facts).outcome == "pass"


def full(free: int, own: int = 0, **changes: Any) -> Facts:
    """A fund with a cap of USD 1,000.00 of which `free` is left beside what this transfer has reserved itself."""
    return world(
        fund__hard_cap=1_000_00,
        fund__confirmed=300_00,
        fund__reserved=700_00 - free,
        place__own_reserved=own,
        **changes,
    )


class TestHardCap:
    @pytest.mark.parametrize(
        ("free", "amount", "outcome"),
        [
            (100_00, 100_00, "pass"),
            (100_00, 100_01, "waitlist"),
            (0, 1, "waitlist"),
            (0, 1_000_00, "waitlist"),
            (0, 1_000_01, "fail"),
            (700_00, 1_000_01, "fail"),
        ],
    )
    def test_at_the_request(self, free: int, amount: int, outcome: str) -> None:
        assert decide("hard_cap", full(free, request__amount=amount)).outcome == outcome

    @pytest.mark.parametrize("stage", LATER)
    def test_what_it_has_reserved_itself_does_not_count_twice(self, stage: str) -> None:
        assert decide("hard_cap", full(0, own=200_00, request__amount=200_00, request__stage=stage)).outcome == "pass"
        assert decide("hard_cap", full(0, own=199_99, request__amount=200_00, request__stage=stage)).outcome == "hold"

    def test_an_amount_that_never_fits_waits_for_a_person_once_the_money_has_left(self) -> None:
        assert decide("hard_cap", full(0, request__amount=2_000_00, request__stage="withdrawal")).outcome == "fail"
        assert decide("hard_cap", full(0, request__amount=2_000_00, request__stage="deposit")).outcome == "hold"

    def test_no_cap_does_not_limit(self) -> None:
        assert decide("hard_cap", world(fund__hard_cap=None, request__amount=10**15 - 1)).outcome == "pass"

    def test_the_reason_stays_true_when_the_cap_changes_and_the_inputs_keep_it(self) -> None:
        found = decide("hard_cap", full(12_34, request__amount=20_00))
        assert found.reason == "What is left under the fund's hard cap is less than USD 20.00."
        assert found.inputs["hard_cap"] == 1_000_00


class TestSourceBalance:
    @pytest.mark.parametrize(
        ("available", "outcome"),
        [(50_000_00, "pass"), (50_000_01, "pass"), (49_999_99, "fail"), (0, "fail"), (-1, "fail"), (None, "hold")],
    )
    def test_against_the_amount(self, available: int | None, outcome: str) -> None:
        for stage in ("create", "withdrawal"):
            facts = world(request__stage=stage, balance__available=available)
            assert decide("source_balance", facts).outcome == outcome

    @pytest.mark.parametrize(("stage", "limit"), [("create", 900), ("withdrawal", 300)])
    @pytest.mark.parametrize(("over", "outcome"), [(-1, "pass"), (0, "pass"), (1, "hold")])
    def test_an_old_answer_decides_nothing(self, stage: str, limit: int, over: int, outcome: str) -> None:
        facts = world(request__stage=stage, balance__observed_at=NOW - (limit + over) * SECOND)
        assert decide("source_balance", facts).outcome == outcome

    def test_an_old_answer_does_not_say_insufficient(self) -> None:
        facts = world(balance__available=0, balance__observed_at=NOW - DAY)
        assert decide("source_balance", facts).outcome == "hold"

    def test_no_time_of_observation_is_no_observation(self) -> None:
        decision = decide("source_balance", world(balance__observed_at=None))
        assert (decision.outcome, decision.reason) == (
            "hold",
            "The institution has not told the balance of the account.",
        )

    def test_the_age_is_a_parameter_per_stage(self) -> None:
        facts = world(balance__observed_at=NOW - 60 * SECOND)
        assert decide("source_balance", facts, max_age_seconds_at_create=59).outcome == "hold"
        assert decide("source_balance", facts, max_age_seconds_at_withdrawal=59).outcome == "pass"

    def test_the_reason_says_how_much_is_there(self) -> None:
        assert decide("source_balance", world(balance__available=1_00)).reason == (
            "Insufficient funds: USD 1.00 is available, USD 50,000.00 is asked."
        )

    def test_is_not_asked_once_the_money_has_left(self) -> None:
        assert not ran("source_balance", world(request__stage="deposit", balance__available=0))


class TestDuplicate:
    @pytest.mark.parametrize(
        ("count", "outcome", "reason"),
        [
            (0, "pass", "Nothing like it in 24 hours."),
            (1, "hold", "The same was asked in the last 24 hours: trf_1."),
            (3, "hold", "The same was asked in the last 24 hours: trf_1 and 2 more."),
        ],
    )
    def test_names_the_other_transfer(self, count: int, outcome: str, reason: str) -> None:
        decision = decide("duplicate", world(duplicate__count=count, duplicate__latest="trf_1"))
        assert (decision.outcome, decision.reason) == (outcome, reason)

    @pytest.mark.parametrize("stage", LATER)
    def test_is_asked_only_at_the_request(self, stage: str) -> None:
        assert not ran("duplicate", world(request__stage=stage, duplicate__count=1))


class TestAccountOpen:
    @pytest.mark.parametrize("stage", ["create", "withdrawal"])
    @pytest.mark.parametrize(
        ("account", "investor", "outcome"),
        [
            ("open", "active", "pass"),
            ("closed", "active", "fail"),
            ("open", "closed", "fail"),
            ("closed", "closed", "fail"),
            ("", "active", "fail"),
        ],
    )
    def test_both_must_be_active(self, stage: str, account: str, investor: str, outcome: str) -> None:
        facts = world(request__stage=stage, account__status=account, account__investor_status=investor)
        assert decide("account_open", facts).outcome == outcome

    def test_money_on_its_way_goes_on(self) -> None:
        assert not ran("account_open", world(request__stage="deposit", account__status="closed"))


class TestSecondPerson:
    @pytest.mark.parametrize(
        ("amount", "above", "outcome"),
        [(100_00, None, "pass"), (100_00, 100_00, "pass"), (100_01, 100_00, "hold"), (1, 0, "hold")],
    )
    def test_above_the_funds_threshold_a_second_person_must_agree(
        self, amount: int, above: int | None, outcome: str
    ) -> None:
        facts = world(request__amount=amount, fund__second_person_above=above)
        assert decide("second_person", facts).outcome == outcome


class TestMinimumReached:
    @pytest.mark.parametrize(
        ("amount", "asked", "arrived", "already", "outcome"),
        [
            (100_00, 0, 0, 0, "pass"),
            (99_99, 0, 0, 0, "fail"),
            (99_99, 0, 1, 1, "pass"),
            (99_99, 0, 0, 1, "hold"),
            (1, 0, 0, 99_98, "fail"),
            (1, 0, 99_99, 99_99, "pass"),
            (99_80, 100_00, 0, 0, "pass"),
        ],
    )
    def test_a_top_up_counts_only_on_what_has_come(
        self, amount: int, asked: int, arrived: int, already: int, outcome: str
    ) -> None:
        facts = world(
            request__stage="deposit", request__amount=amount, request__cut_from=asked, fund__minimum=100_00,
            place__arrived=arrived, place__already=already,
        )  # fmt: skip
        assert decide("minimum_reached", facts).outcome == outcome

    @pytest.mark.parametrize(("short", "outcome"), [(0, "fail"), (1, "fail"), (2, "hold")])
    def test_what_banks_kept_is_not_there_and_people_may_add_it(self, short: int, outcome: str) -> None:
        facts = world(
            request__stage="deposit", request__amount=98, request__short=short, fund__minimum=100, place__already=0
        )
        assert decide("minimum_reached", facts).outcome == outcome
