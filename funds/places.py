"""Seats and dollars of funds, for one unit of work.

`Places.lock` takes the rows in the global order; `reserve`, `confirm`, `release` … decide in memory and collect
deltas; `save` writes them as F-expression updates that the CHECK constraints judge once more. A fund that thousands
pay into is touched once per batch, and `Places.watch` leaves it alone until something of it is to be changed.

Longer than most modules: what is decided in memory and what is written are two halves of one promise.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Protocol, cast

from django.db.models import F, Q
from django.db.models.lookups import LessThanOrEqual

from bridge.kernel import binary, bulk, compiled, ids, locking
from bridge.kernel.compiled import Own
from bridge.kernel.errors import BridgeError
from bridge.kernel.transactions import require_atomic
from funds.models import Allocation, FundCapacity, Reservation

Pair = tuple[uuid.UUID, uuid.UUID]  # fund, investor


class Capacity(Protocol):
    """Seats are investors, sums minor units of the fund's currency; limits that are None do not limit."""

    seat_limit: int | None
    hard_cap: int | None
    seats_taken: int
    reserved: int
    confirmed: int


class NoPlace(BridgeError):
    code = "no_place"
    status = 409
    title = "No place in the fund"
    message = "The fund has no seat or no capacity left for this amount."


@dataclass(slots=True)
class _Room:
    """A fund's capacity as it will be, and what this unit of work changes of it."""

    fund_id: uuid.UUID
    seat_limit: int | None
    hard_cap: int | None
    seats_taken: int
    reserved: int
    confirmed: int
    touched: bool = False
    seats_delta: int = 0
    reserved_delta: int = 0
    confirmed_delta: int = 0

    @property
    def is_over(self) -> bool:
        """Whether it takes more than the limits give; less than before always fits."""
        limit, cap = self.seat_limit, self.hard_cap
        more = self.reserved_delta + self.confirmed_delta
        return (limit is not None and self.seats_delta > 0 and self.seats_taken > limit) or (
            cap is not None and more > 0 and self.reserved + self.confirmed > cap
        )


@dataclass(slots=True)
class _Place:
    """An allocation as it will be."""

    id: uuid.UUID
    room: _Room
    investor_id: uuid.UUID
    reserved: int = 0
    confirmed: int = 0
    is_new: bool = False
    reserved_delta: int = 0
    confirmed_delta: int = 0

    def move(self, reserved: int, confirmed: int) -> None:
        room, had = self.room, self.reserved + self.confirmed > 0
        self.reserved += reserved
        self.confirmed += confirmed
        self.reserved_delta += reserved
        self.confirmed_delta += confirmed
        room.reserved += reserved
        room.confirmed += confirmed
        room.reserved_delta += reserved
        room.confirmed_delta += confirmed
        room.touched = True
        seat = (self.reserved + self.confirmed > 0) - had
        if seat:
            room.seats_taken += seat
            room.seats_delta += seat

    def fits(self, amount: int) -> bool:
        room = self.room
        limit, cap = room.seat_limit, room.hard_cap
        if limit is not None and room.seats_taken >= limit and self.reserved + self.confirmed <= 0:
            return False
        return cap is None or room.reserved + room.confirmed + amount <= cap


@dataclass(slots=True)
class _Held:
    """A transfer's reservation, with the attributes of its row, and the place that it is in."""

    id: uuid.UUID
    transfer_id: uuid.UUID
    allocation_id: uuid.UUID
    amount: int
    state: str
    expires_at: datetime | None
    created_at: datetime
    place: _Place
    quiet: bool = False
    changed: bool = False


