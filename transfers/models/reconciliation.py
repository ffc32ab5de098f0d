from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.conf import settings
from django.db import models
from django.db.models import Q

from bridge.kernel import ids
from bridge.kernel.guards import append_only, never_deleted, stays_ended, stays_what_it_is


class BankStatement(models.Model):
    """One day of a settlement account as the bank states it, imported once. Balances in minor units.

    A currency has one settlement account, which one format may name differently from another. `lines` are the booked
    lines in the statement's order; `sha256` of the file refuses a repeated import.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    account = models.CharField(max_length=64)
    currency = models.CharField(max_length=3)
    date = models.DateField()
    opening = models.BigIntegerField()
    closing = models.BigIntegerField()
    lines = models.JSONField()
    format = models.CharField(max_length=10)
    sha256 = models.CharField(max_length=64, unique=True)
    imported_at = models.DateTimeField()
    imported_by = models.CharField(max_length=100)

    class Meta:
        ordering: ClassVar = ["-date", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "date"], name="statement_day_once"),
            models.UniqueConstraint(fields=["currency", "date"], name="statement_day_once_per_currency"),
        ]
        triggers: ClassVar = [append_only()]

    def __str__(self) -> str:
        return f"{self.account} {self.date}"


class ReconciliationRun(models.Model):
    """One comparison of our books with what the institutions recorded for one day (UTC)."""

    id = models.BigAutoField(primary_key=True)
    date = models.DateField()
    matched = models.PositiveIntegerField(default=0)
    new_breaks = models.PositiveIntegerField(default=0)
    open_breaks = models.PositiveIntegerField(default=0)
    problems = models.JSONField(default=list, blank=True, help_text="Institutions that did not answer, and why.")
    unstated = models.JSONField(
        default=list,
        db_default=[],
        blank=True,
        help_text="Currencies whose settlement account moved on this day, and of which no statement of it was there.",
    )
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        triggers: ClassVar = [append_only()]

    def __str__(self) -> str:
        return f"Reconciliation of {self.date}"


class Break(models.Model):
    """A difference that reconciliation found and nobody has resolved. Amounts in minor units; ours − theirs."""

    class Kind(models.TextChoices):
        MISSING_THERE = "missing_there", "in our books, not in theirs"
        MISSING_HERE = "missing_here", "in their books, not in ours"
        AMOUNT = "amount", "amounts differ"
        STATE = "state", "states differ"
        DUPLICATE = "duplicate", "booked more than once"
        BALANCE = "balance", "balances differ"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    institution = models.CharField(max_length=40)
    reference = models.CharField(max_length=100, help_text="Our key, or the institution's own id.")
    instruction_id = models.UUIDField(null=True, blank=True)
    transfer_id = models.UUIDField(null=True, blank=True)
    currency = models.CharField(max_length=3)
    ours = models.BigIntegerField(null=True, blank=True)
    theirs = models.BigIntegerField(null=True, blank=True)
    explanation = models.CharField(max_length=400)
    date = models.DateField()
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    resolution = models.CharField(max_length=400, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering: ClassVar = ["-first_seen_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "institution", "reference"],
                name="break_open_once",
                condition=Q(resolved_at__isnull=True),
            ),
            models.CheckConstraint(
                condition=Q(resolved_at__isnull=True) | ~Q(resolution=""), name="break_resolution_says_why"
            ),
        ]
        triggers: ClassVar = [
            never_deleted(),
            stays_what_it_is(
                "id",
                "institution",
                "reference",
                "instruction_id",
                "transfer_id",
                "currency",
                "date",
                "first_seen_at",
            ),
            stays_ended(pgtrigger.Q(old__resolved_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()}: {self.reference}"

    @property
    def public_id(self) -> str:
        return ids.encode("break", self.id)
