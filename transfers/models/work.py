from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F

from transfers.models.transfer import Transfer
from transfers.states import Step


class Work(models.Model):
    """What moves an open transfer next: one row each, gone at its end. The engine and the queues read it.

    `due_at` empty: nothing but a person or a callback moves it. `lease_until`: a worker has it in hand.
    """

    transfer = models.OneToOneField(Transfer, primary_key=True, on_delete=models.PROTECT, related_name="work")
    account_id = models.UUIDField()
    account_seq = models.PositiveBigIntegerField()
    step = models.CharField(max_length=20, choices=Step.choices)
    due_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    tries = models.PositiveSmallIntegerField(default=0)

    class Meta:
        verbose_name_plural = "work"
        indexes: ClassVar = [
            models.Index("step", F("due_at").asc(nulls_last=True), name="work_due"),
            models.Index(fields=["account_id", "account_seq"], name="work_account_order"),
        ]

    def __str__(self) -> str:
        return f"{self.step} due {self.due_at}"
