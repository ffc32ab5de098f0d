from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q

from accounts.models import InvestorAccount
from bridge.kernel import ids
from bridge.kernel.fields import Key
from bridge.kernel.gateway import InstructionKind
from bridge.kernel.guards import never_deleted, stays_what_it_is
from bridge.kernel.rails import Rail
from transfers.models.transfer import Transfer
from transfers.states import LIVE, UNANSWERED, InstructionState

_LIVE = [str(state) for state in LIVE]
_TERMS = (
    "id",
    "transfer_id",
    "kind",
    "attempt",
    "account_id",
    "fund_id",
    "institution",
    "rail",
    "key",
    "amount",
    "currency",
    "reference",
    "recalls_id",
    "submitted_at",
    "key_expires_at",
    "created_at",
)


class BankInstruction(models.Model):
    """One order to one institution, with one permanent idempotency key.

    Amounts are minor units of `currency`: `amount` was ordered, `settled_amount` credited so far, `fee` kept on the
    way, `returned_amount` sent back afterwards, `return_fee` kept of that. A retry is a new row with `attempt + 1` and
    a new key. What was ordered, and under which key, never changes.
    """

    class Kind(models.TextChoices):
        WITHDRAWAL = InstructionKind.WITHDRAWAL.value, "withdrawal"
        DEPOSIT = InstructionKind.DEPOSIT.value, "deposit"
        REFUND = InstructionKind.REFUND.value, "refund"
        RECALL = InstructionKind.RECALL.value, "recall"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    transfer = Key(Transfer, on_delete=models.PROTECT, related_name="instructions", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    attempt = models.PositiveSmallIntegerField(default=1)
    account = Key(
        InvestorAccount, null=True, blank=True, on_delete=models.PROTECT, related_name="instructions", db_index=False
    )
    fund = models.ForeignKey(
        "funds.Fund",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="To whose account a deposit goes, or from whose a recall asks it back; the transfer may go elsewhere "
        "since.",
    )
    institution = models.CharField(max_length=40)
    rail = models.CharField(
        max_length=12, blank=True, choices=Rail.choices, help_text="Empty: the institution's usual way, a wire."
    )
    key = models.CharField(max_length=64)
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    state = models.CharField(max_length=12, choices=InstructionState.choices)
    reference = models.CharField(max_length=35, help_text="What appears on statements.")
    recalls = Key(
        "self",
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="recalled_by",
        db_index=False,
        help_text="The deposit that a recall asks back; it may belong to the transfer that this one was split from.",
    )
    institution_reference = models.CharField(max_length=64, blank=True)
    settled_amount = models.BigIntegerField(default=0)
    returned_amount = models.BigIntegerField(default=0)
    fee = models.BigIntegerField(default=0)
    return_fee = models.BigIntegerField(default=0)
    return_code = models.CharField(max_length=20, blank=True)
    reason = models.CharField(max_length=300, blank=True)
    sends = models.PositiveSmallIntegerField(default=1)
    submitted_at = models.DateTimeField(null=True, blank=True)
    last_sent_at = models.DateTimeField(null=True, blank=True)
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    key_expires_at = models.DateTimeField()
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["recalls"], name="instruction_recalls", condition=Q(recalls__isnull=False)),
        ]
        constraints: ClassVar = [
            # Not `unique=True`, which makes a second index, for look-ups by pattern that nobody does.
            models.UniqueConstraint(fields=["key"], name="instruction_key_once"),
            models.UniqueConstraint(fields=["transfer", "kind", "attempt"], name="instruction_attempt_once"),
            models.UniqueConstraint(
                fields=["transfer", "kind"], name="instruction_one_live", condition=Q(state__in=[str(s) for s in LIVE])
            ),
            models.UniqueConstraint(
                fields=["account"],
                name="withdrawal_one_unanswered",
                condition=Q(kind="withdrawal", state__in=[str(s) for s in UNANSWERED]),
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="instruction_amount"),
            models.CheckConstraint(
                condition=Q(settled_amount__gte=0, returned_amount__gte=0, fee__gte=0, return_fee__gte=0),
                name="instruction_facts",
            ),
            models.CheckConstraint(
                condition=~Q(kind="withdrawal") | Q(account__isnull=False), name="withdrawal_has_account"
            ),
            models.CheckConstraint(
                condition=Q(kind__in=["deposit", "recall"], fund__isnull=False)
                | (~Q(kind__in=["deposit", "recall"]) & Q(fund__isnull=True)),
                name="instruction_at_a_fund",
            ),
            models.CheckConstraint(condition=Q(state__in=InstructionState.values), name="instruction_known_state"),
            models.CheckConstraint(
                condition=Q(kind="recall", recalls__isnull=False) | (~Q(kind="recall") & Q(recalls__isnull=True)),
                name="recall_names_its_deposit",
            ),
            # What has ended does not come back to life by a change of its state alone.
            models.CheckConstraint(
                condition=Q(
                    state__in=_LIVE, ended_at__isnull=True, settled_at__isnull=True, settled_amount=0, returned_amount=0
                )
                | Q(state="rejected", ended_at__isnull=False, settled_at__isnull=True, settled_amount=0)
                | Q(state__in=["settled", "returned"], ended_at__isnull=False, settled_at__isnull=False),
                name="instruction_ended_as_it_says",
            ),
        ]
        triggers: ClassVar = [never_deleted(), stays_what_it_is(*_TERMS)]

    def __str__(self) -> str:
        return f"{self.kind} {self.attempt} {self.state}"

    @property
    def public_id(self) -> str:
        return ids.encode("instruction", self.id)

    @property
    def is_live(self) -> bool:
        return self.state in LIVE
