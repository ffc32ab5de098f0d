"""Two small tables that belong to no app: the sandbox's clock and the kept answers of idempotent requests."""

from __future__ import annotations

from datetime import timedelta

from django.db import models

from bridge.kernel.guards import append_only


class ClockOffset(models.Model):
    """How far the sandbox's clock is ahead of the database's. One row at most, none outside a sandbox."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    offset = models.DurationField(default=timedelta(0))

    class Meta:
        verbose_name = "clock offset"
        constraints = [
            models.CheckConstraint(condition=models.Q(id=1), name="clock_offset_single"),
            models.CheckConstraint(condition=models.Q(offset__gte=timedelta(0)), name="clock_offset_forward"),
        ]

    def __str__(self) -> str:
        return f"+{self.offset}"


class IdempotencyKey(models.Model):
    """The stored answer to one idempotent request, kept for ever: the same key gives the same answer."""

    principal = models.CharField(max_length=100)
    method = models.CharField(max_length=10)
    route = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    body_hash = models.BinaryField(max_length=32)
    status = models.PositiveSmallIntegerField()
    answer = models.JSONField()
    headers = models.JSONField(default=dict)
    created_at = models.DateTimeField()

    class Meta:
        verbose_name = "idempotency key"
        constraints = [
            models.UniqueConstraint(fields=["principal", "method", "route", "key"], name="idempotency_key_once"),
        ]
        triggers = [append_only()]

    def __str__(self) -> str:
        return f"{self.method} {self.route} {self.key}"
