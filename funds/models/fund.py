from __future__ import annotations

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q

from bridge.kernel import crypto, ids
from bridge.kernel.guards import never_deleted, stays_what_it_is
from bridge.kernel.rails import Rail

# Bank details too: nothing of Bridge changes where a fund's money goes.
_KEPT = (
    "id",
    "currency",
    "institution",
    "routing_number",
    "number_sealed",
    "number_last4",
    "number_index",
    "created_at",
)


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

    class Regime(models.TextChoices):
        """The exemption under which the fund is not an investment company."""

        NONE = "none", "no limit"
        SECTION_3C1 = "3c1", "section 3(c)(1)"
        VENTURE = "3c1_venture", "section 3(c)(1), qualifying venture fund"
        SECTION_3C7 = "3c7", "section 3(c)(7)"

    class Eligibility(models.TextChoices):
        NONE = "none", "anybody"
        ACCREDITED = "accredited", "accredited investors"
        QUALIFIED_PURCHASER = "qualified_purchaser", "qualified purchasers"

    Rail = Rail

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
    regime = models.CharField(max_length=12, choices=Regime.choices, default=Regime.NONE)
    eligibility = models.CharField(max_length=20, choices=Eligibility.choices, default=Eligibility.NONE)
    required_documents = ArrayField(
        models.CharField(max_length=60), default=list, blank=True, help_text="Subscription documents to be signed."
    )
    second_person_above = models.BigIntegerField(
        null=True, blank=True, help_text="Transfers above this amount need a second person; empty for none."
    )
    escrow_minimum = models.BigIntegerField(
        null=True, blank=True, help_text="Nothing is released to the fund before this much has come in."
    )
    contributed_elsewhere = models.BigIntegerField(default=0, help_text="Promised to the fund outside Bridge.")
    rail = models.CharField(max_length=12, choices=Rail.choices, blank=True)
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
        triggers: ClassVar = [never_deleted(), stays_what_it_is(*_KEPT)]

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
