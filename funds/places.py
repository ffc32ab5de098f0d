"""Seats and dollars of funds, for one unit of work.

`Places.lock` takes the rows in the global order; `reserve`, `confirm`, `release` … decide in memory and collect
deltas; `save` writes them as F-expression updates that the CHECK constraints judge once more. A fund that thousands
pay into is touched once per batch.

Longer than most modules: what is decided in memory and what is written are two halves of one promise.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import F, Q

from bridge.kernel import bulk, columns, ids, locking, rows
from bridge.kernel.errors import BridgeError
from bridge.kernel.transactions import require_atomic
from funds.models import Allocation, FundCapacity, Reservation

Pair = tuple[uuid.UUID, uuid.UUID]  # fund, investor


class NoPlace(BridgeError):
    code = "no_place"
    status = 409
    title = "No place in the fund"
    message = "The fund has no seat or no capacity left for this amount."


@dataclass(slots=True)
class _Place:
    """An allocation as it will be."""

    id: uuid.UUID
    reserved: int = 0
    confirmed: int = 0
    is_new: bool = False
    reserved_delta: int = 0
    confirmed_delta: int = 0

    @property
    def taken(self) -> bool:
        return self.reserved + self.confirmed > 0


@dataclass(slots=True)
class _Room:
    """A fund's capacity as it will be."""

    capacity: FundCapacity
    seats: int
    reserved: int
    confirmed: int
    touched: bool = False

    @property
    def seats_delta(self) -> int:
        return self.seats - self.capacity.seats_taken

    @property
    def reserved_delta(self) -> int:
        return self.reserved - self.capacity.reserved

    @property
    def confirmed_delta(self) -> int:
        return self.confirmed - self.capacity.confirmed

    @property
    def is_over(self) -> bool:
        """Whether it takes more than the limits give; less than before always fits."""
        limit, cap = self.capacity.seat_limit, self.capacity.hard_cap
        more = self.reserved_delta + self.confirmed_delta
        return (limit is not None and self.seats_delta > 0 and self.seats > limit) or (
            cap is not None and more > 0 and self.reserved + self.confirmed > cap
        )