@dataclass
class Places:
    """What one unit of work holds of some funds' capacity. Make it with `lock`, end with `save`."""

    _rooms: dict[uuid.UUID, _Room]
    _every: list[_Place] = field(default_factory=list)
    _reservations: dict[uuid.UUID, _Held] = field(default_factory=dict)
    _born: list[_Held] = field(default_factory=list)
    _changed: list[_Held] = field(default_factory=list)
    _unlocked: list[Pair] = field(default_factory=list)  # to be locked before the first change

    @classmethod
    def lock(cls, *, pairs: Iterable[Pair], transfer_ids: Iterable[uuid.UUID]) -> Places:
        """Lock the capacity of these funds, then the allocations of these (fund, investor), each by id.

        `transfer_ids` are the transfers whose reservations will be read or changed; a reservation belongs to its
        transfer, whose lock the caller holds.
        """
        require_atomic()
        wanted = list(pairs)
        places = cls(_rooms(locking.lock(FundCapacity.objects.all(), {fund for fund, _ in wanted})))
        by_id = places._take(_locked_allocations(wanted))
        return places._with_reservations(by_id, transfer_ids)

    @classmethod
    def watch(cls, *, pairs: Iterable[Pair], transfer_ids: Iterable[uuid.UUID]) -> Places:
        """`lock`, but capacity and allocations are locked only when one of them is to be changed: all of these pairs
        then, in the same order, and read again. For units of work that mostly change reservations alone, so that they
        do not queue for a fund that thousands pay into. Lock no row that comes later in the order before that."""
        require_atomic()
        wanted = list(pairs)
        places = cls.read(pairs=wanted)
        places._unlocked = wanted
        return places._with_reservations({place.id: place for place in places._every}, transfer_ids)

    @classmethod
    def read(cls, *, pairs: Iterable[Pair]) -> Places:
        """The same without locks, to look and not to touch: it cannot be saved in earnest."""
        wanted = list(pairs)
        places = cls(_rooms(compiled.by_key(FundCapacity, {fund for fund, _ in wanted})))
        places._take(_ALLOCATIONS(**_pairs(wanted)) if wanted else ())
        return places

    def _with_reservations(self, by_id: dict[uuid.UUID, _Place], transfer_ids: Iterable[uuid.UUID]) -> Places:
        known = list(transfer_ids)
        for row in _RESERVATIONS(keys=binary.uuids(known)) if known else ():
            number, transfer_id, allocation_id, amount, state, expires_at, created_at, quiet = row
            # One that was released may have been of a fund that its transfer has left: only `reserve` touches it.
            place = by_id[allocation_id] if state != RELEASED else cast(_Place, by_id.get(allocation_id))
            self._reservations[transfer_id] = _Held(
                number, transfer_id, allocation_id, amount, state, expires_at, created_at, place, quiet
            )
        return self

    def _secure(self) -> None:
        """Lock what was only watched, and see it as it is now."""
        if not self._unlocked:
            return
        pairs, self._unlocked = self._unlocked, []
        for row in locking.lock(FundCapacity.objects.all(), {fund for fund, _ in pairs}):
            room = self._rooms[row.pk]
            room.seat_limit, room.hard_cap, room.seats_taken = row.seat_limit, row.hard_cap, row.seats_taken
            room.reserved, room.confirmed = row.reserved, row.confirmed
        known = {place.id: place for place in self._every}
        for allocation in _locked_allocations(pairs):
            if (place := known.get(allocation.id)) is not None:
                place.reserved, place.confirmed = allocation.reserved, allocation.confirmed
            else:
                self._take([allocation])
                self.__dict__.pop("_places", None)

    def _take(self, allocations: Iterable[Allocation]) -> dict[uuid.UUID, _Place]:
        rooms, found = self._rooms, {}
        for row in allocations:
            found[row.id] = _Place(row.id, rooms[row.fund_id], row.investor_id, row.reserved, row.confirmed)
        self._every += found.values()
        return found

    @cached_property
    def _places(self) -> dict[Pair, _Place]:
        """By fund and investor, for those who ask so: the engine asks by transfer."""
        return {(place.room.fund_id, place.investor_id): place for place in self._every}

    # --- asking

    def capacity(self, fund_id: uuid.UUID) -> Capacity:
        """The fund's capacity as it would be if this unit of work ended now. To be looked at at once: it lives on."""
        return self._rooms[fund_id]

    def seen_from(
        self, transfer_id: uuid.UUID, fund_id: uuid.UUID, investor_id: uuid.UUID
    ) -> tuple[Capacity, int, int]:
        """The fund's capacity, what else the investor has in the fund, and what this transfer has reserved there.

        Of places that are only watched they are as they were read: whoever takes more than is reserved asks `has_room`.
        """
        held = self._reservations.get(transfer_id)
        if held is not None and held.state == RESERVED:
            place = held.place
            return place.room, place.reserved + place.confirmed - held.amount, held.amount
        return self._rooms[fund_id], self.already(fund_id, investor_id), 0

    def already(self, fund_id: uuid.UUID, investor_id: uuid.UUID) -> int:
        """What this investor has in the fund, reserved and confirmed, in minor units."""
        place = self._places.get((fund_id, investor_id))
        return place.reserved + place.confirmed if place else 0

    def reserved_for(self, transfer_id: uuid.UUID) -> int:
        """What this transfer has reserved (not confirmed), 0 where nothing."""
        held = self._reservations.get(transfer_id)
        return held.amount if held and held.state == RESERVED else 0

    def taken_by(self, transfer_id: uuid.UUID) -> int:
        """What this transfer has of the fund, reserved or confirmed, 0 where nothing."""
        held = self._reservations.get(transfer_id)
        return held.amount if held and held.state != RELEASED else 0

    def has_room(self, fund_id: uuid.UUID, investor_id: uuid.UUID, amount: int) -> bool:
        self._secure()
        place = self._places.get((fund_id, investor_id))
        return (place or _Place(fund_id, self._rooms[fund_id], investor_id)).fits(amount)

    # --- changing

    def reserve(
        self,
        *,
        transfer_id: uuid.UUID,
        fund_id: uuid.UUID,
        investor_id: uuid.UUID,
        amount: int,
        expires_at: datetime | None,
        at: datetime,
    ) -> None:
        """Take a place for a transfer that has none. Raises `NoPlace`."""
        self._secure()
        known = self._places.get((fund_id, investor_id))
        place = known or _Place(ids.new_id(), self._rooms[fund_id], investor_id, is_new=True)
        if not place.fits(amount):
            raise NoPlace(fund=str(fund_id))
        if known is None:
            self._places[fund_id, investor_id] = place
            self._every.append(place)
        place.move(amount, 0)
        held = self._reservations.get(transfer_id)
        if held is None:
            held = _Held(ids.new_id(), transfer_id, place.id, amount, RESERVED, expires_at, at, place, changed=True)
            self._reservations[transfer_id] = held
            self._born.append(held)
        else:
            held.allocation_id, held.place, held.amount, held.state = place.id, place, amount, RESERVED
            held.expires_at, held.quiet = expires_at, False
            self._note(held)

    def keep(self, transfer_id: uuid.UUID) -> None:
        """The money begins to move: the reservation no longer expires."""
        held = self._reservations[transfer_id]
        held.expires_at = None
        self._note(held)

    def postpone(self, transfer_id: uuid.UUID, expires_at: datetime) -> None:
        held = self._reservations[transfer_id]
        held.expires_at = expires_at
        self._note(held)

    def resize(self, transfer_id: uuid.UUID, amount: int) -> None:
        """What is invested has changed, reserved or confirmed; a larger amount may find no room: `NoPlace`."""
        self._secure()
        held = self._reservations[transfer_id]
        change = amount - held.amount
        if change > 0 and not held.place.fits(change):
            raise NoPlace(fund=str(held.place.room.fund_id))
        if held.state == CONFIRMED:
            held.place.move(0, change)
        else:
            held.place.move(change, 0)
        held.amount = amount
        self._note(held)

    def share(self, *, transfer_id: uuid.UUID, child_id: uuid.UUID, amount: int, at: datetime) -> None:
        """Part of a confirmed place becomes that of a split child: the same seat, the same sums."""
        self._secure()
        held = self._reservations[transfer_id]
        if held.state != CONFIRMED or not 0 < amount < held.amount:
            raise ValueError("only a part of a confirmed place can be shared")
        held.amount -= amount
        self._note(held)
        born = _Held(ids.new_id(), child_id, held.allocation_id, amount, CONFIRMED, None, at, held.place, changed=True)
        self._reservations[child_id] = born
        self._born.append(born)

    def confirm(self, transfer_id: uuid.UUID) -> None:
        """The money is at the fund."""
        self._secure()
        held = self._reservations[transfer_id]
        held.place.move(-held.amount, held.amount)
        held.state, held.expires_at = CONFIRMED, None
        self._note(held)

    def unconfirm(self, transfer_id: uuid.UUID) -> None:
        """The fund gave the money back: reserved again until a refund begins."""
        self._secure()
        held = self._reservations[transfer_id]
        held.place.move(held.amount, -held.amount)
        held.state = RESERVED
        self._note(held)

    def release(self, transfer_id: uuid.UUID, *, quietly: bool = False) -> None:
        """Give the place back, reserved or confirmed; harmless where there is none. `quietly`: investors go on reading
        it as reserved until it is released once more, or reserved anew."""
        held = self._reservations.get(transfer_id)
        if held is None or held.state == RELEASED:
            if held is not None and held.quiet and not quietly:
                held.quiet = False
                self._note(held)
            return
        self._secure()
        if held.state == RESERVED:
            held.place.move(-held.amount, 0)
        else:
            held.place.move(0, -held.amount)
        held.state, held.expires_at, held.quiet = RELEASED, None, quietly
        self._note(held)

    def save(self, *, at: datetime) -> None:
        """Write what changed. Raises `NoPlace` where the conditional update found no room after all, in a block of
        `together` at its end."""
        self._save_rooms()
        created: list[tuple[uuid.UUID, uuid.UUID, uuid.UUID, int, int]] = []
        moved: dict[uuid.UUID, tuple[int, int]] = {}
        for place in self._every:
            if place.is_new:
                created.append((place.id, place.room.fund_id, place.investor_id, place.reserved, place.confirmed))
            elif place.reserved_delta or place.confirmed_delta:
                moved[place.id] = (place.reserved_delta, place.confirmed_delta)
        if created:
            names = ("id", "fund", "investor", "reserved", "confirmed")
            values = dict(zip(names, map(list, zip(*created, strict=True)), strict=True))
            bulk.insert_columns(Allocation, {**values, "created_at": [at] * len(created)})
        _MOVE_PLACES(moved)
        bulk.insert(Reservation, self._born)
        bulk.update(Reservation, self._changed, fields=["allocation", "amount", "state", "expires_at", "quiet"])

    def _save_rooms(self) -> None:
        """All funds in one conditional update, which the CHECK constraints judge once more."""
        touched = {
            fund_id: (room.seats_delta, room.reserved_delta, room.confirmed_delta)
            for fund_id, room in self._rooms.items()
            if room.touched
        }

        def check(moved: int) -> None:
            if moved < len(touched):
                over = sorted(str(fund_id) for fund_id in touched if self._rooms[fund_id].is_over)
                raise NoPlace(fund=", ".join(over))

        _MOVE_ROOMS(touched, check=check)

    def _note(self, held: _Held) -> None:
        if not held.changed:
            held.changed = True
            self._changed.append(held)


