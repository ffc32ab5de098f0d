from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from bridge.kernel.gateway import Activity, InstructionKind
from transfers.reconciliation.matching import (
    NEWS_TIME,
    SETTLEMENT,
    SETTLEMENT_TIME,
    Difference,
    Facet,
    Kind,
    Matching,
    Ours,
    match,
)
from transfers.states import InstructionState

DAY = date(2026, 11, 20)
NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
EVENING = datetime(2026, 11, 20, 20, tzinfo=UTC)


def ours(key: str = "w1", **changes: Any) -> Ours:
    given: dict[str, Any] = {
        "key": key,
        "kind": InstructionKind.WITHDRAWAL,
        "institution": "meridian",
        "state": InstructionState.SETTLED,
        "amount": 10_000,
        "currency": "USD",
        "sent_at": NOON - timedelta(hours=1),
        "instruction_id": uuid.uuid4(),
        "transfer_id": uuid.uuid4(),
        "booked": {Facet.SETTLED: 10_000},
        "day": DAY,
    }
    return Ours(**(given | changes))


def line(key: str = "w1", **changes: Any) -> Activity:
    given: dict[str, Any] = {
        "id": f"line-{uuid.uuid4()}",
        "key": key,
        "kind": "withdrawal",
        "direction": "debit",
        "amount": 10_000,
        "currency": "USD",
        "account_last4": "4821",
        "institution_reference": "MER1",
        "code": "",
        "at": NOON,
    }
    return Activity(**(given | changes))


def compared(
    mine: list[Ours], theirs: list[Activity], institution: str = "meridian", at: datetime = EVENING
) -> Matching:
    return match(institution=institution, ours=mine, theirs=theirs, at=at, day=DAY)


def only(result: Matching) -> Difference:
    (difference,) = result.differences
    return difference


class TestWhatAgrees:
    def test_a_settled_withdrawal_and_its_line_match(self) -> None:
        result = compared([ours()], [line()])
        assert (result.matched, result.differences, result.agreed >= {"w1"}) == (1, [], True)

    def test_a_fee_that_both_sides_know_matches(self) -> None:
        mine = ours(booked={Facet.SETTLED: 9_900, Facet.FEE: 100})
        result = compared([mine], [line(amount=9_900), line(kind="fee", amount=100)])
        assert result.matched == 1
        assert not result.differences

    def test_a_returned_deposit_matches_its_two_lines(self) -> None:
        mine = ours(
            "d1",
            kind=InstructionKind.DEPOSIT,
            institution="harbor",
            state=InstructionState.RETURNED,
            booked={Facet.SETTLED: 10_000, Facet.RETURNED: 10_000},
        )
        theirs = [line("d1", kind="deposit", direction="credit"), line("d1", kind="return", direction="debit")]
        assert not compared([mine], theirs, "harbor").differences

    def test_the_settlement_account_sees_each_payment_from_its_own_side(self) -> None:
        deposit = ours("d1", kind=InstructionKind.DEPOSIT, booked={Facet.SETTLED: 10_050})
        theirs = [
            line(direction="credit"),
            line("d1", kind="deposit", direction="debit", amount=10_050),
        ]
        result = compared([ours(), deposit], theirs, SETTLEMENT)
        assert (result.matched, result.differences, result.unmatched) == (2, [], {})

    def test_a_line_that_the_institution_took_back_the_same_day_counts_as_nothing(self) -> None:
        mine = ours(state=InstructionState.REJECTED, booked={})
        assert not compared([mine], [line(), line(direction="credit")]).differences


class TestWhatIsTooYoungToJudge:
    def test_a_sent_instruction_that_nobody_booked_yet_is_no_break(self) -> None:
        result = compared([ours(state=InstructionState.ACKNOWLEDGED, booked={})], [])
        assert (result.differences, result.waiting, result.matched) == ([], {"w1"}, 0)

    def test_it_is_one_when_it_is_older_than_any_rail_needs(self) -> None:
        old = EVENING - SETTLEMENT_TIME - timedelta(seconds=1)
        mine = ours(state=InstructionState.ACKNOWLEDGED, booked={}, sent_at=old)
        found = only(compared([mine], []))
        assert (found.kind, found.ours, found.theirs) == (Kind.MISSING_THERE, 10_000, None)

    def test_what_the_bank_booked_a_moment_ago_may_still_be_on_its_way_to_us(self) -> None:
        mine = ours(state=InstructionState.ACKNOWLEDGED, booked={})
        result = compared([mine], [line(at=EVENING - NEWS_TIME + timedelta(seconds=1))])
        assert (result.differences, result.waiting) == ([], {"w1"})

    def test_what_it_booked_long_ago_should_have_reached_us(self) -> None:
        mine = ours(state=InstructionState.UNKNOWN, booked={})
        found = only(compared([mine], [line()]))
        assert (found.kind, found.ours, found.theirs) == (Kind.STATE, 0, 10_000)


