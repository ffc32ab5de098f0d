from __future__ import annotations

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django_fsm import transition

from accounts.models import Investor, InvestorAccount
from bridge.kernel import ids
from bridge.kernel.fields import Key, StateField
from bridge.kernel.guards import never_deleted, stays_what_it_is
from bridge.kernel.money import MAX_AMOUNT
from funds.models import Fund
from transfers.blockers import BLOCKERS, of
from transfers.guards import birth_recorded, lifecycle_kept
from transfers.states import NextStep, State

S = State
_TERMS = (
    "id",
    "family_id",
    "source_account_id",
    "account_seq",
    "investor_id",
    "requested_amount",
    "currency",
    "external_id",
    "requested_by",
    "split_from_id",
    "livemode",
    "created_at",
)


class Transfer(models.Model):
    """One movement of an amount from an investor account to a fund, in two legs. `amount` in minor units.

    Transitions only stamp fields, from the unit of work's time `at`; services lock, decide, post and save. No index
    is on what changes, so that updates stay heap-only: open transfers are found in `Work`.
    """

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    family_id = models.UUIDField(editable=False, help_text="The first transfer of a split family; its own id at first.")
    source_account = Key(InvestorAccount, on_delete=models.PROTECT, related_name="transfers", db_index=False)
    account_seq = models.PositiveBigIntegerField(editable=False)
    investor = Key(Investor, on_delete=models.PROTECT, related_name="transfers", db_index=False)
    refund_account = Key(
        InvestorAccount,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        db_index=False,
        help_text="Where two people have the refund paid, if not where the money came from.",
    )
    fund = Key(Fund, on_delete=models.PROTECT, related_name="transfers", db_index=False)
    amount = models.BigIntegerField()
    requested_amount = models.BigIntegerField(editable=False)
    cut_back = models.BigIntegerField(
        default=0, db_default=0, editable=False, help_text="What the fund itself took off the amount, in minor units."
    )
    currency = models.CharField(max_length=3)
    state = StateField(default=S.REQUESTED, choices=State.choices, protected=True, db_index=False)
    version = models.PositiveIntegerField(default=0, editable=False)
    next_step = models.CharField(max_length=10, choices=NextStep.choices, blank=True)
    blocker_code = models.CharField(max_length=40, blank=True)
    blocker_message = models.CharField(max_length=400, blank=True)
    blocked_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    external_id = models.CharField(max_length=100, blank=True)
    metadata = models.JSONField(default=dict, blank=True)
    requested_by = models.CharField(max_length=100)
    approved_by = models.CharField(max_length=100, blank=True)
    split_from = Key("self", null=True, blank=True, on_delete=models.PROTECT, related_name="splits", db_index=False)
    livemode = models.BooleanField(default=False)
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField()
    approved_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    bridge_since = models.DateTimeField(
        null=True, blank=True, help_text="Since when its money is with us without a break; empty while it is not."
    )
    completed_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    expected_at = models.DateTimeField(null=True, blank=True)
    final_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["source_account", "created_at"], name="transfer_of_account"),
            models.Index(fields=["investor", "id"], name="transfer_of_investor"),
            models.Index(fields=["fund", "id"], name="transfer_of_fund"),
            models.Index(fields=["external_id"], name="transfer_external", condition=~Q(external_id="")),
            models.Index(fields=["split_from"], name="transfer_split", condition=Q(split_from__isnull=False)),
            models.Index(fields=["family_id"], name="transfer_family", condition=Q(split_from__isnull=False)),
        ]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["source_account", "account_seq"], name="transfer_order", condition=Q(split_from__isnull=True)
            ),
            models.CheckConstraint(condition=Q(amount__gte=1, amount__lte=MAX_AMOUNT), name="transfer_amount"),
            models.CheckConstraint(
                condition=~Q(next_step=NextStep.NONE) | ~Q(blocker_code=""), name="transfer_none_needs_blocker"
            ),
            models.CheckConstraint(
                condition=~Q(state=S.WITHDRAWN) | ~Q(next_step=""), name="transfer_withdrawn_knows_next"
            ),
            models.CheckConstraint(condition=Q(state__in=State.values), name="transfer_known_state"),
            models.CheckConstraint(condition=Q(blocker_code__in=["", *BLOCKERS]), name="transfer_known_blocker"),
            models.CheckConstraint(
                condition=Q(approved_by="") | ~Q(approved_by=F("requested_by")), name="transfer_checker_is_not_maker"
            ),
            models.CheckConstraint(
                condition=Q(split_from__isnull=True, family_id=F("id"))
                | (Q(split_from__isnull=False) & ~Q(split_from=F("id")) & ~Q(family_id=F("id"))),
                name="transfer_family_begins_with_one",
            ),
        ]
        triggers: ClassVar = [lifecycle_kept(), birth_recorded(), never_deleted(), stays_what_it_is(*_TERMS)]

    # Of the unit of work that has the row in hand (`Batch`): the state in its last event, how many it
    # wrote, and what the row was after the last.
    told_state: str = ""
    told: int = 0
    written: tuple[object, ...] = ()

    def __str__(self) -> str:
        return f"{self.public_id} {State(self.state).label}"

    @property
    def public_id(self) -> str:
        return ids.encode("transfer", self.id)

    def block(self, code: str, message: str, *, at: datetime) -> None:
        """Say in plain words why it cannot move by itself. Raises `UnknownBlocker` for what is not in the registry."""
        self.blocker_code, self.blocker_message, self.blocked_at = of(code).code, message, at

    def unblock(self) -> None:
        self.blocker_code, self.blocker_message, self.blocked_at = "", "", None

    # --- before the money moves

    @transition(field=state, source=[S.REQUESTED, S.IN_REVIEW, S.WAITLISTED], target=S.APPROVED)
    def approve(self, *, at: datetime, expires_at: datetime, by: str = "") -> None:
        self.approved_at, self.expires_at, self.approved_by = at, expires_at, by
        self.unblock()

    @transition(field=state, source=[S.REQUESTED, S.WAITLISTED, S.APPROVED], target=S.IN_REVIEW)
    def hold(self, *, at: datetime, expires_at: datetime, code: str, reason: str) -> None:
        self.expires_at = expires_at
        self.block(code, reason, at=at)

    @transition(field=state, source=[S.REQUESTED, S.IN_REVIEW], target=S.WAITLISTED)
    def waitlist(self, *, at: datetime, expires_at: datetime, reason: str) -> None:
        self.expires_at = expires_at
        self.block("waiting_for_place", reason, at=at)

    @transition(field=state, source=[S.REQUESTED, S.IN_REVIEW, S.WAITLISTED, S.APPROVED], target=S.REJECTED)
    def reject(self, *, at: datetime) -> None:
        self._end(at)

    @transition(field=state, source=[S.IN_REVIEW, S.WAITLISTED, S.APPROVED], target=S.CANCELLED)
    def cancel(self, *, at: datetime) -> None:
        self._end(at)

    @transition(field=state, source=[S.IN_REVIEW, S.WAITLISTED, S.APPROVED], target=S.EXPIRED)
    def expire(self, *, at: datetime) -> None:
        self._end(at)

    # --- first leg

    @transition(field=state, source=S.APPROVED, target=S.WITHDRAWING)
    def begin_withdrawal(self, *, at: datetime) -> None:
        self.expires_at = None
        self.unblock()

    @transition(field=state, source=S.WITHDRAWING, target=S.WITHDRAWN)
    def settle_withdrawal(self, *, at: datetime, next_step: NextStep) -> None:
        self._arrive(at, next_step)
        self.withdrawn_at = at

    @transition(field=state, source=S.WITHDRAWING, target=S.FAILED)
    def fail(self, *, at: datetime) -> None:
        self._end(at)

    @transition(field=state, source=S.WITHDRAWN, target=S.RETURNED)
    def return_withdrawal(self, *, at: datetime) -> None:
        self._end(at)

    # --- second leg

    @transition(field=state, source=S.WITHDRAWN, target=S.DEPOSITING)
    def begin_deposit(self, *, at: datetime) -> None:
        self.next_step = ""
        self.unblock()

    @transition(field=state, source=[S.DEPOSITING, S.WITHDRAWN], target=S.COMPLETED)
    def complete(self, *, at: datetime, final_at: datetime) -> None:
        self._end(at)
        self.completed_at, self.final_at = at, final_at

    @transition(field=state, source=S.DEPOSITING, target=S.WITHDRAWN)
    def reject_deposit(self, *, at: datetime, next_step: NextStep) -> None:
        self._arrive(at, next_step)

    @transition(field=state, source=S.COMPLETED, target=S.WITHDRAWN)
    def return_deposit(self, *, at: datetime, next_step: NextStep) -> None:
        self._arrive(at, next_step)

    @transition(field=state, source=S.COMPLETED, target=S.RETURNED)
    def return_both(self, *, at: datetime) -> None:
        self._end(at)

    # --- unwinding

    @transition(field=state, source=S.WITHDRAWN, target=S.REFUNDING)
    def begin_refund(self, *, at: datetime) -> None:
        self.next_step = ""
        self.unblock()

    @transition(field=state, source=S.REFUNDING, target=S.REFUNDED)
    def settle_refund(self, *, at: datetime) -> None:
        self._end(at)

    @transition(field=state, source=S.REFUNDING, target=S.WITHDRAWN)
    def reject_refund(self, *, at: datetime, next_step: NextStep) -> None:
        self._arrive(at, next_step)

    @transition(field=state, source=S.WITHDRAWN, target=S.FROZEN)
    def freeze(self, *, at: datetime, reason: str) -> None:
        self.next_step = ""
        self.block("frozen", reason, at=at)

    @transition(field=state, source=S.FROZEN, target=S.WITHDRAWN)
    def unfreeze(self, *, at: datetime, next_step: NextStep) -> None:
        self._arrive(at, next_step)

    @transition(field=state, source=[S.FAILED, S.REFUNDED, S.RETURNED], target=S.WITHDRAWN)
    def reopen(self, *, at: datetime, next_step: NextStep) -> None:
        """Only on bank evidence: money has come back to us after the end."""
        self._arrive(at, next_step)

    def _arrive(self, at: datetime, next_step: NextStep) -> None:
        """In clearing; a `none` gets its blocker from the service, in the same breath."""
        self.next_step, self.ended_at, self.completed_at = next_step, None, None
        self.bridge_since = self.bridge_since or at
        self.unblock()

    def _end(self, at: datetime) -> None:
        self.ended_at, self.expires_at, self.bridge_since, self.next_step = at, None, None, ""
        self.unblock()
