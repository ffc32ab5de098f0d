"""Whose money came back when several transfers share one deposit: the parts always come to what the bank sent."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from transfers.services.returning import Holder, Part, share_out

HOLDERS = st.lists(st.builds(Holder, st.uuids(), st.integers(0, 500), st.booleans()), max_size=4)


def holder(there: int, *, recalled: bool = False) -> Holder:
    return Holder(uuid.uuid4(), there, recalled)


def test_who_recalled_it_comes_first_and_the_rest_goes_to_the_others() -> None:
    first, asked = holder(100), holder(40, recalled=True)
    assert share_out(60, 0, [first, asked]) == [Part(asked.transfer_id, 40), Part(first.transfer_id, 20)]


def test_interest_that_is_itemised_is_no_more_of_the_deposit() -> None:
    only = holder(1_000)
    assert share_out(412, 0, [only], interest=12) == [Part(only.transfer_id, 400, interest=12)]


def test_a_fee_larger_than_the_first_part_is_borne_by_the_next_too() -> None:
    asked, other = holder(10, recalled=True), holder(990)
    assert share_out(975, 25, [asked, other]) == [
        Part(asked.transfer_id, 10, fee=10),
        Part(other.transfer_id, 990, fee=15),
    ]


@given(back=st.integers(1, 2_000), fee=st.integers(0, 200), share=st.integers(0, 100), holders=HOLDERS)
def test_the_parts_come_to_what_the_bank_sent(back: int, fee: int, share: int, holders: list[Holder]) -> None:
    parts = share_out(back, fee, holders, interest=back * share // 100)
    there = {each.transfer_id: each.there for each in holders}
    assert all(0 < part.given_up <= there[part.transfer_id] and 0 <= part.fee <= part.given_up for part in parts)
    assert all(part.interest >= 0 for part in parts)
    assert not parts or sum(part.given_up - part.fee + part.interest for part in parts) == back
    assert bool(parts) == any(there.values()) or back + fee == back * share // 100
