from __future__ import annotations

from typing import ClassVar

import pgtrigger
from django.db import models
from django.db.models import F, Q

from accounts.models import Investor
from bridge.kernel import ids
from bridge.kernel.guards import never_deleted, stays_ended, stays_what_it_is
from funds.models import Fund


class Stop(models.Model):
    """No new withdrawals for everybody, an institution, a fund or an investor, until two people lift it.

    `deposits`: money that has been withdrawn does not go on to the fund either. Refunds always go on. Never deleted.
    """

    class Scope(models.TextChoices):
        ALL = "all", "everything"
        INSTITUTION = "institution", "institution"
        FUND = "fund", "fund"
        INVESTOR = "investor", "investor"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    scope = models.CharField(max_length=12, choices=Scope.choices)
    institution = models.CharField(max_length=40, blank=True)
    fund = models.ForeignKey(
        Fund, null=True, blank=True, on_delete=models.PROTECT, related_name="stops", db_index=False
    )
    investor = models.ForeignKey(
        Investor, null=True, blank=True, on_delete=models.PROTECT, related_name="stops", db_index=False
    )
    deposits = models.BooleanField(default=False, help_text="Holds back deposits too.")
    why = models.CharField(max_length=300)
    set_by = models.CharField(max_length=100)
    set_by_name = models.CharField(max_length=150, blank=True)
    set_at = models.DateTimeField()
    lift_asked_by = models.CharField(max_length=100, blank=True)
    lifted_by = models.CharField(max_length=100, blank=True)
    lifted_why = models.CharField(max_length=400, blank=True)
    lifted_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(scope="all", institution="", fund__isnull=True, investor__isnull=True)
                | (Q(scope="institution", fund__isnull=True, investor__isnull=True) & ~Q(institution=""))
                | Q(scope="fund", institution="", fund__isnull=False, investor__isnull=True)
                | Q(scope="investor", institution="", fund__isnull=True, investor__isnull=False),
                name="stop_scope_fits_subject",
            ),
            models.CheckConstraint(
                condition=Q(deposits=False) | Q(scope__in=["all", "fund"]), name="stop_deposits_of_all_or_a_fund"
            ),
            models.CheckConstraint(condition=~Q(why=""), name="stop_says_why"),
            models.CheckConstraint(
                condition=Q(lifted_at__isnull=True, lifted_by="", lift_asked_by="")
                | (
                    Q(lifted_at__isnull=False)
                    & ~Q(lifted_by="")
                    & ~Q(lift_asked_by="")
                    & ~Q(lifted_by=F("lift_asked_by"))
                ),
                name="stop_lifted_by_two_people",
            ),
            models.UniqueConstraint(
                fields=["scope", "institution", "fund", "investor"],
                name="stop_one_open_per_subject",
                condition=Q(lifted_at__isnull=True),
                nulls_distinct=False,
            ),
        ]
        triggers: ClassVar = [
            never_deleted(),
            stays_what_it_is("id", "scope", "institution", "fund_id", "investor_id", "set_by", "set_by_name", "set_at"),
            stays_ended(pgtrigger.Q(old__lifted_at__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"stop of {self.get_scope_display()}"


class Circuit(models.Model):
    """Whether an institution answers. A row appears with its first call without an answer.

    `failures`: calls in a row without an answer. Open while `opened_at` is set: nothing new begins, questions wait
    until `retry_at`, when one worker tries once; `wait` seconds lie between two tries.
    """

    institution = models.CharField(max_length=40, primary_key=True)
    failures = models.PositiveIntegerField(default=0)
    opened_at = models.DateTimeField(null=True, blank=True)
    retry_at = models.DateTimeField(null=True, blank=True)
    wait = models.PositiveIntegerField(default=0)
    changed_at = models.DateTimeField()
    version = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["institution"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=Q(opened_at__isnull=True, retry_at__isnull=True)
                | Q(opened_at__isnull=False, retry_at__isnull=False, wait__gt=0),
                name="circuit_open_has_its_next_try",
            ),
        ]

    def __str__(self) -> str:
        standing = f"cut off since {self.opened_at:%d %b %Y %H:%M} UTC" if self.opened_at else "answers"
        return f"{self.institution}: {standing}"


class Alarm(models.Model):
    """What is watched beside transfers, and how it stood when it last crossed a line: said once per crossing.

    `institution` empty: all of them together. `value` and `limit` in minor units of `currency`.
    """

    class Kind(models.TextChoices):
        EXPOSURE = "exposure", "money on the bridge"
        ADVANCE = "advance", "the firm's own money"

    class Level(models.IntegerChoices):
        FINE = 0, "fine"
        ALERT = 1, "alert"
        STOP = 2, "withdrawals stop"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    institution = models.CharField(max_length=40, blank=True)
    currency = models.CharField(max_length=3)
    level = models.PositiveSmallIntegerField(choices=Level.choices, default=Level.FINE)
    value = models.BigIntegerField(default=0)
    limit = models.BigIntegerField(default=0)
    since = models.DateTimeField()
    version = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["kind", "institution", "currency"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["kind", "institution", "currency"], name="alarm_once"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.institution} {self.currency} {self.get_level_display()}"

    @property
    def name_key(self) -> tuple[str, str, str]:
        return (self.kind, self.institution, self.currency)
