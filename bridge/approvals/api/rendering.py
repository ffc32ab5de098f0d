"""Approvals as they look outside."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from bridge.approvals.handlers import UnknownKind, handler_for
from bridge.approvals.models import Approval
from bridge.kernel import ids
from bridge.kernel.api.fields import TypeIdField
from bridge.kernel.api.headers import etag
from bridge.kernel.api.moments import moment
from bridge.kernel.api.naming import outside
from bridge.kernel.idempotency import Answer
from bridge.kernel.results import Refused, Result

SECRET = frozenset({"number_sealed", "number_index"})  # a new account number, sealed, and its keyed hash


class ApprovalSubjectSerializer(serializers.Serializer):
    type = serializers.CharField()
    id = serializers.CharField(help_text="A TypeID where the subject has one, else a uuid.")


class PersonSerializer(serializers.Serializer):
    id = serializers.CharField()
    role = serializers.CharField()


@extend_schema_field({"type": "object", "additionalProperties": {}})
class PayloadField(serializers.Field):
    """Differs by kind."""

    def to_representation(self, value: dict[str, Any]) -> dict[str, Any]:
        return value


class ApprovalSerializer(serializers.Serializer):
    id = TypeIdField("approval")
    object = serializers.CharField(default="approval")
    kind = serializers.CharField(help_text="What is to be decided, such as `transfer.review`.")
    state = serializers.ChoiceField(choices=Approval.State.choices)
    summary = serializers.CharField()
    subject = ApprovalSubjectSerializer()
    payload = PayloadField(help_text="What will be done, without what nobody may read.")
    hash = serializers.CharField(help_text="SHA-256 over what is approved and what it rests on.")
    reason = serializers.CharField(help_text="Why it was asked for.")
    maker = PersonSerializer()
    checker = PersonSerializer(allow_null=True, help_text="Null until somebody decided.")
    decision_reason = serializers.CharField()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    decided_at = serializers.DateTimeField(allow_null=True)
    version = serializers.IntegerField()


def render_approvals(approvals: Sequence[Approval]) -> list[dict[str, Any]]:
    return [
        {
            "id": row.public_id,
            "object": "approval",
            "kind": row.kind,
            "state": row.state,
            "summary": row.summary,
            "subject": {"type": row.subject_type, "id": _subject(row)},
            "payload": {name: outside(name, value) for name, value in row.payload.items() if name not in SECRET},
            "hash": row.bound_hash,
            "reason": row.reason,
            "maker": {"id": row.maker, "role": row.maker_role},
            "checker": {"id": row.checker, "role": row.checker_role} if row.checker else None,
            "decision_reason": row.decision_reason,
            "created_at": moment(row.created_at),
            "expires_at": moment(row.expires_at),
            "decided_at": moment(row.decided_at),
            "version": row.version,
        }
        for row in approvals
    ]


def render_approval(*, status: int = 200) -> Callable[[list[Result]], Answer]:
    """A renderer for one approval. It raises a refusal's error, so that nothing is kept under the key."""

    def render(results: list[Result]) -> Answer:
        (result,) = results
        if isinstance(result, Refused):
            raise result.error
        row = Approval.objects.get(pk=result.id)
        (body,) = render_approvals([row])
        return Answer(status, body, {"ETag": etag(row.version)})

    return render


def _subject(row: Approval) -> str:
    try:
        kind = handler_for(row.kind).id_kind or row.subject_type
    except UnknownKind:  # of a version that knew it
        kind = row.subject_type
    return ids.encode(kind, row.subject_id) if kind in ids.PREFIXES else str(row.subject_id)
