from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from accounts.guards import details_told
from bridge.kernel import crypto, ids
from bridge.kernel.checksums import iban_is_valid, looks_like_iban
from bridge.kernel.fields import Key
from bridge.kernel.guards import append_only, never_deleted, stays_what_it_is
from bridge.kernel.rails import Rail


class Investor(models.Model):
    """A natural person or an entity that invests. `user` is the login that acts for it, if it has one."""

    class Kind(models.TextChoices):
        NATURAL_PERSON = "natural_person", "natural person"
        ENTITY = "entity", "entity"

    class Status(models.TextChoices):
        ACTIVE = "active", "active"
        CLOSED = "closed", "closed"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    kind = models.CharField(max_length=20, choices=Kind.choices)
    legal_name = models.CharField(max_length=200)
    email = models.EmailField(blank=True)
    country = models.CharField(max_length=2, default="US", help_text="ISO 3166-1 alpha-2")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.PROTECT, related_name="investors"
    )
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.ACTIVE)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["legal_name"]
        triggers: ClassVar = [never_deleted(), stays_what_it_is("id", "created_at")]

    def __str__(self) -> str:
        return self.legal_name

    @property
    def public_id(self) -> str:
        return ids.encode("investor", self.id)


class InvestorAccount(models.Model):
    """An investor's account at an institution.

    `held` is set aside for transfers not yet withdrawn. `withdrawals_begun` and `withdrawals_acknowledged` are
    running totals of what we asked the institution for and of what it told us it had accepted: their difference,
    taken with the second one as it was when a balance was fetched, is what that balance cannot know yet.
    All three in minor units of `currency`.
    """

    class Status(models.TextChoices):
        OPEN = "open", "open"
        CLOSED = "closed", "closed"

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    investor = Key(Investor, on_delete=models.PROTECT, related_name="accounts")
    institution = models.CharField(max_length=40)
    name = models.CharField(max_length=120)
    currency = models.CharField(max_length=3)
    routing_number = models.CharField(max_length=34, blank=True)
    rail = models.CharField(
        max_length=12, blank=True, choices=Rail.choices, help_text="Empty: the institution's usual way, a wire."
    )
    number_sealed = models.TextField(editable=False)
    number_last4 = models.CharField(max_length=4, editable=False)
    number_index = models.CharField(max_length=64, editable=False)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    owner_name = models.CharField(max_length=200, blank=True, help_text="The owner that the institution names.")
    owner_confirmed = models.BooleanField(default=False, help_text="Two people established that it is this investor.")
    iban = models.BooleanField(default=False, help_text="The account number is an IBAN.")
    number_valid = models.BooleanField(null=True, blank=True, editable=False, help_text="Its check digits, if any.")
    details_verified_at = models.DateTimeField(null=True, blank=True)
    details_changed_at = models.DateTimeField(null=True, blank=True)
    held = models.BigIntegerField(default=0, editable=False)
    withdrawals_begun = models.BigIntegerField(default=0, editable=False)
    withdrawals_acknowledged = models.BigIntegerField(default=0, editable=False)
    last_seq = models.PositiveBigIntegerField(default=0, editable=False)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["institution", "number_index"], name="account_number_once"),
            models.CheckConstraint(condition=Q(held__gte=0), name="account_held_not_negative"),
            models.CheckConstraint(
                condition=Q(withdrawals_acknowledged__gte=0) & Q(withdrawals_begun__gte=F("withdrawals_acknowledged")),
                name="account_acknowledged_within_begun",
            ),
        ]
        triggers: ClassVar = [
            never_deleted(),
            stays_what_it_is("id", "investor_id", "institution", "currency", "created_at"),
            details_told(),
        ]

    def __str__(self) -> str:
        return f"{self.name} ···{self.number_last4}"

    @property
    def public_id(self) -> str:
        return ids.encode("account", self.id)

    def set_number(self, number: str) -> None:
        """Seal a number; what its check digits say is kept beside it, because the number itself is not readable."""
        self.iban = looks_like_iban(number)
        self.number_valid = iban_is_valid(number) if self.iban else None
        self.number_sealed = crypto.seal(number, table="investor_account", column="number", row=self.id)
        self.number_last4 = crypto.last_four(number)
        self.number_index = crypto.blind_index(number)

    def reveal_number(self) -> str:
        """For the institution's adapter only; people see the last four."""
        return crypto.unseal(self.number_sealed, table="investor_account", column="number", row=self.id)


