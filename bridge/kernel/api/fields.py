"""Fields that take exactly what the API documents, and serializers that refuse names they do not know.

Longer than most modules: every kind of value that the API reads.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, TypeVar

from django.http import QueryDict
from drf_spectacular.drainage import set_override
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail
from rest_framework.request import Request

from bridge.kernel import ids
from bridge.kernel.errors import MalformedId
from bridge.kernel.money import MAX_AMOUNT

MAX_KEYS, MAX_NAME, MAX_VALUE = 50, 40, 500
_SHOWN = 20
# Control characters, separators of lines, and what Unicode's bidirectional algorithm (UAX 9, 2.1 to 2.6) obeys.
_NOT_PLAIN = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")
S = TypeVar("S", bound=serializers.Serializer)


class StrictSerializer(serializers.Serializer):
    """Refuses names that it does not know, so that a typing error is not silently ignored, and what is no object."""

    default_error_messages = {"invalid": "The body must be a JSON object."}

    def run_validation(self, data: Any = serializers.empty) -> Any:
        if data is None:
            raise serializers.ValidationError({"non_field_errors": [self.error_messages["invalid"]]}, code="invalid")
        return super().run_validation(data)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            unknown = sorted(str(name) for name in data if name not in self.fields)[:_SHOWN]
            if unknown:
                error = ErrorDetail("There is no such field.", code="unknown_field")
                raise serializers.ValidationError({name[:MAX_NAME]: [error] for name in unknown})
        return super().to_internal_value(data)


def read_body(serializer: type[S], request: Request) -> Any:
    """The checked body; an absent one counts as `{}`. Raises `ValidationError`."""
    checked = serializer(data=request.data)
    checked.is_valid(raise_exception=True)
    return checked.validated_data


def read_query(serializer: type[S], request: Request) -> Any:
    """The checked query string: unknown or repeated names are refused, a `ListField` may repeat or use commas."""
    query: QueryDict = request.query_params
    fields = serializer().fields
    data: dict[str, Any] = {}
    for name, values in query.lists():
        if any("\x00" in value for value in values):
            raise serializers.ValidationError({name.replace("\x00", "")[:MAX_NAME] or "query": ["NUL is no text."]})
        if isinstance(fields.get(name), serializers.ListField):
            data[name] = [part for value in values for part in value.split(",")]
        elif len(values) > 1:
            raise serializers.ValidationError({name[:MAX_NAME]: [ErrorDetail("Give it once.", code="repeated")]})
        else:
            data[name] = values[0]
    checked = serializer(data=data)
    checked.is_valid(raise_exception=True)
    return checked.validated_data


@extend_schema_field({"type": "integer", "format": "int64", "minimum": 1, "maximum": MAX_AMOUNT, "example": 2_500_000})
class AmountField(serializers.Field):
    """Minor units as a JSON integer. Text, fractions (also 10.0) and booleans are refused."""

    default_error_messages = {
        "not_an_integer": "Give minor units as a JSON integer, such as 250000 for USD 2,500.00.",
        "out_of_range": f"The amount must be between 1 and {MAX_AMOUNT}.",
    }

    def to_internal_value(self, data: Any) -> int:
        if type(data) is not int:
            self.fail("not_an_integer")
        if not 1 <= data <= MAX_AMOUNT:
            self.fail("out_of_range")
        return data

    def to_representation(self, value: int) -> int:
        return value


class TextField(serializers.CharField):
    """Text is text: a number or a boolean is not turned into one. NUL is refused."""

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            self.fail("invalid")
        return super().to_internal_value(data)


class LineField(TextField):
    """Text that looks the same everywhere: no control characters, no ends of lines, nothing that turns it around."""

    default_error_messages = {"not_plain": "Control characters and those that turn the direction of text are refused."}

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        if _NOT_PLAIN.search(text):
            self.fail("not_plain")
        return text


class NameField(TextField):
    """One of the names there are, which its refusal tells. No enumeration in the document: more may come."""

    default_error_messages = {"unknown_name": "There is no such {what}. There are: {known}."}

    def __init__(self, what: str, names: Callable[[], Iterable[str]], **options: Any) -> None:
        self.what, self.names = what, names
        super().__init__(**options)

    def to_internal_value(self, data: Any) -> str:
        name, known = super().to_internal_value(data), sorted(self.names())
        if name not in known:
            self.fail("unknown_name", what=self.what, known=", ".join(known))
        return name


class TypeIdField(serializers.Field):
    """A TypeID outside, a uuid inside."""

    default_error_messages = {"malformed_id": "This is no {kind} id: it begins with '{prefix}_'."}

    def __init__(self, kind: str, **options: Any) -> None:
        self.kind = kind
        super().__init__(**options)
        pattern = f"^{ids.PREFIXES[kind]}_[0-7][{ids.ALPHABET}]{{25}}$"
        set_override(self, "field", {"type": "string", "pattern": pattern})

    def to_internal_value(self, data: Any) -> uuid.UUID:
        try:
            return ids.decode(self.kind, data)
        except MalformedId:
            self.fail("malformed_id", kind=self.kind, prefix=ids.PREFIXES[self.kind])

    def to_representation(self, value: Any) -> str:
        return value if isinstance(value, str) else ids.encode(self.kind, value)


@extend_schema_field(
    {
        "type": "object",
        "maxProperties": MAX_KEYS,
        "propertyNames": {"minLength": 1, "maxLength": MAX_NAME},
        "additionalProperties": {"type": "string", "maxLength": MAX_VALUE},
        "example": {"order": "2026-118"},
    }
)
class MetadataField(serializers.Field):
    """The caller's own notes: at most 50 names of 40 characters with texts of 500."""

    default_error_messages = {
        "not_an_object": "Metadata is an object of texts.",
        "too_many": f"Metadata has at most {MAX_KEYS} names.",
        "bad_name": f"A name in metadata has 1 to {MAX_NAME} characters.",
        "bad_value": f"A value in metadata is text of at most {MAX_VALUE} characters.",
    }

    def to_internal_value(self, data: Any) -> dict[str, str]:
        if not isinstance(data, dict):
            self.fail("not_an_object")
        if len(data) > MAX_KEYS:
            self.fail("too_many")
        for name, value in data.items():
            if not 1 <= len(name) <= MAX_NAME:
                self.fail("bad_name")
            if not isinstance(value, str) or len(value) > MAX_VALUE:
                self.fail("bad_value")
        return data

    def to_representation(self, value: dict[str, str]) -> dict[str, str]:
        return value


class MomentField(serializers.DateTimeField):
    """A time with its offset from UTC (RFC 3339); a time without one is refused."""

    default_error_messages = {"no_offset": "Give the time with its offset, such as 2026-11-23T09:00:00Z."}

    def __init__(self, **options: Any) -> None:
        super().__init__(default_timezone=UTC, **options)

    def to_internal_value(self, value: Any) -> datetime:
        if isinstance(value, str) and not value.endswith(("Z", "z")) and "+" not in value and "-" not in value[10:]:
            self.fail("no_offset")
        try:
            return super().to_internal_value(value)
        except OverflowError:
            self.fail("invalid", format="RFC 3339")
