"""A plan that two people approved to close a fund, and how far it has been carried out."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q

from bridge.kernel import ids
from bridge.kernel.guards import never_deleted, stays_ended, stays_what_it_is
from funds.models.fund import Fund


class Closing(models.Model):
    """One approved plan. `plan_hash` is what both people saw; `parameters` are what they chose.

    It runs until each of its steps is done. One runs per fund; a return of everything takes the place of another.
    """

    class Kind(models.TextChoices):
        SETTLE = "settle", "settle"
        CUT_BACK = "cut-back", "cut back"
        RETURN_ALL = "return-all", "recall and return all"

    class State(models.TextChoices):
        RUNNING = "running", "running"
        DONE = "done", "done"
        SUPERSEDED = "superseded", "superseded"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    fund = models.ForeignKey(Fund, on_delete=models.PROTECT, related_name="closings")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    parameters = models.JSONField(default=dict)
    plan_hash = models.CharField(max_length=64)
    state = models.CharField(max_length=10, choices=State.choices, default=State.RUNNING)
    made_by = models.CharField(max_length=100)
    approved_by = models.CharField(max_length=100)
    approval_id = models.UUIDField(unique=True)
    created_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["fund"], name="closing_one_runs", condition=Q(state="running")),
            models.CheckConstraint(condition=~Q(approved_by=F("made_by")), name="closing_two_people"),
            models.CheckConstraint(
                condition=Q(state="running", ended_at__isnull=True) | (~Q(state="running") & Q(ended_at__isnull=False)),
                name="closing_ended_once",
            ),
            models.CheckConstraint(condition=Q(made_by__gt="", approved_by__gt=""), name="closing_named_people"),
        ]
        triggers: ClassVar = [
            never_deleted(),
            stays_what_it_is(
                "id",
                "fund_id",
                "kind",
                "parameters",
                "plan_hash",
                "made_by",
                "approved_by",
                "approval_id",
                "created_at",
            ),
            stays_ended(~pgtrigger.Q(old__state="running")),
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.state}"

    @property
    def public_id(self) -> str:
        return ids.encode("closing", self.id)


class ClosingStep(models.Model):
    """What becomes of one transfer: `keep` stays with the fund, the rest is given back. Minor units.

    `transfer_id` has no foreign key: transfers are above this app. `child_id` is the transfer that was split off.
    """

    class State(models.TextChoices):
        PENDING = "pending", "pending"
        DONE = "done", "done"

    id = models.BigAutoField(primary_key=True)
    closing = models.ForeignKey(Closing, on_delete=models.PROTECT, related_name="steps", db_index=False)
    transfer_id = models.UUIDField()
    action = models.CharField(max_length=20)
    keep = models.BigIntegerField()
    give_back = models.BigIntegerField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.PENDING)
    result = models.CharField(max_length=200, blank=True)
    child_id = models.UUIDField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["id"]
        indexes: ClassVar = [
            models.Index(fields=["closing", "id"], name="closing_step_pending", condition=Q(state="pending"))
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["closing", "transfer_id"], name="closing_step_once"),
            models.CheckConstraint(condition=Q(keep__gte=0) & Q(give_back__gte=0), name="closing_step_not_negative"),
        ]
        triggers: ClassVar = [
            never_deleted(),
            stays_what_it_is("id", "closing_id", "transfer_id", "action", "keep", "give_back"),
            stays_ended(pgtrigger.Q(old__state="done")),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.state}"
