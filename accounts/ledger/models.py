from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from accounts.ledger.guards import entries_balance
from accounts.ledger.kinds import SIGNED_KINDS, Kind
from bridge.events.fields import CurrentTransaction, Xid8Field
from bridge.kernel import ids
from bridge.kernel.guards import append_only, never_deleted, stays_what_it_is


class LedgerAccount(models.Model):
    """One place where money is. `balance` (minor units) is the running total of its entries.

    `owner_id` is an investor account, a fund, or nothing for the accounts of a currency.
    """

    id = models.BigAutoField(primary_key=True)
    owner_id = models.UUIDField(null=True, blank=True)
    kind = models.CharField(max_length=30, choices=Kind.choices)
    currency = models.CharField(max_length=3)
    balance = models.BigIntegerField(default=0)
    version = models.PositiveBigIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["currency", "kind"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["owner_id", "kind", "currency"], name="ledger_account_once", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=Q(balance__gte=0) | Q(kind__in=[str(kind) for kind in SIGNED_KINDS]),
                name="ledger_balance_not_negative",
            ),
        ]
        triggers: ClassVar = [never_deleted(), stays_what_it_is("id", "owner_id", "kind", "currency")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.currency}"


class Posting(models.Model):
    """One immutable balanced group of entries. `row` names the line of the posting table that it follows (W1 … X2).

    `effective_at` is the bank's date, `created_at` when we wrote it.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    row = models.CharField(max_length=2)
    transfer_id = models.UUIDField(null=True, blank=True)
    instruction_id = models.UUIDField(null=True, blank=True)
    effective_at = models.DateTimeField()
    created_at = models.DateTimeField()
    reverses = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="reversed_by", db_index=False
    )
    tx = Xid8Field(db_default=CurrentTransaction(), editable=False)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["transfer_id"], name="posting_transfer")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(reverses=F("id")), name="posting_not_its_own_reversal"),
            models.UniqueConstraint(
                fields=["reverses"], name="posting_reverses_once", condition=Q(reverses__isnull=False)
            ),
        ]
        triggers: ClassVar = [append_only()]

    def __str__(self) -> str:
        return f"{self.row} {self.created_at:%Y-%m-%d %H:%M}"


class Entry(models.Model):
    """One signed line of a posting, in minor units of its account's currency.

    The trigger looks up both keys when the entry is written, and what they point to is never deleted; a foreign key
    would look a second time (ADR 21).
    """

    id = models.BigAutoField(primary_key=True)
    posting = models.ForeignKey(Posting, on_delete=models.PROTECT, related_name="entries", db_constraint=False)
    account = models.ForeignKey(LedgerAccount, on_delete=models.PROTECT, related_name="entries", db_constraint=False)
    transfer_id = models.UUIDField(null=True, blank=True)
    amount = models.BigIntegerField()

    class Meta:
        ordering: ClassVar = ["-id"]
        verbose_name_plural = "entries"
        indexes: ClassVar = [models.Index(fields=["transfer_id"], name="entry_transfer")]
        constraints: ClassVar = [models.CheckConstraint(condition=~Q(amount=0), name="entry_not_zero")]
        triggers: ClassVar = [append_only(), entries_balance()]

    def __str__(self) -> str:
        return f"{self.amount:+d}"