class TestWhatDiffers:
    def test_booked_here_and_not_there_is_missing_there(self) -> None:
        mine = ours()
        found = only(compared([mine], []))
        assert (found.kind, found.reference, found.ours, found.theirs) == (Kind.MISSING_THERE, "w1", 10_000, 0)
        assert (found.instruction_id, found.transfer_id) == (mine.instruction_id, mine.transfer_id)

    def test_a_key_that_is_none_of_ours_is_missing_here(self) -> None:
        found = only(compared([ours()], [line(), line("stranger")]))
        assert (found.kind, found.reference, found.ours, found.theirs) == (Kind.MISSING_HERE, "stranger", None, -10_000)

    def test_a_line_without_a_key_is_missing_here_under_the_banks_own_id(self) -> None:
        found = only(compared([], [line("", id="meridian-77", kind="other", direction="credit", amount=5)]))
        assert (found.kind, found.reference, found.theirs) == (Kind.MISSING_HERE, "meridian-77", 5)

    def test_two_lines_without_a_key_are_two_differences(self) -> None:
        assert len(compared([], [line("", id="a"), line("", id="b")]).differences) == 2

    @pytest.mark.parametrize("theirs", [9_999, 10_001, 100])
    def test_another_amount_is_an_amount_break(self, theirs: int) -> None:
        found = only(compared([ours()], [line(amount=theirs)]))
        assert (found.kind, found.ours, found.theirs) == (Kind.AMOUNT, 10_000, theirs)

    def test_settled_there_and_rejected_here_is_a_state_break(self) -> None:
        found = only(compared([ours(state=InstructionState.REJECTED, booked={})], [line()]))
        assert found.kind == Kind.STATE
        assert "rejected" in found.explanation

    def test_the_same_payment_booked_twice_there_is_a_duplicate(self) -> None:
        found = only(compared([ours()], [line(), line()]))
        assert (found.kind, found.ours, found.theirs) == (Kind.DUPLICATE, 10_000, 20_000)

    def test_one_line_listed_twice_is_a_duplicate_and_counts_once(self) -> None:
        same = line(id="meridian-5")
        result = compared([ours()], [same, same])
        assert (only(result).kind, only(result).reference, result.matched) == (Kind.DUPLICATE, "meridian-5", 1)

    def test_a_return_that_we_did_not_book_is_named_beside_the_payment_that_agrees(self) -> None:
        result = compared([ours()], [line(), line(kind="return", direction="credit", code="R10")])
        assert (only(result).kind, only(result).reference) == (Kind.STATE, "w1:returned")
        assert "w1" in result.agreed
        assert result.matched == 0

    def test_what_the_differences_did_to_the_settlement_account_is_summed(self) -> None:
        refund = ours("r1", kind=InstructionKind.REFUND, booked={Facet.SETTLED: 300})
        theirs = [line(direction="credit", amount=10_500), line("", id="x", kind="other", direction="debit", amount=7)]
        assert compared([ours(), refund], theirs, SETTLEMENT).unmatched == {"USD": 500 + 300 - 7}


class Counted(str):
    """A key that counts how often it is looked at: what a matching costs, without a clock."""

    looks = 0

    def __hash__(self) -> int:
        Counted.looks += 1
        return super().__hash__()

    def __eq__(self, other: object) -> bool:
        Counted.looks += 1
        return super().__eq__(other)


class TestSize:
    def test_ten_thousand_lines_with_planted_faults_are_each_classified_in_linear_time(self) -> None:
        def run(count: int) -> tuple[Matching, int]:
            mine = [ours(Counted(f"k{number}")) for number in range(count)]
            theirs = []
            for number in range(count):
                if number % 100 == 0:
                    continue  # missing
                theirs.append(line(Counted(f"k{number}"), amount=9_000 if number % 100 == 1 else 10_000))
                if number % 100 == 2:
                    theirs.append(line(Counted(f"k{number}")))
                if number % 100 == 3:
                    theirs.append(line(Counted(f"unknown{number}")))
            Counted.looks = 0
            return compared(mine, theirs), Counted.looks

        _, short = run(1_000)
        result, long = run(10_000)
        kinds = [difference.kind for difference in result.differences]
        wanted = (Kind.MISSING_THERE, Kind.AMOUNT, Kind.DUPLICATE, Kind.MISSING_HERE)
        assert {kind: kinds.count(kind) for kind in wanted} == dict.fromkeys(wanted, 100)
        assert (len(kinds), result.matched) == (400, 10_000 - 300)
        assert 0 < long <= 11 * short
