"""What a demo run asks for: the same from the same seed, of every kind, and never more than was wanted."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

import pytest

from bridge.management.demo import catalogue, names, plan
from bridge.management.demo.plan import FAULTY, SHARES, Plan, UnknownFault

NOW = datetime(2026, 11, 23, tzinfo=UTC)
PEOPLE = names.investors()


def _plan(count: int = 100, seed: int = 1, faults: str = "some") -> Plan:
    return plan.make(count=count, seed=seed, faults=faults, investors=PEOPLE, now=NOW)


class TestInvestors:
    def test_are_the_same_in_every_installation(self) -> None:
        assert names.investors() == PEOPLE

    def test_have_names_and_account_numbers_of_their_own(self) -> None:
        accounts = [account for row in PEOPLE for account in row.accounts]
        assert len(PEOPLE) == 200
        assert len({row.legal_name for row in PEOPLE}) == 200
        assert len({account.number for account in accounts}) == len(accounts)
        assert {row.kind for row in PEOPLE} == {"natural_person", "entity"}
        assert sum(account.currency == "EUR" for account in accounts) >= 10
        assert all(1 <= len(row.accounts) <= 2 for row in PEOPLE)

    def test_have_addresses_that_nobody_else_can_have(self) -> None:
        assert all(row.email.endswith("@example.com") for row in PEOPLE)


class TestFunds:
    def test_are_of_every_kind_and_status_that_the_demo_tells_of(self) -> None:
        offers = catalogue.funds(NOW)
        assert {fund.kind for fund in offers} == {"venture", "buyout", "real_estate", "credit", "hedge"}
        assert {fund.status for fund in offers} == {"open", "paused", "closed", "draft"}
        assert {fund.currency for fund in offers} == {"USD", "EUR"}
        assert len({fund.code for fund in offers}) == len({fund.account_number for fund in offers}) == len(offers)


class TestAPlan:
    def test_is_the_same_for_the_same_seed_and_another_for_another(self) -> None:
        assert _plan(seed=5) == _plan(seed=5)
        assert _plan(seed=5) != _plan(seed=6)

    @pytest.mark.parametrize("count", [1, 2, 7, 50, 100, 333, 1000])
    @pytest.mark.parametrize("faults", ["none", "some", "all", "timeout_after,reject_deposit"])
    def test_asks_for_exactly_so_many(self, count: int, faults: str) -> None:
        rows = _plan(count, faults=faults).requests
        assert [row.number for row in rows] == list(range(1, count + 1))

    def test_of_a_hundred_has_every_kind(self) -> None:
        assert {row.kind for row in _plan(100).requests} == SHARES.keys() | FAULTY.keys()

    def test_without_faults_leaves_the_bank_alone(self) -> None:
        made = _plan(300, faults="none")
        assert made.faults == []
        assert {row.kind for row in made.requests} <= SHARES.keys()

    def test_with_named_faults_has_no_others(self) -> None:
        made = _plan(300, faults="timeout_after, error_before")
        assert {rule["fault"] for rule in made.faults} == {"timeout_after", "error_before"}

    def test_refuses_a_fault_that_does_not_exist(self) -> None:
        with pytest.raises(UnknownFault, match=r"'earthquake' .* timeout_before"):
            _plan(faults="earthquake")

    @pytest.mark.parametrize("seed", range(5))
    def test_of_a_hundred_gives_each_faulty_withdrawal_an_account_of_its_own(self, seed: int) -> None:
        rows = _plan(seed=seed).requests
        used = Counter(row.account.number for row in rows)
        assert all(used[row.account.number] == 1 for row in rows if row.kind in FAULTY)

    @pytest.mark.parametrize("seed", range(5))
    def test_asks_amounts_that_fit_their_kind(self, seed: int) -> None:
        minimum = {fund.code: fund.minimum for fund in catalogue.funds(NOW)}
        for row in _plan(300, seed=seed).requests:
            assert row.amount >= 1
            if row.kind == "below_minimum":
                assert row.amount < minimum[row.fund]
            elif row.kind != "top_up":
                assert row.amount >= minimum[row.fund]
            assert (row.amount > row.account.balance) == (row.kind == "above_balance")

    @pytest.mark.parametrize("seed", range(5))
    def test_lets_followers_follow_the_same_investor_into_the_same_fund(self, seed: int) -> None:
        rows = {row.number: row for row in _plan(seed=seed).requests}
        followers = [row for row in rows.values() if row.follows is not None]
        assert followers
        for row in followers:
            assert row.follows is not None
            first = rows[row.follows]
            assert (row.account, row.fund) == (first.account, first.fund)
            assert (row.amount == first.amount) == (row.kind == "duplicate")

    @pytest.mark.parametrize("seed", range(5))
    def test_asks_too_little_only_of_whom_the_fund_does_not_know(self, seed: int) -> None:
        rows = _plan(500, seed=seed).requests
        there = {row.investor for row in rows if row.fund == catalogue.HIGH_MINIMUM and row.kind == "good"}
        assert not there & {row.investor for row in rows if row.kind == "below_minimum"}
