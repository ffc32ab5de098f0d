"""Whatever the promises and the target, a cut adds up to the cent and is fair."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transfers.shares import Claim, apportion, first_come, pro_rata

METHODS = [pro_rata, first_come]
claims_of = st.lists(st.tuples(st.integers(0, 6), st.integers(1, 10**9)), min_size=1, max_size=14).map(
    lambda rows: [
        Claim(uuid.UUID(int=number + 1), uuid.UUID(int=1000 + investor), amount, number)
        for number, (investor, amount) in enumerate(rows)
    ]
)


def per_investor(claims: list[Claim], kept: dict[uuid.UUID, int]) -> dict[uuid.UUID, int]:
    sums: dict[uuid.UUID, int] = {}
    for claim in claims:
        sums[claim.investor_id] = sums.get(claim.investor_id, 0) + kept[claim.transfer_id]
    return sums


@pytest.mark.parametrize("share", METHODS)
@given(claims=claims_of, target=st.integers(0, 10**10))
def test_adds_up_to_the_target_or_to_everything(share, claims, target) -> None:
    kept = share(claims, target=target)
    assert kept.keys() == {claim.transfer_id for claim in claims}
    assert sum(kept.values()) == min(target, sum(claim.amount for claim in claims))
    assert all(0 <= kept[claim.transfer_id] <= claim.amount for claim in claims)


@pytest.mark.parametrize("share", METHODS)
@given(claims=claims_of, target=st.integers(0, 10**10), minimum=st.integers(1, 10**9))
def test_with_a_minimum_nobody_is_cut_below_it(share, claims, target, minimum) -> None:
    kept = share(claims, target=target, minimum=minimum)
    wanted = per_investor(claims, {claim.transfer_id: claim.amount for claim in claims})
    assert sum(kept.values()) <= target
    for investor, amount in per_investor(claims, kept).items():
        assert amount in (0, wanted[investor]) or amount >= minimum


@given(weights=st.lists(st.integers(1, 10**15), min_size=1, max_size=50), total=st.integers(0, 10**15))
def test_largest_remainder_is_never_a_cent_away_from_the_exact_share(weights, total) -> None:
    shares = apportion(weights, total)
    whole = sum(weights)
    exact = [min(weight * whole, weight * total) for weight in weights]
    assert all(abs(share * whole - part) < whole for share, part in zip(shares, exact, strict=True))


@given(claims=claims_of, target=st.integers(0, 10**10))
def test_pro_rata_never_gives_more_for_less(claims, target) -> None:
    kept = per_investor(claims, pro_rata(claims, target=target))
    wanted = per_investor(claims, {claim.transfer_id: claim.amount for claim in claims})
    for one in kept:
        for other in kept:
            if wanted[one] < wanted[other]:
                assert kept[one] <= kept[other] + 1


@given(claims=claims_of, target=st.integers(0, 10**10))
def test_first_come_serves_nobody_before_the_one_in_front(claims, target) -> None:
    kept = first_come(claims, target=target)
    full = [kept[claim.transfer_id] == claim.amount for claim in claims]
    first_cut = full.index(False) if False in full else len(claims)
    assert all(kept[claim.transfer_id] == 0 for claim in claims[first_cut + 1 :])


@pytest.mark.parametrize("share", METHODS)
@settings(max_examples=30)
@given(claims=claims_of, target=st.integers(0, 10**10), minimum=st.integers(0, 10**9), data=st.data())
def test_the_order_in_which_rows_are_read_does_not_matter(share, claims, target, minimum, data) -> None:
    mixed = data.draw(st.permutations(claims))
    assert share(claims, target=target, minimum=minimum) == share(mixed, target=target, minimum=minimum)


def test_ten_thousand_investors_below_the_minimum_take_no_time() -> None:
    claims = [Claim(uuid.UUID(int=n + 1), uuid.UUID(int=n + 1), 100 + n, n) for n in range(10_000)]
    kept = pro_rata(claims, target=1_000_000, minimum=5_000)
    assert 0 < sum(kept.values()) <= 1_000_000
    assert sum(first_come(claims, target=1_000_000, minimum=5_000).values()) <= 1_000_000


def test_examples_to_the_cent() -> None:
    def claim(number: int, amount: int) -> Claim:
        return Claim(uuid.UUID(int=number), uuid.UUID(int=100 + number), amount, number)

    thirds = [claim(1, 100), claim(2, 100), claim(3, 100)]
    assert list(pro_rata(thirds, target=100).values()) == [34, 33, 33]
    assert list(first_come(thirds, target=150).values()) == [100, 50, 0]
    assert list(first_come(thirds, target=150, minimum=60).values()) == [100, 0, 0]
    mixed = [claim(1, 100), claim(2, 100), claim(3, 40)]
    assert list(first_come(mixed, target=145, minimum=50).values()) == [100, 0, 40]
    assert list(pro_rata([claim(1, 30), claim(2, 300)], target=165, minimum=20).values()) == [0, 165]
