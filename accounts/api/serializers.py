"""What accounts look like outside."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from accounts.models import InvestorAccount
from bridge.kernel import ids
from bridge.kernel.api.fields import TypeIdField
from bridge.kernel.api.moments import moment
from bridge.kernel.api.paging import PageQuery
from bridge.kernel.money import is_currency


class AccountQuery(PageQuery):
    currency = serializers.CharField(required=False, max_length=3)
    status = serializers.ChoiceField(required=False, choices=InvestorAccount.Status.choices)
    investor = TypeIdField("investor", required=False)

    def validate_currency(self, value: str) -> str:
        if not is_currency(value):
            raise serializers.ValidationError("This is no ISO 4217 currency.", code="unknown_currency")
        return value


class AccountSerializer(serializers.Serializer):
    id = TypeIdField("account")
    object = serializers.CharField(default="account")
    investor = TypeIdField("investor")
    name = serializers.CharField()
    institution = serializers.CharField()
    currency = serializers.CharField()
    last4 = serializers.CharField(help_text="The last four characters of the account number.")
    status = serializers.CharField()
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class BalanceSerializer(serializers.Serializer):
    object = serializers.CharField(default="balance")
    account = TypeIdField("account")
    currency = serializers.CharField()
    available = serializers.IntegerField(
        help_text="Minor units that a new transfer may use; to look at, not a promise."
    )
    held = serializers.IntegerField(help_text="Minor units set aside for transfers not yet withdrawn.")
    observed = serializers.IntegerField(help_text="Minor units available as the institution said.")
    as_of = serializers.DateTimeField(help_text="When the institution was asked.")
    source = serializers.ChoiceField(choices=["cache", "institution"])  # type: ignore[assignment]  # a declared field


def render_accounts(accounts: Sequence[InvestorAccount]) -> list[dict[str, Any]]:
    return [
        {
            "id": account.public_id,
            "object": "account",
            "investor": ids.encode("investor", account.investor_id),
            "name": account.name,
            "institution": account.institution,
            "currency": account.currency,
            "last4": account.number_last4,
            "status": account.status,
            "version": account.version,
            "created_at": moment(account.created_at),
        }
        for account in accounts
    ]


def render_balance(account_id: uuid.UUID, balance: dict[str, Any]) -> dict[str, Any]:
    names = ("currency", "available", "held", "observed", "as_of", "source")
    return {
        "object": "balance",
        "account": ids.encode("account", account_id),
        **{name: balance[name] for name in names},
    }
