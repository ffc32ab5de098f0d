from __future__ import annotations

import uuid
from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models

from bridge.kernel import ids


class Notification(models.Model):
    """One message about one event, written in the same transaction. `audiences` says which kinds of people see it.

    Rows per recipient exist only where something is sent; who sees what is a query. What is about no transfer is for
    operations only.
    """

    class Audience(models.TextChoices):
        INVESTOR = "investor", "investor"
        FUND = "fund", "fund"
        OPERATIONS = "operations", "operations"

    id = models.UUIDField(primary_key=True, editable=False, help_text="That of the event: one notification each.")
    type = models.CharField(max_length=80)
    transfer_id = models.UUIDField(null=True, blank=True, help_text="Empty: it is about no single transfer.")
    investor_id = models.UUIDField(null=True, blank=True)
    fund_id = models.UUIDField(null=True, blank=True)
    audiences = ArrayField(models.CharField(max_length=12, choices=Audience.choices))
    title = models.CharField(max_length=120)
    body = models.CharField(max_length=500)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["investor_id", "-id"], name="notification_investor"),
            models.Index(fields=["transfer_id"], name="notification_transfer"),
        ]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(transfer_id__isnull=False, investor_id__isnull=False, fund_id__isnull=False)
                | models.Q(
                    transfer_id__isnull=True, investor_id__isnull=True, fund_id__isnull=True, audiences=["operations"]
                ),
                name="notification_of_a_transfer_or_for_operations",
            ),
        ]

    def __str__(self) -> str:
        return self.title

    @property
    def event_id(self) -> uuid.UUID:
        return self.id

    @property
    def public_id(self) -> str:
        return ids.encode("notification", self.id)