RESERVED, CONFIRMED, RELEASED = (
    Reservation.State.RESERVED.value,
    Reservation.State.CONFIRMED.value,
    Reservation.State.RELEASED.value,
)
_RESERVATIONS = compiled.Tuples(
    lambda: (
        Reservation.objects.filter(compiled.AnyOf("transfer_id", "uuid", "keys"))
        .order_by()
        .values_list("id", "transfer_id", "allocation_id", "amount", "state", "expires_at", "created_at", "quiet")
    )
)
_MOVE_PLACES = compiled.UpdateEach(
    Allocation,
    "id",
    ("reserved", "confirmed"),
    reserved=F("reserved") + Own("reserved"),
    confirmed=F("confirmed") + Own("confirmed"),
)
_MORE = Own("reserved") + Own("confirmed")
_MOVE_ROOMS = compiled.UpdateEach(
    FundCapacity,
    "fund",
    ("seats", "reserved", "confirmed"),
    only_where=(
        (
            Q(seat_limit__isnull=True)
            | LessThanOrEqual(Own("seats"), 0)
            | Q(seat_limit__gte=F("seats_taken") + Own("seats"))
        )
        & (
            Q(hard_cap__isnull=True)
            | LessThanOrEqual(_MORE, 0)
            | Q(hard_cap__gte=F("reserved") + F("confirmed") + _MORE)
        )
    ),
    seats_taken=F("seats_taken") + Own("seats"),
    reserved=F("reserved") + Own("reserved"),
    confirmed=F("confirmed") + Own("confirmed"),
)


