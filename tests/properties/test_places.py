"""Seats and dollars of funds against a model that keeps nothing but what each transfer has.

Random batches of reserve, release, confirm, unconfirm and resize run through `funds.places` on the real database;
after each batch every counter must be what the model adds up, and a refusal must be one that the model foresees.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts.models import Investor
from bridge.kernel import ids
from funds.models import Allocation, Fund, FundCapacity, Reservation
from funds.places import NoPlace, Places

AT = datetime(2026, 3, 2, tzinfo=UTC)
FUNDS, INVESTORS, TRANSFERS = 2, 3, 6
LIMITS = ((2, 1_000), (None, 700))  # seats and dollars of each fund

OPERATION = st.tuples(
    st.sampled_from(["reserve", "reserve", "release", "confirm", "unconfirm", "resize", "keep"]),
    st.integers(0, TRANSFERS - 1),
    st.integers(1, 500),
)
BATCHES = st.lists(st.lists(OPERATION, min_size=1, max_size=6), min_size=1, max_size=6)


@dataclass
class Held:
    state: str
    amount: int


@dataclass
class Model:
    """What each transfer has, by its number. Transfer n belongs to investor n % 3 and fund n % 2."""

    has: dict[int, Held] = field(default_factory=dict)

    def of(self, *, fund: int | None = None, investor: int | None = None, state: str = "") -> int:
        return sum(
            held.amount
            for number, held in self.has.items()
            if held.state != "released"
            and (fund is None or number % FUNDS == fund)
            and (investor is None or number % INVESTORS == investor)
            and (not state or held.state == state)
        )

    def seats(self, fund: int) -> int:
        return sum(self.of(fund=fund, investor=investor) > 0 for investor in range(INVESTORS))

    def fits(self, number: int, more: int) -> bool:
        fund, investor = number % FUNDS, number % INVESTORS
        seats, cap = LIMITS[fund]
        if self.of(fund=fund, investor=investor) == 0 and seats is not None and self.seats(fund) >= seats:
            return False
        return cap is None or self.of(fund=fund) + more <= cap


@dataclass
class Town:
    """The rows of one example."""

    funds: list[Fund]
    investors: list[Investor]
    transfers: list[uuid.UUID]

    @classmethod
    def build(cls) -> Town:
        funds = [
            Fund(code=f"f-{ids.new_id().hex}", name="A fund", kind="credit", currency="USD", opens_at=AT, created_at=AT,
                 institution="harbor", number_index=str(ids.new_id()))
            for _ in range(FUNDS)
        ]  # fmt: skip
        Fund.objects.bulk_create(funds)
        FundCapacity.objects.bulk_create(
            FundCapacity(fund=fund, seat_limit=seats, hard_cap=cap)
            for fund, (seats, cap) in zip(funds, LIMITS, strict=True)
        )
        investors = [Investor(kind="entity", legal_name=f"Investor {n}", created_at=AT) for n in range(INVESTORS)]
        Investor.objects.bulk_create(investors)
        return cls(funds, investors, [ids.new_id() for _ in range(TRANSFERS)])

    def pair(self, number: int) -> tuple[uuid.UUID, uuid.UUID]:
        return self.funds[number % FUNDS].id, self.investors[number % INVESTORS].id

    def lock(self, *, late: bool = False) -> Places:
        pairs = {self.pair(number) for number in range(TRANSFERS)}
        return (Places.watch if late else Places.lock)(pairs=pairs, transfer_ids=self.transfers)

    def is_as(self, model: Model) -> None:
        for number, fund in enumerate(self.funds):
            row = FundCapacity.objects.get(fund=fund)
            assert row.reserved == model.of(fund=number, state="reserved")
            assert row.confirmed == model.of(fund=number, state="confirmed")
            assert row.seats_taken == model.seats(number)
        for row in Allocation.objects.filter(fund__in=self.funds):
            fund = [fund.id for fund in self.funds].index(row.fund_id)
            investor = [investor.id for investor in self.investors].index(row.investor_id)
            assert row.reserved == model.of(fund=fund, investor=investor, state="reserved")
            assert row.confirmed == model.of(fund=fund, investor=investor, state="confirmed")
        stored = {row.transfer_id: (row.state, row.amount) for row in Reservation.objects.all()}
        assert stored == {self.transfers[n]: (held.state, held.amount) for n, held in model.has.items()}


def play(town: Town, places: Places, model: Model, operation: tuple[str, int, int]) -> None:
    """One operation on both, where it makes sense; a refusal must be the same on both."""
    what, number, amount = operation
    transfer, held = town.transfers[number], model.has.get(number)
    state = held.state if held else "released"
    if what == "reserve" and state == "released":
        fund_id, investor_id = town.pair(number)
        fits = model.fits(number, amount)
        assert places.has_room(fund_id, investor_id, amount) is fits
        if fits:
            places.reserve(
                transfer_id=transfer, fund_id=fund_id, investor_id=investor_id, amount=amount,
                expires_at=AT + timedelta(days=5), at=AT,
            )  # fmt: skip
            model.has[number] = Held("reserved", amount)
        else:
            with pytest.raises(NoPlace):
                places.reserve(
                    transfer_id=transfer,
                    fund_id=fund_id,
                    investor_id=investor_id,
                    amount=amount,
                    expires_at=None,
                    at=AT,
                )
    elif what == "release":
        places.release(transfer)  # harmless where there is nothing
        if held:
            held.state = "released"
    elif held and what == "resize" and state == "reserved":
        if amount <= held.amount or model.fits(number, amount - held.amount):
            places.resize(transfer, amount)
            held.amount = amount
        else:
            with pytest.raises(NoPlace):
                places.resize(transfer, amount)
    elif held and what == "confirm" and state == "reserved":
        places.confirm(transfer)
        held.state = "confirmed"
    elif held and what == "unconfirm" and state == "confirmed":
        places.unconfirm(transfer)
        held.state = "reserved"
    elif held and what == "keep" and state == "reserved":
        places.keep(transfer)
    assert places.reserved_for(transfer) == (
        model.has[number].amount if number in model.has and model.has[number].state == "reserved" else 0
    )


@pytest.mark.django_db
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=BATCHES, late=st.booleans())
def test_counters_are_always_what_the_transfers_have(batches: list[list[tuple[str, int, int]]], late: bool) -> None:
    with transaction.atomic():
        town, model = Town.build(), Model()
        for batch in batches:
            places = town.lock(late=late)
            for operation in batch:
                play(town, places, model, operation)
            places.save(at=AT)
            town.is_as(model)
        transaction.set_rollback(True)


@pytest.mark.django_db
class TestSaving:
    def test_a_stale_view_of_a_fund_is_refused_by_the_update_itself(self) -> None:
        """`read` takes no lock; were it saved, the condition in the UPDATE stands in for the lock."""
        with transaction.atomic():
            town = Town.build()
            fund_id, investor_id = town.pair(0)
            blind = Places.read(pairs=[(fund_id, investor_id)])
            blind.reserve(
                transfer_id=town.transfers[0],
                fund_id=fund_id,
                investor_id=investor_id,
                amount=600,
                expires_at=None,
                at=AT,
            )
            FundCapacity.objects.filter(fund_id=fund_id).update(reserved=500)
            with pytest.raises(NoPlace):
                blind.save(at=AT)

    def test_what_is_watched_is_seen_as_it_is_when_it_changes(self) -> None:
        """Another unit of work takes the room, and a place for this very investor, between the look and the change."""
        with transaction.atomic():
            town = Town.build()
            (fund_id, investor_id), transfer = town.pair(0), town.transfers[0]
            watched = Places.watch(pairs=[(fund_id, investor_id)], transfer_ids=[transfer])
            assert watched.already(fund_id, investor_id) == 0
            Allocation.objects.create(fund_id=fund_id, investor_id=investor_id, reserved=500, created_at=AT)
            FundCapacity.objects.filter(fund_id=fund_id).update(reserved=500, seats_taken=1)
            terms: dict[str, Any] = {"fund_id": fund_id, "investor_id": investor_id, "expires_at": None, "at": AT}
            with pytest.raises(NoPlace):
                watched.reserve(transfer_id=transfer, amount=600, **terms)
            watched.reserve(transfer_id=transfer, amount=100, **terms)
            watched.save(at=AT)
            assert Allocation.objects.get().reserved == 600
            assert FundCapacity.objects.get(fund_id=fund_id).seats_taken == 1

    def test_outside_a_unit_of_work_nothing_is_locked(self, transactional_db: None) -> None:
        with pytest.raises(RuntimeError):
            Places.lock(pairs=[], transfer_ids=[])

    def test_a_fund_that_many_pay_into_is_updated_once(self, django_assert_num_queries: Any) -> None:
        with transaction.atomic():
            town = Town.build()
            places = town.lock()
            for number in (1, 3, 5):
                fund_id, investor_id = town.pair(number)
                places.reserve(
                    transfer_id=town.transfers[number], fund_id=fund_id, investor_id=investor_id, amount=100,
                    expires_at=None, at=AT,
                )  # fmt: skip
            with django_assert_num_queries(3):  # capacity, allocations, reservations
                places.save(at=AT)
