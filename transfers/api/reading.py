"""Reading requests without a serializer where they are plainly right; the serializers say what is wrong.

A serializer takes some 250 Python calls for one row, and a bulk request has ten thousand. `plain` knows nothing of
errors: what it does not take without a doubt it leaves to the serializer, whose answer counts. So both agree by
construction, and the messages are written once.
"""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from bridge.kernel import ids
from bridge.kernel.errors import IdempotencyKeyMalformed, IdempotencyKeyMissing, MalformedId
from bridge.kernel.idempotency import checked as checked_key
from bridge.kernel.money import MAX_AMOUNT, is_currency
from transfers.api.serializers import BulkRowSerializer, MetadataField, TransferRequestSerializer

_NEEDED = frozenset({"source_account", "fund", "amount", "currency"})
_NAMES = _NEEDED | {"external_id", "metadata"}
_METADATA = MetadataField()
_NO_KEY = "Give each row an idempotency_key: a string of your own of up to 255 characters, new for each request."


def read_request(raw: Any) -> dict[str, Any]:
    """The checked body of `POST /transfers`. Raises `ValidationError`."""
    found = plain(raw)
    if found is not None:
        return found
    checked = TransferRequestSerializer(data=raw)
    checked.is_valid(raise_exception=True)
    return checked.validated_data


def read_row(raw: Any, reader: BulkRowSerializer) -> dict[str, Any]:
    """A checked row of `POST /transfers/bulk`; its key first, as where it is a header.

    Raises `IdempotencyKeyMissing`, `IdempotencyKeyMalformed` or `ValidationError`.
    """
    if raw.__class__ is dict and ((key := raw.get("idempotency_key")) is None or key.__class__ is str):
        _check_key(key)
        rest = raw.copy()
        del rest["idempotency_key"]
        found = plain(rest)
        if found is not None:
            found["idempotency_key"] = key
            return found
    checked: dict[str, Any] = reader.run_validation(raw)
    return checked


def plain(raw: Any) -> dict[str, Any] | None:
    """What `TransferRequestSerializer` makes of a body that needs no second look; None for every other."""
    if raw.__class__ is not dict or not _NEEDED <= raw.keys() <= _NAMES:
        return None
    amount, currency, external_id = raw["amount"], raw["currency"], raw.get("external_id", "")
    if amount.__class__ is not int or not 1 <= amount <= MAX_AMOUNT:
        return None
    if currency.__class__ is not str or not is_currency(currency) or not _is_plain_text(external_id):
        return None
    try:
        return {
            "source_account": ids.decode("account", raw["source_account"]),
            "fund": ids.decode("fund", raw["fund"]),
            "amount": amount,
            "currency": currency,
            "external_id": external_id,
            "metadata": _METADATA.to_internal_value(raw["metadata"]) if raw.get("metadata", {}) != {} else {},
        }
    except (MalformedId, serializers.ValidationError):
        return None


def _is_plain_text(text: Any) -> bool:
    """Nothing to trim and nothing to refuse."""
    return text.__class__ is str and (
        not text or (len(text) <= 100 and text.isascii() and text.isprintable() and text == text.strip())
    )


def _check_key(key: str | None) -> None:
    """The single route's refusals, naming the field."""
    try:
        checked_key(key)
    except IdempotencyKeyMissing:
        raise IdempotencyKeyMissing(_NO_KEY, field="idempotency_key") from None
    except IdempotencyKeyMalformed:
        raise IdempotencyKeyMalformed(field="idempotency_key") from None