def _rooms(capacities: Iterable[FundCapacity]) -> dict[uuid.UUID, _Room]:
    return {
        row.pk: _Room(row.pk, row.seat_limit, row.hard_cap, row.seats_taken, row.reserved, row.confirmed)
        for row in capacities
    }


# Found by fund and investor, read or locked by id.
_OF_PAIRS = compiled.AnyFrom(
    "SELECT a.id FROM unnest(%s::uuid[], %s::uuid[]) AS w(fund_id, investor_id) "
    "JOIN funds_allocation AS a USING (fund_id, investor_id)",
    "funds",
    "investors",
)
_ALLOCATIONS = compiled.Rows(Allocation, lambda: Allocation.objects.filter(_OF_PAIRS).order_by())
_LOCKED = compiled.Rows(
    Allocation, lambda: Allocation.objects.filter(_OF_PAIRS).select_for_update(no_key=True).order_by("pk")
)


def _pairs(pairs: Iterable[Pair]) -> dict[str, Any]:
    funds, investors = zip(*pairs, strict=True)
    return {"funds": binary.uuids(funds), "investors": binary.uuids(investors)}


def _locked_allocations(pairs: list[Pair]) -> list[Allocation]:
    """Of those of these (fund, investor) that have one."""
    locking.claim_rank(Allocation)
    return _LOCKED(**_pairs(pairs)) if pairs else []
