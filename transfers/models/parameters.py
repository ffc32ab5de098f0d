from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import F, Q

from bridge.kernel import ids
from bridge.kernel.guards import append_only
from bridge.kernel.rails import Rail
from funds.models import Fund


class Parameters(models.Model):
    """What is in force for one scope from a moment on, until its next row. Permanent; two people put it in force.

    Scope: a fund, or an institution, a rail, both, or (with none of them) the house. `values` are all that this scope
    sets; what it does not name the next wider scope decides.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    scope_id = models.UUIDField(editable=False, help_text="The same for all rows of a scope.")
    institution = models.CharField(max_length=40, blank=True)
    rail = models.CharField(max_length=12, blank=True, choices=Rail.choices)
    fund = models.ForeignKey(
        Fund, null=True, blank=True, on_delete=models.PROTECT, related_name="parameters", db_index=False
    )
    values = models.JSONField(default=dict, blank=True)
    effective_from = models.DateTimeField()
    why = models.CharField(max_length=400)
    made_by = models.CharField(max_length=100)
    approved_by = models.CharField(max_length=100)
    approval_id = models.UUIDField(unique=True)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-effective_from"]
        verbose_name_plural = "parameters"
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["scope_id", "effective_from"], name="parameters_scope_moment_once"),
            models.CheckConstraint(
                condition=Q(fund__isnull=True) | Q(institution="", rail=""), name="parameters_one_scope"
            ),
            models.CheckConstraint(condition=~Q(why=""), name="parameters_say_why"),
            models.CheckConstraint(condition=~Q(approved_by=F("made_by")), name="parameters_two_people"),
            models.CheckConstraint(condition=Q(made_by__gt="", approved_by__gt=""), name="parameters_named_people"),
            models.CheckConstraint(
                condition=Q(effective_from__gte=F("created_at")), name="parameters_never_change_the_past"
            ),
        ]
        triggers: ClassVar = [append_only()]

    def __str__(self) -> str:
        return f"from {self.effective_from:%Y-%m-%d %H:%M}"
