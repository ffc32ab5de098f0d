"""The rows of the treasury, with what the database keeps true of them, which makes this longer than most modules."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import Q

from bridge.kernel import ids
from bridge.kernel.guards import never_deleted, stays_ended
from bridge.kernel.money import MAX_AMOUNT
from transfers.models.transfer import Transfer


def shown_once(column: str) -> pgtrigger.Trigger:
    """The line that shows a payment stays the one that shows it."""
    changes = pgtrigger.Q(**{f"old__{column}__gt": "", f"old__{column}__df": pgtrigger.F(f"new__{column}")})
    return pgtrigger.Protect(name="shown_once", operation=pgtrigger.Update, condition=changes)


class Receipt(models.Model):
    """Money that came to the settlement account and that no instruction of ours explains (S1). Amount in minor units.

    What the bank stated never changes; only what people found out about it does. `opened_by` is the posting S1,
    `closed_by` the posting S2 or S3 that took it out of suspense. Some banks number each day's lines anew: a line is
    known by the day of its statement and its id.
    """

    class State(models.TextChoices):
        UNIDENTIFIED = "unidentified", "unidentified"
        IDENTIFIED = "identified", "identified"
        SENT_BACK = "sent_back", "sent back"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    account = models.CharField(max_length=64, help_text="The settlement account, as its bank names it.")
    stated_on = models.DateField(help_text="The day of the statement.")
    line = models.CharField(max_length=100, help_text="The bank's own id of the line.")
    institution_reference = models.CharField(
        max_length=200, blank=True, help_text="The bank's reference of the payment."
    )
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    sender = models.CharField(max_length=200, blank=True)
    reference = models.CharField(max_length=200, blank=True, help_text="What the sender wrote.")
    received_at = models.DateTimeField()
    recorded_at = models.DateTimeField()
    opened_by = models.UUIDField(unique=True)
    state = models.CharField(max_length=12, choices=State.choices, default=State.UNIDENTIFIED)
    transfer = models.ForeignKey(
        Transfer, null=True, blank=True, on_delete=models.PROTECT, related_name="receipts", db_index=False
    )
    of_the_firm = models.BooleanField(default=False, help_text="It is the firm's own money.")
    bank_reference = models.CharField(max_length=100, blank=True, help_text="Of the payment that sent it back.")
    back_shown_by = models.CharField(
        max_length=300, blank=True, help_text="The statement's line that shows the payment that sent it back."
    )
    closed_by = models.UUIDField(null=True, blank=True, unique=True)
    why = models.CharField(max_length=400, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["transfer"], name="receipt_transfer", condition=Q(transfer__isnull=False)),
            models.Index(fields=["currency"], name="receipt_open", condition=Q(state="unidentified")),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["account", "stated_on", "line"], name="receipt_line_once"),
            models.UniqueConstraint(
                fields=["currency", "bank_reference"],
                name="receipt_sent_back_once",
                condition=Q(state="sent_back"),
            ),
            models.UniqueConstraint(
                fields=["back_shown_by"], name="receipt_back_shown_once", condition=Q(back_shown_by__gt="")
            ),
            models.CheckConstraint(
                condition=Q(back_shown_by="") | Q(state="sent_back"), name="receipt_back_shown_stands"
            ),
            models.CheckConstraint(condition=Q(amount__gte=1, amount__lte=MAX_AMOUNT), name="receipt_amount"),
            models.CheckConstraint(
                condition=Q(state="unidentified", closed_by__isnull=True, decided_at__isnull=True)
                | Q(state__in=["identified", "sent_back"], closed_by__isnull=False, decided_at__isnull=False),
                name="receipt_closed_by_a_posting",
            ),
            models.CheckConstraint(
                condition=Q(state="identified", transfer__isnull=False, of_the_firm=False)
                | Q(state="identified", transfer__isnull=True, of_the_firm=True)
                | (~Q(state="identified") & Q(transfer__isnull=True, of_the_firm=False)),
                name="receipt_belongs_to_one",
            ),
            models.CheckConstraint(
                condition=Q(state="sent_back", bank_reference__gt="") | (~Q(state="sent_back") & Q(bank_reference="")),
                name="receipt_sent_back_by_reference",
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.ReadOnly(
                name="facts_permanent",
                fields=[
                    "id",
                    "account",
                    "stated_on",
                    "line",
                    "institution_reference",
                    "currency",
                    "amount",
                    "sender",
                    "reference",
                    "received_at",
                    "recorded_at",
                    "opened_by",
                ],
            ),
            shown_once("back_shown_by"),
            never_deleted(),
        ]

    def __str__(self) -> str:
        return self.public_id

    @property
    def public_id(self) -> str:
        return ids.encode("receipt", self.id)


class FloatMovement(models.Model):
    """What changed the firm's own money in the settlement account beside transfers: A3 and F1. Amount in minor units.

    A charge is one line of a statement; what people put in or took out names the bank's reference of the payment.
    The posting says which way the money went. `shown_by` is the one line of a statement that shows it. A movement that
    no line shows can be reversed (X2), which frees its reference for a right one.
    """

    class Kind(models.TextChoices):
        PUT_IN = "put_in", "put in"
        TAKEN_OUT = "taken_out", "taken out"
        CHARGE = "charge", "bank charge"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    account = models.CharField(max_length=64, help_text="The settlement account, as its bank names it.")
    currency = models.CharField(max_length=3)
    amount = models.BigIntegerField()
    bank_reference = models.CharField(max_length=100, help_text="The statement's line, or the payment's reference.")
    shown_by = models.CharField(max_length=300, blank=True, help_text="The statement's line that shows it.")
    why = models.CharField(max_length=400, blank=True)
    effective_at = models.DateTimeField()
    posting_id = models.UUIDField(unique=True)
    made_by = models.CharField(max_length=100)
    approved_by = models.CharField(max_length=100, blank=True)
    recorded_at = models.DateTimeField()
    reversed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["currency", "bank_reference"],
                name="movement_payment_once",
                condition=Q(reversed_at__isnull=True, kind__in=["put_in", "taken_out"]),
            ),
            models.UniqueConstraint(fields=["shown_by"], name="movement_shown_once", condition=Q(shown_by__gt="")),
            models.CheckConstraint(
                condition=Q(shown_by="") | Q(reversed_at__isnull=True), name="movement_shown_stands"
            ),
            models.CheckConstraint(condition=~Q(kind="charge") | Q(shown_by__gt=""), name="movement_charge_is_shown"),
            models.CheckConstraint(condition=Q(amount__gte=1, amount__lte=MAX_AMOUNT), name="movement_amount"),
            models.CheckConstraint(condition=Q(bank_reference__gt=""), name="movement_needs_reference"),
            models.CheckConstraint(
                condition=Q(kind="charge")
                | (Q(kind__in=["put_in", "taken_out"], approved_by__gt="") & ~Q(approved_by=models.F("made_by"))),
                name="movement_two_people",
            ),
        ]
        triggers: ClassVar = [
            pgtrigger.ReadOnly(
                name="facts_permanent",
                fields=[
                    "id",
                    "kind",
                    "account",
                    "currency",
                    "amount",
                    "bank_reference",
                    "why",
                    "effective_at",
                    "posting_id",
                    "made_by",
                    "approved_by",
                    "recorded_at",
                ],
            ),
            shown_once("shown_by"),
            stays_ended(pgtrigger.Q(old__reversed_at__isnull=False)),
            never_deleted(),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.bank_reference}"  # type: ignore[attr-defined]

    @property
    def public_id(self) -> str:
        return ids.encode("movement", self.id)
