from __future__ import annotations

from typing import ClassVar

from django.db import models

from bridge.kernel import ids
from bridge.kernel.guards import append_only
from bridge.kernel.written import WrittenJSONField
from funds.models.fund import Fund


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
    facts = WrittenJSONField()
    decisions = WrittenJSONField()
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["transfer_id"], name="verification_transfer")]
        triggers: ClassVar = [append_only()]

    def __str__(self) -> str:
        return f"{self.get_stage_display()}: {self.outcome}"
