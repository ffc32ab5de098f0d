from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.models import Investor
from bridge.kernel import crypto, ids
from bridge.kernel.guards import append_only


class Fund(models.Model):
    """A private fund, as people describe it. What money and seats change is in `FundCapacity`.

    `minimum` and `maximum` (per investor) are minor units of `currency`.
    """

    class Kind(models.TextChoices):
        VENTURE = "venture", "venture capital"
        BUYOUT = "buyout", "buyout"
        REAL_ESTATE = "real_estate", "real estate"
        CREDIT = "credit", "private credit"
        HEDGE = "hedge", "hedge"

    class Status(models.TextChoices):
        DRAFT = "draft", "draft"
        OPEN = "open", "open"
        PAUSED = "paused", "paused"
        CLOSING = "closing", "closing"
        CLOSED = "closed", "closed"

    class OnDepositFailure(models.TextChoices):
        REFUND = "refund", "refund the investor"
        HOLD = "hold", "hold for operations"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    code = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=160)
    description = models.TextField(blank=True)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.DRAFT)
    currency = models.CharField(max_length=3)
    minimum = models.BigIntegerField(default=1)
    maximum = models.BigIntegerField(null=True, blank=True, help_text="Per investor; empty for none.")
    opens_at = models.DateTimeField()
    closes_at = models.DateTimeField(null=True, blank=True)
    on_deposit_failure = models.CharField(
        max_length=10, choices=OnDepositFailure.choices, default=OnDepositFailure.REFUND
    )
    institution = models.CharField(max_length=40)
    routing_number = models.CharField(max_length=34, blank=True)
    number_sealed = models.TextField(editable=False)
    number_last4 = models.CharField(max_length=4, editable=False)
    number_index = models.CharField(max_length=64, editable=False)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(condition=Q(minimum__gte=1), name="fund_minimum_positive"),
            models.CheckConstraint(
                condition=Q(maximum__isnull=True) | Q(maximum__gte=F("minimum")), name="fund_maximum_above_minimum"
            ),
            models.CheckConstraint(
                condition=Q(closes_at__isnull=True) | Q(closes_at__gt=F("opens_at")), name="fund_closes_after_opening"
            ),
            models.UniqueConstraint(fields=["institution", "number_index"], name="fund_account_number_once"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str:
        return ids.encode("fund", self.id)

    def set_number(self, number: str) -> None:
        self.number_sealed = crypto.seal(number, table="fund", column="number", row=self.id)
        self.number_last4 = crypto.last_four(number)
        self.number_index = crypto.blind_index(number)

    def reveal_number(self) -> str:
        """For the institution's adapter only; people see the last four."""
        return crypto.unseal(self.number_sealed, table="fund", column="number", row=self.id)


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

    def __str__(self) -> str:
        return f"Capacity of {self.fund_id}"


class Allocation(models.Model):
    """An investor's place in a fund. Its one seat is taken while `reserved + confirmed` is above zero."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    fund = models.ForeignKey(Fund, on_delete=models.PROTECT, related_name="allocations", db_index=False)
    investor = models.ForeignKey(Investor, on_delete=models.PROTECT, related_name="allocations")
    reserved = models.BigIntegerField(default=0)
    confirmed = models.BigIntegerField(default=0)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["fund", "investor"], name="allocation_once"),
            models.CheckConstraint(condition=Q(reserved__gte=0) & Q(confirmed__gte=0), name="allocation_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self.investor_id} in {self.fund_id}"

    @property
    def public_id(self) -> str:
        return ids.encode("allocation", self.id)


class Reservation(models.Model):
    """What one transfer takes of an allocation, in minor units. `expires_at` is empty once money began to move."""

    class State(models.TextChoices):
        RESERVED = "reserved", "reserved"
        CONFIRMED = "confirmed", "confirmed"
        RELEASED = "released", "released"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    transfer_id = models.UUIDField(unique=True)
    allocation = models.ForeignKey(Allocation, on_delete=models.PROTECT, related_name="reservations")
    amount = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State.choices)
    expires_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [models.CheckConstraint(condition=Q(amount__gt=0), name="reservation_positive")]

    def __str__(self) -> str:
        return f"{self.amount} {self.state}"

    @property
    def public_id(self) -> str:
        return ids.encode("reservation", self.id)


class Verification(models.Model):
    """The run of all rules at one stage for one transfer: what they saw and what they decided. Append-only."""

    class Stage(models.TextChoices):
        CREATE = "create", "at the request"
        WITHDRAWAL = "withdrawal", "before the withdrawal"
        DEPOSIT = "deposit", "before the deposit"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    transfer_id = models.UUIDField()
    fund = models.ForeignKey(Fund, on_delete=models.PROTECT, db_index=False)
    stage = models.CharField(max_length=12, choices=Stage.choices)
    outcome = models.CharField(max_length=10)
    facts = models.JSONField()
    decisions = models.JSONField()
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["transfer_id"], name="verification_transfer")]
        triggers: ClassVar = [append_only()]

    def __str__(self) -> str:
        return f"{self.get_stage_display()}: {self.outcome}"