class ComplianceProfile(models.Model):
    """What compliance has established about an investor. An empty field means: not known."""

    class Kyc(models.TextChoices):
        VERIFIED = "verified", "verified"
        PENDING = "pending", "pending"
        REFUSED = "refused", "refused"

    class Sanctions(models.TextChoices):
        CLEAR = "clear", "clear"
        POSSIBLE_HIT = "possible_hit", "possible hit"
        TRUE_HIT = "true_hit", "true hit"

    investor = models.OneToOneField(Investor, primary_key=True, on_delete=models.PROTECT, related_name="compliance")
    accredited = models.BooleanField(null=True, blank=True)
    accredited_until = models.DateTimeField(null=True, blank=True)
    qualified_purchaser = models.BooleanField(null=True, blank=True)
    qualified_purchaser_until = models.DateTimeField(null=True, blank=True)
    kyc = models.CharField(max_length=10, choices=Kyc.choices, blank=True)
    kyc_verified_at = models.DateTimeField(null=True, blank=True)
    sanctions = models.CharField(max_length=12, choices=Sanctions.choices, blank=True)
    sanctions_screened_at = models.DateTimeField(null=True, blank=True)
    is_fund = models.BooleanField(default=False, help_text="The investor is itself a fund: its owners may count.")
    look_through_owners = models.PositiveIntegerField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    updated_at = models.DateTimeField()

    class Meta:
        triggers: ClassVar = [never_deleted()]

    def __str__(self) -> str:
        return f"Compliance of {self.investor_id}"


class Credential(models.Model):
    """A secret that an institution gave us, sealed and shown to nobody: for adapters that ask for one by its name. The
    sandbox's secrets come from the settings."""

    id = models.UUIDField(primary_key=True, default=ids.new_id, editable=False)
    institution = models.CharField(max_length=40)
    name = models.CharField(max_length=40, help_text="api_key, secret, callback_secret …")
    sealed = models.TextField(editable=False)
    hint = models.CharField(max_length=4, editable=False)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["institution", "name", "-created_at"]
        indexes: ClassVar = [models.Index(fields=["institution", "name"], name="credential_lookup")]
        triggers: ClassVar = [never_deleted()]

    def __str__(self) -> str:
        return f"{self.institution} {self.name} ···{self.hint}"

    def set_secret(self, secret: str) -> None:
        self.sealed = crypto.seal(secret, table="credential", column="secret", row=self.id)
        self.hint = crypto.last_four(secret)

    def reveal(self) -> str:
        return crypto.unseal(self.sealed, table="credential", column="secret", row=self.id)


class BalanceObservation(models.Model):
    """What an institution said an account holds, in minor units, as fetched at `fetched_at`.

    `acknowledged_before` is the account's running total of acknowledged withdrawals just before we asked.
    """

    id = models.BigAutoField(primary_key=True)
    account = Key(InvestorAccount, on_delete=models.PROTECT, related_name="observations", db_index=False)
    available = models.BigIntegerField()
    current = models.BigIntegerField()
    acknowledged_before = models.BigIntegerField()
    fetched_at = models.DateTimeField()

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [models.Index(fields=["account", "-id"], name="observation_newest")]
        triggers: ClassVar = [append_only()]

    def __str__(self) -> str:
        return f"{self.available} at {self.fetched_at:%Y-%m-%d %H:%M:%S}"
