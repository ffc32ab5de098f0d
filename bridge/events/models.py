from __future__ import annotations

from typing import ClassVar

from django.db import models

from bridge.events.fields import CurrentTransaction, Xid8Field
from bridge.kernel import ids
from bridge.kernel.guards import append_only


class Event(models.Model):
    """One fact about one subject. Written once; the database refuses every change.

    `hash` covers the event and the previous event of the same subject. Readers follow `(epoch, tx, id)` below the
    oldest running transaction: ids alone would let them pass an event whose transaction committed late.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    epoch = models.PositiveIntegerField(help_text="Grows when the database was restored from a backup.")
    tx = Xid8Field(db_default=CurrentTransaction(), editable=False)
    subject_type = models.CharField(max_length=40)
    subject_id = models.UUIDField()
    seq = models.PositiveIntegerField(help_text="1, 2, 3 … per subject, without a gap.")
    type = models.CharField(max_length=80)
    state = models.CharField(max_length=20, blank=True)
    version = models.PositiveIntegerField(default=0)
    actor = models.JSONField()
    data = models.JSONField(default=dict)
    at = models.DateTimeField()
    prev_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)

    class Meta:
        ordering: ClassVar = ["-at", "-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["subject_type", "subject_id", "seq"], name="event_seq_once"),
        ]
        indexes: ClassVar = [models.Index(fields=["epoch", "tx", "id"], name="event_cursor")]
        triggers: ClassVar = [append_only()]

    def __str__(self) -> str:
        return f"{self.type} #{self.seq}"

    @property
    def public_id(self) -> str:
        return ids.encode("event", self.id)


class Seal(models.Model):
    """Once a minute: a hash over the previous seal and every event since, in the log's order."""

    number = models.PositiveBigIntegerField(primary_key=True)
    epoch = models.PositiveIntegerField()
    tx = Xid8Field()
    event_id = models.UUIDField(help_text="The last event that this seal covers.")
    count = models.PositiveIntegerField(help_text="Events since the previous seal.")
    prev_hash = models.BinaryField(max_length=32)
    hash = models.BinaryField(max_length=32)
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-number"]
        triggers: ClassVar = [append_only()]

    def __str__(self) -> str:
        return f"Seal {self.number}"


class Epoch(models.Model):
    """Grows by one when a backup was restored, because transaction ids may then repeat."""

    number = models.PositiveIntegerField(primary_key=True)
    since = models.DateTimeField()
    why = models.CharField(max_length=200)

    class Meta:
        ordering: ClassVar = ["-number"]
        triggers: ClassVar = [append_only()]

    def __str__(self) -> str:
        return f"Epoch {self.number}"
