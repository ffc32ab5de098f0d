from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q

from bridge.kernel import ids
from bridge.kernel.guards import never_deleted, stays_ended, stays_what_it_is

ASKED = (
    "id",
    "kind",
    "subject_type",
    "subject_id",
    "summary",
    "payload",
    "seen",
    "bound_hash",
    "reason",
    "maker",
    "maker_role",
    "created_at",
    "expires_at",
)


class Approval(models.Model):
    """A maker asks, a different checker decides. `bound_hash` covers exactly what was asked for.

    `payload` is what will be done, `seen` what the subject looked like when it was asked; if the subject has changed
    when somebody decides, the approval is void. One open request per subject. Superusers are not exempt: the CHECK
    knows no roles. What was asked never changes, and a decision is made once.
    """

    class State(models.TextChoices):
        OPEN = "open", "open"
        APPROVED = "approved", "approved"
        REJECTED = "rejected", "rejected"
        WITHDRAWN = "withdrawn", "withdrawn"
        VOID = "void", "void: the subject changed"
        EXPIRED = "expired", "expired"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    kind = models.CharField(max_length=40)
    subject_type = models.CharField(max_length=40)
    subject_id = models.UUIDField()
    summary = models.CharField(max_length=300)
    payload = models.JSONField(default=dict)
    seen = models.JSONField(default=dict)
    bound_hash = models.CharField(max_length=64)
    reason = models.CharField(max_length=400, blank=True)
    maker = models.CharField(max_length=100)
    maker_role = models.CharField(max_length=20)
    state = models.CharField(max_length=10, choices=State.choices, default=State.OPEN)
    checker = models.CharField(max_length=100, blank=True)
    checker_role = models.CharField(max_length=20, blank=True)
    decision_reason = models.CharField(max_length=400, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["subject_type", "subject_id"], name="approval_one_open", condition=Q(state="open")
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["approved", "rejected"]) | (~Q(checker="") & ~Q(checker=F("maker"))),
                name="approval_checker_is_not_maker",
            ),
            models.CheckConstraint(
                condition=Q(state="open", decided_at__isnull=True) | (~Q(state="open") & Q(decided_at__isnull=False)),
                name="approval_decided_once",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["open", "approved", "rejected", "withdrawn", "void", "expired"]),
                name="approval_known_state",
            ),
        ]
        triggers: ClassVar = [
            never_deleted(),
            stays_what_it_is(*ASKED),
            stays_ended(~pgtrigger.Q(old__state="open")),
        ]

    def __str__(self) -> str:
        return self.summary

    @property
    def public_id(self) -> str:
        return ids.encode("approval", self.id)
