"""What compliance keeps about a fund's criteria: parameters of rules, overrides, and who signed what."""

from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.contrib.postgres.constraints import ExclusionConstraint
from django.contrib.postgres.fields import ArrayField, DateTimeRangeField, RangeBoundary, RangeOperators
from django.db import models
from django.db.models import F, Func, Q, Value
from django.db.models.functions import Coalesce

from accounts.models import Investor
from bridge.kernel import ids
from bridge.kernel.guards import append_only, never_deleted, stays_ended
from funds.models.fund import Fund


class Subscription(models.Model):
    """An investor's papers for one fund: documents signed, and counsel's word on how many owners it counts as."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    fund = models.ForeignKey(Fund, on_delete=models.PROTECT, related_name="subscriptions", db_index=False)
    investor = models.ForeignKey(Investor, on_delete=models.PROTECT, related_name="subscriptions")
    signed = ArrayField(models.CharField(max_length=60), default=list, blank=True)
    counsel_weight = models.PositiveIntegerField(null=True, blank=True)
    counsel_note = models.CharField(max_length=300, blank=True)
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["fund", "investor"], name="subscription_once"),
            models.CheckConstraint(
                condition=Q(counsel_weight__isnull=True) | ~Q(counsel_note=""), name="subscription_counsel_says_why"
            ),
        ]
        triggers: ClassVar = [never_deleted()]

    def __str__(self) -> str:
        return f"Subscription of {self.investor_id} to {self.fund_id}"


class _Period(Func):
    function = "tstzrange"
    output_field = DateTimeRangeField()


def _in_force_or_discarded() -> pgtrigger.Q:
    """Only the end of what is active changes, and comes nearer."""
    kept = ("id", "number", "rule", "fund", "values", "state", "effective_from", "note", "made_by", "activated_by")
    changed = pgtrigger.Q(old__effective_to__lt=pgtrigger.F("new__effective_to"))
    changed |= pgtrigger.Q(old__effective_to__isnull=False, new__effective_to__isnull=True)
    for name in (*kept, "created_at"):
        changed |= pgtrigger.Q(**{f"old__{name}__df": pgtrigger.F(f"new__{name}")})
    return pgtrigger.Q(old__state="discarded") | pgtrigger.Q(old__state="active") & changed


class RuleParameters(models.Model):
    """Values of one rule, for one fund or (without a fund) for all, in force for a time. Draft → active by two people.

    For one rule and fund no two active rows are in force at once: the database excludes it. Of an active row only the
    end changes, to an earlier one.
    """

    class State(models.TextChoices):
        DRAFT = "draft", "draft"
        ACTIVE = "active", "active"
        DISCARDED = "discarded", "discarded"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    number = models.PositiveIntegerField(editable=False, help_text="1, 2, 3 … per rule; decisions name it.")
    rule = models.CharField(max_length=40)
    fund = models.ForeignKey(
        Fund, null=True, blank=True, on_delete=models.PROTECT, related_name="rule_parameters", help_text="Empty: all."
    )
    values = models.JSONField(default=dict)
    state = models.CharField(max_length=10, choices=State.choices, default=State.DRAFT)
    effective_from = models.DateTimeField()
    effective_to = models.DateTimeField(null=True, blank=True)
    note = models.CharField(max_length=300, blank=True)
    made_by = models.CharField(max_length=100)
    activated_by = models.CharField(max_length=100, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["rule", "-number"]
        verbose_name_plural = "rule parameters"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["rule", "number"], name="rule_parameters_number_once"),
            models.CheckConstraint(
                condition=Q(effective_to__isnull=True) | Q(effective_to__gte=F("effective_from")),
                name="rule_parameters_period",
            ),
            models.CheckConstraint(
                condition=~Q(state="active") | (~Q(activated_by="") & ~Q(activated_by=F("made_by"))),
                name="rule_parameters_two_people",
            ),
            ExclusionConstraint(
                name="rule_parameters_one_in_force",
                expressions=[
                    ("rule", RangeOperators.EQUAL),
                    (
                        Coalesce(
                            "fund", Value("00000000-0000-0000-0000-000000000000", output_field=models.UUIDField())
                        ),
                        RangeOperators.EQUAL,
                    ),
                    (_Period("effective_from", "effective_to", RangeBoundary()), RangeOperators.OVERLAPS),
                ],
                condition=Q(state="active"),
            ),
        ]
        triggers: ClassVar = [never_deleted(), stays_ended(_in_force_or_discarded())]

    def __str__(self) -> str:
        return f"{self.rule} #{self.number}"


class RuleOverride(models.Model):
    """Two people set one rule aside for one transfer: who, in what role, why, on what evidence, until when."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    transfer_id = models.UUIDField()
    rule = models.CharField(max_length=40)
    lifts = models.CharField(max_length=10)
    why = models.CharField(max_length=400)
    evidence = models.CharField(max_length=400, blank=True)
    made_by = models.CharField(max_length=100)
    maker_role = models.CharField(max_length=20)
    approved_by = models.CharField(max_length=100)
    checker_role = models.CharField(max_length=20)
    approval_id = models.UUIDField(unique=True)
    until = models.DateTimeField()
    at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["transfer_id"], name="override_transfer")]
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(approved_by=F("made_by")), name="override_two_people"),
            models.CheckConstraint(condition=~Q(why=""), name="override_says_why"),
            models.CheckConstraint(condition=Q(made_by__gt="", approved_by__gt=""), name="override_named_people"),
        ]
        triggers: ClassVar = [append_only()]

    def __str__(self) -> str:
        return f"{self.rule} set aside"