@dataclass
class Places:
    """What one unit of work holds of some funds' capacity. Make it with `lock`, end with `save`."""

    _rooms: dict[uuid.UUID, _Room]
    _places: dict[Pair, _Place]
    _reservations: dict[uuid.UUID, Reservation]
    _pair_of: dict[uuid.UUID, Pair]
    _born: dict[uuid.UUID, Reservation] = field(default_factory=dict)
    _changed: dict[uuid.UUID, Reservation] = field(default_factory=dict)

    @classmethod
    def lock(cls, *, pairs: Iterable[Pair], transfer_ids: Iterable[uuid.UUID]) -> Places:
        """Lock the capacity of these funds, then the allocations of these (fund, investor), each by id.

        `transfer_ids` are the transfers whose reservations will be read or changed; a reservation belongs to its
        transfer, whose lock the caller holds.
        """
        require_atomic()
        wanted = set(pairs)
        rooms = {
            row.pk: _Room(row, row.seats_taken, row.reserved, row.confirmed)
            for row in locking.lock(FundCapacity.objects.all(), {fund for fund, _ in wanted})
        }
        places = {
            (row.fund_id, row.investor_id): _Place(row.id, row.reserved, row.confirmed)
            for row in locking.lock(Allocation.objects.all(), _allocation_ids(wanted))
        }
        own = Reservation.objects.filter(bulk.Among("transfer_id", transfer_ids)).order_by()
        reservations = {row.transfer_id: row for row in rows.read(own)}
        pair_of_place = {place.id: pair for pair, place in places.items()}
        # One that was released may have been of a fund that its transfer has left.
        held = {t: row.allocation_id for t, row in reservations.items() if row.allocation_id in pair_of_place}
        return cls(rooms, places, reservations, {t: pair_of_place[place] for t, place in held.items()})

    @classmethod
    def read(cls, *, pairs: Iterable[Pair]) -> Places:
        """The same without locks, to look and not to touch: it cannot be saved in earnest."""
        wanted = set(pairs)
        fund_ids = {fund for fund, _ in wanted}
        rooms = {
            row.pk: _Room(row, row.seats_taken, row.reserved, row.confirmed)
            for row in FundCapacity.objects.filter(pk__in=fund_ids)
        }
        known = Allocation.objects.filter(bulk.Among("pk", _allocation_ids(wanted)))
        places = {(row.fund_id, row.investor_id): _Place(row.id, row.reserved, row.confirmed) for row in known}
        return cls(rooms, places, {}, {})

    # --- asking

    def capacity(self, fund_id: uuid.UUID) -> FundCapacity:
        """The fund's capacity as it would be if this unit of work ended now."""
        room = self._rooms[fund_id]
        now = {"seats_taken": room.seats, "reserved": room.reserved, "confirmed": room.confirmed}
        limits = {"seat_limit": room.capacity.seat_limit, "hard_cap": room.capacity.hard_cap}
        return rows.new(FundCapacity, {"fund_id": fund_id, **limits, **now})

    def already(self, fund_id: uuid.UUID, investor_id: uuid.UUID) -> int:
        """What this investor has in the fund, reserved and confirmed, in minor units."""
        place = self._places.get((fund_id, investor_id))
        return place.reserved + place.confirmed if place else 0

    def reserved_for(self, transfer_id: uuid.UUID) -> int:
        """What this transfer has reserved (not confirmed), 0 where nothing."""
        row = self._reservations.get(transfer_id)
        return row.amount if row and row.state == Reservation.State.RESERVED else 0

    def taken_by(self, transfer_id: uuid.UUID) -> int:
        """What this transfer has of the fund, reserved or confirmed, 0 where nothing."""
        row = self._reservations.get(transfer_id)
        return row.amount if row and row.state != Reservation.State.RELEASED else 0

    def has_room(self, fund_id: uuid.UUID, investor_id: uuid.UUID, amount: int) -> bool:
        room = self._rooms[fund_id]
        place = self._places.get((fund_id, investor_id))
        limit, cap = room.capacity.seat_limit, room.capacity.hard_cap
        needs_seat = place is None or not place.taken
        if needs_seat and limit is not None and room.seats >= limit:
            return False
        return cap is None or room.reserved + room.confirmed + amount <= cap

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
        if not self.has_room(fund_id, investor_id, amount):
            raise NoPlace(fund=str(fund_id))
        place = self._places.get((fund_id, investor_id))
        if place is None:
            place = self._places[fund_id, investor_id] = _Place(ids.new_id(), is_new=True)
        self._move((fund_id, investor_id), reserved=amount)
        row = self._reservations.get(transfer_id)
        if row is None:
            row = rows.new(
                Reservation,
                {
                    "id": ids.new_id(),
                    "transfer_id": transfer_id,
                    "allocation_id": place.id,
                    "amount": amount,
                    "state": Reservation.State.RESERVED,
                    "expires_at": expires_at,
                    "created_at": at,
                },
            )
            self._reservations[transfer_id] = row
            self._born[transfer_id] = row
        else:
            row.allocation_id, row.amount, row.state = place.id, amount, Reservation.State.RESERVED
            row.expires_at = expires_at
            self._note(row)
        self._pair_of[transfer_id] = (fund_id, investor_id)

    def keep(self, transfer_id: uuid.UUID) -> None:
        """The money begins to move: the reservation no longer expires."""
        row = self._reservations[transfer_id]
        row.expires_at = None
        self._note(row)

    def postpone(self, transfer_id: uuid.UUID, expires_at: datetime) -> None:
        row = self._reservations[transfer_id]
        row.expires_at = expires_at
        self._note(row)

    def resize(self, transfer_id: uuid.UUID, amount: int) -> None:
        """What is invested has changed, reserved or confirmed; a larger amount may find no room: `NoPlace`."""
        row = self._reservations[transfer_id]
        pair = self._pair_of[transfer_id]
        change = amount - row.amount
        if change > 0 and not self.has_room(*pair, change):
            raise NoPlace(fund=str(pair[0]))
        if row.state == Reservation.State.CONFIRMED:
            self._move(pair, confirmed=change)
        else:
            self._move(pair, reserved=change)
        row.amount = amount
        self._note(row)

    def share(self, *, transfer_id: uuid.UUID, child_id: uuid.UUID, amount: int, at: datetime) -> None:
        """Part of a confirmed place becomes that of a split child: the same seat, the same sums."""
        row = self._reservations[transfer_id]
        if row.state != Reservation.State.CONFIRMED or not 0 < amount < row.amount:
            raise ValueError("only a part of a confirmed place can be shared")
        row.amount -= amount
        self._note(row)
        born = Reservation(
            id=ids.new_id(),
            transfer_id=child_id,
            allocation_id=row.allocation_id,
            amount=amount,
            state=Reservation.State.CONFIRMED,
            created_at=at,
        )
        self._reservations[child_id] = self._born[child_id] = born
        self._pair_of[child_id] = self._pair_of[transfer_id]

    def confirm(self, transfer_id: uuid.UUID) -> None:
        """The money is at the fund."""
        row = self._reservations[transfer_id]
        self._move(self._pair_of[transfer_id], reserved=-row.amount, confirmed=row.amount)
        row.state = Reservation.State.CONFIRMED
        row.expires_at = None
        self._note(row)

    def unconfirm(self, transfer_id: uuid.UUID) -> None:
        """The fund gave the money back: reserved again until a refund begins."""
        row = self._reservations[transfer_id]
        self._move(self._pair_of[transfer_id], reserved=row.amount, confirmed=-row.amount)
        row.state = Reservation.State.RESERVED
        self._note(row)

    def release(self, transfer_id: uuid.UUID) -> None:
        """Give the place back, reserved or confirmed; harmless where there is none."""
        row = self._reservations.get(transfer_id)
        if row is None or row.state == Reservation.State.RELEASED:
            return
        if row.state == Reservation.State.RESERVED:
            self._move(self._pair_of[transfer_id], reserved=-row.amount)
        else:
            self._move(self._pair_of[transfer_id], confirmed=-row.amount)
        row.state = Reservation.State.RELEASED
        row.expires_at = None
        self._note(row)

    def save(self, *, at: datetime) -> None:
        """Write what changed. Raises `NoPlace` where the conditional update found no room after all."""
        self._save_rooms({fund_id: room for fund_id, room in self._rooms.items() if room.touched})
        created, moved = [], {}
        for (fund_id, investor_id), place in self._places.items():
            if place.is_new:
                created.append(
                    Allocation(
                        id=place.id,
                        fund_id=fund_id,
                        investor_id=investor_id,
                        reserved=place.reserved,
                        confirmed=place.confirmed,
                        created_at=at,
                    )
                )
            elif place.reserved_delta or place.confirmed_delta:
                moved[place.id] = place
        bulk.insert(Allocation, created)
        if moved:
            Allocation.objects.filter(bulk.Among("pk", moved)).update(
                reserved=F("reserved") + bulk.ByKey("id", {k: p.reserved_delta for k, p in moved.items()}),
                confirmed=F("confirmed") + bulk.ByKey("id", {k: p.confirmed_delta for k, p in moved.items()}),
            )
        bulk.insert(Reservation, list(self._born.values()))
        bulk.update(Reservation, list(self._changed.values()), fields=["allocation", "amount", "state", "expires_at"])

    def _save_rooms(self, touched: dict[uuid.UUID, _Room]) -> None:
        """All funds in one conditional update, which the CHECK constraints judge once more."""
        if not touched:
            return
        seats = bulk.ByKey("fund_id", {key: room.seats_delta for key, room in touched.items()})
        reserved = bulk.ByKey("fund_id", {key: room.reserved_delta for key, room in touched.items()})
        confirmed = bulk.ByKey("fund_id", {key: room.confirmed_delta for key, room in touched.items()})
        more = bulk.ByKey("fund_id", {key: room.reserved_delta + room.confirmed_delta for key, room in touched.items()})
        written = (
            FundCapacity.objects.filter(bulk.Among("fund_id", touched))
            .alias(more_seats=seats, more=more)
            .filter(
                Q(seat_limit__isnull=True)
                | Q(more_seats__lte=0)
                | Q(seat_limit__gte=F("seats_taken") + F("more_seats")),
                Q(hard_cap__isnull=True) | Q(more__lte=0) | Q(hard_cap__gte=F("reserved") + F("confirmed") + F("more")),
            )
            .update(
                seats_taken=F("seats_taken") + seats,
                reserved=F("reserved") + reserved,
                confirmed=F("confirmed") + confirmed,
            )
        )
        if written < len(touched):
            raise NoPlace(fund=", ".join(str(key) for key, room in sorted(touched.items()) if room.is_over))

    def _move(self, pair: Pair, *, reserved: int = 0, confirmed: int = 0) -> None:
        place, room = self._places[pair], self._rooms[pair[0]]
        had = place.taken
        place.reserved += reserved
        place.confirmed += confirmed
        place.reserved_delta += reserved
        place.confirmed_delta += confirmed
        room.reserved += reserved
        room.confirmed += confirmed
        room.seats += int(place.taken) - int(had)
        room.touched = True

    def _note(self, row: Reservation) -> None:
        if row.transfer_id not in self._born:
            self._changed[row.transfer_id] = row


def _allocation_ids(pairs: Iterable[Pair]) -> list[uuid.UUID]:
    """Of those of these (fund, investor) that have one."""
    wanted = list(pairs)
    found = bulk.execute(
        "SELECT a.id FROM unnest(%s::uuid[], %s::uuid[]) AS w(fund_id, investor_id) "
        "JOIN funds_allocation AS a USING (fund_id, investor_id)",
        [columns.uuids(fund for fund, _ in wanted), columns.uuids(investor for _, investor in wanted)],
    )
    return [row[0] for row in found.fetchall()]
