from __future__ import annotations

from typing import ClassVar

from django.db import models

from bridge.kernel.guards import never_deleted, stays_what_it_is


class InboundCallback(models.Model):
    """A signed message from an institution, stored before it is acknowledged and processed afterwards.

    `(institution, callback_id)` makes a repeated one the same one.
    """

    id = models.BigAutoField(primary_key=True)
    institution = models.CharField(max_length=40)
    callback_id = models.CharField(max_length=100)
    body = models.JSONField()
    received_at = models.DateTimeField()
    processed_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True, help_text="Why it could not be applied, in plain words.")

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["institution", "callback_id"], name="callback_once"),
        ]
        triggers: ClassVar = [
            never_deleted(),
            stays_what_it_is("id", "institution", "callback_id", "body", "received_at"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["id"], name="callback_waiting", condition=models.Q(processed_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.institution} {self.callback_id}"
