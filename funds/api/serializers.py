"""What funds and allocations look like outside. Amounts in minor units."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rest_framework import serializers

from bridge.kernel import ids
from bridge.kernel.api.fields import TypeIdField
from bridge.kernel.api.moments import moment
from bridge.kernel.api.paging import PageQuery
from bridge.kernel.money import is_currency
from funds.models import Allocation, Fund


class FundQuery(PageQuery):
    status = serializers.ChoiceField(required=False, choices=Fund.Status.choices)
    kind = serializers.ChoiceField(required=False, choices=Fund.Kind.choices)
    currency = serializers.CharField(required=False, max_length=3)

    def validate_currency(self, value: str) -> str:
        if not is_currency(value):
            raise serializers.ValidationError("This is no ISO 4217 currency.", code="unknown_currency")
        return value


class AllocationQuery(PageQuery):
    fund = TypeIdField("fund", required=False)
    investor = TypeIdField("investor", required=False)


class SeatsSerializer(serializers.Serializer):
    limit = serializers.IntegerField(allow_null=True, help_text="Null: no limit.")
    held = serializers.IntegerField(help_text="Taken by investors with reservations only.")
    confirmed = serializers.IntegerField(help_text="Taken by investors whose money has arrived.")
    available = serializers.IntegerField(allow_null=True)


class AmountsSerializer(serializers.Serializer):
    hard_cap = serializers.IntegerField(allow_null=True, help_text="Null: no cap.")
    reserved = serializers.IntegerField()
    confirmed = serializers.IntegerField()
    available = serializers.IntegerField(allow_null=True)


class FundSerializer(serializers.Serializer):
    id = TypeIdField("fund")
    object = serializers.CharField(default="fund")
    code = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    kind = serializers.CharField()
    status = serializers.CharField()
    currency = serializers.CharField()
    minimum = serializers.IntegerField()
    maximum = serializers.IntegerField(allow_null=True, help_text="Per investor; null: none.")
    seats = SeatsSerializer()
    amounts = AmountsSerializer()
    opens_at = serializers.DateTimeField()
    closes_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()
    created_at = serializers.DateTimeField()


class AllocationSerializer(serializers.Serializer):
    id = TypeIdField("allocation")
    object = serializers.CharField(default="allocation")
    fund = TypeIdField("fund")
    investor = TypeIdField("investor")
    currency = serializers.CharField()
    reserved = serializers.IntegerField()
    confirmed = serializers.IntegerField()
    created_at = serializers.DateTimeField()


def render_funds(funds: Sequence[Fund]) -> list[dict[str, Any]]:
    """Funds read with their `capacity` and annotated with `seats_confirmed`."""
    return [_fund(fund) for fund in funds]


def _fund(fund: Any) -> dict[str, Any]:
    capacity = fund.capacity
    taken = capacity.reserved + capacity.confirmed
    return {
        "id": fund.public_id,
        "object": "fund",
        "code": fund.code,
        "name": fund.name,
        "description": fund.description,
        "kind": fund.kind,
        "status": fund.status,
        "currency": fund.currency,
        "minimum": fund.minimum,
        "maximum": fund.maximum,
        "seats": {
            "limit": capacity.seat_limit,
            "held": max(0, capacity.seats_taken - fund.seats_confirmed),
            "confirmed": fund.seats_confirmed,
            "available": _left(capacity.seat_limit, capacity.seats_taken),
        },
        "amounts": {
            "hard_cap": capacity.hard_cap,
            "reserved": capacity.reserved,
            "confirmed": capacity.confirmed,
            "available": _left(capacity.hard_cap, taken),
        },
        "opens_at": moment(fund.opens_at),
        "closes_at": moment(fund.closes_at),
        "version": fund.version,
        "created_at": moment(fund.created_at),
    }


def _left(limit: int | None, taken: int) -> int | None:
    return None if limit is None else limit - taken


def render_allocations(allocations: Sequence[Allocation]) -> list[dict[str, Any]]:
    """Allocations read with their `fund`; investors' own annotated with `quiet`, in minor units."""
    return [
        {
            "id": allocation.public_id,
            "object": "allocation",
            "fund": ids.encode("fund", allocation.fund_id),
            "investor": ids.encode("investor", allocation.investor_id),
            "currency": allocation.fund.currency,
            "reserved": allocation.reserved + getattr(allocation, "quiet", 0),
            "confirmed": allocation.confirmed,
            "created_at": moment(allocation.created_at),
        }
        for allocation in allocations
    ]
