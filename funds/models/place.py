from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.models import Investor
from bridge.kernel import ids
from bridge.kernel.fields import Key
from bridge.kernel.guards import never_deleted, stays_what_it_is
from funds.models.fund import Fund


class FundCapacity(models.Model):
    """The counters of a fund, apart from the row that people edit. Limits that are empty do not limit.

    `reserved`, `confirmed` and `hard_cap` are minor units of the fund's currency; seats are investors.
    """

    fund = models.OneToOneField(Fund, primary_key=True, on_delete=models.PROTECT, related_name="capacity")
    seat_limit = models.PositiveIntegerField(null=True, blank=True)
    hard_cap = models.BigIntegerField(null=True, blank=True)
    seats_taken = models.PositiveIntegerField(default=0)
    reserved = models.BigIntegerField(default=0)
    confirmed = models.BigIntegerField(default=0)

    class Meta:
        verbose_name_plural = "fund capacities"
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(seat_limit__isnull=True) | Q(seats_taken__lte=F("seat_limit")), name="capacity_seats"
            ),
            models.CheckConstraint(
                condition=Q(hard_cap__isnull=True) | Q(hard_cap__gte=F("reserved") + F("confirmed")),
                name="capacity_hard_cap",
            ),
            models.CheckConstraint(condition=Q(reserved__gte=0) & Q(confirmed__gte=0), name="capacity_not_negative"),
        ]
        triggers: ClassVar = [never_deleted(), stays_what_it_is("fund_id")]

    def __str__(self) -> str:
        return f"Capacity of {self.fund_id}"


class Allocation(models.Model):
    """An investor's place in a fund. Its one seat is taken while `reserved + confirmed` is above zero."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    fund = Key(Fund, on_delete=models.PROTECT, related_name="allocations", db_index=False)
    investor = Key(Investor, on_delete=models.PROTECT, related_name="allocations")
    reserved = models.BigIntegerField(default=0)
    confirmed = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["fund", "investor"], name="allocation_once"),
            models.CheckConstraint(condition=Q(reserved__gte=0) & Q(confirmed__gte=0), name="allocation_not_negative"),
        ]
        triggers: ClassVar = [never_deleted(), stays_what_it_is("id", "fund_id", "investor_id", "created_at")]

    def __str__(self) -> str:
        return f"{self.investor_id} in {self.fund_id}"

    @property
    def public_id(self) -> str:
        return ids.encode("allocation", self.id)


class Reservation(models.Model):
    """What one transfer takes of an allocation, in minor units. `expires_at` is empty once money began to move.

    `quiet`: given back by a freeze, of which the investor must not learn, so that to investors it is still reserved.
    """

    class State(models.TextChoices):
        RESERVED = "reserved", "reserved"
        CONFIRMED = "confirmed", "confirmed"
        RELEASED = "released", "released"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    transfer_id = models.UUIDField(unique=True)
    allocation = Key(Allocation, on_delete=models.PROTECT, related_name="reservations")
    amount = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State.choices)
    expires_at = models.DateTimeField(null=True, blank=True)
    quiet = models.BooleanField(default=False, db_default=False)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [models.CheckConstraint(condition=Q(amount__gt=0), name="reservation_positive")]
        triggers: ClassVar = [never_deleted(), stays_what_it_is("id", "transfer_id", "created_at")]
        # Few ever are: an investor's places are shown without a look at all that was ever reserved in them.
        indexes: ClassVar = [models.Index(fields=["allocation"], condition=Q(quiet=True), name="reservation_quiet")]

    def __str__(self) -> str:
        return f"{self.amount} {self.state}"

    @property
    def public_id(self) -> str:
        return ids.encode("reservation", self.id)
