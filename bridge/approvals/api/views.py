from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bridge.approvals import services
from bridge.approvals.api.rendering import ApprovalSerializer, render_approval, render_approvals
from bridge.approvals.handlers import handler_for, kinds
from bridge.approvals.models import Approval
from bridge.kernel.api.fields import NameField, StrictSerializer, TextField, read_body, read_query
from bridge.kernel.api.headers import etag, expected_version, idempotency_key, reply
from bridge.kernel.api.naming import inside
from bridge.kernel.api.paging import PageQuery, newest_first
from bridge.kernel.api.roles import actor_in, actor_of
from bridge.kernel.api.schema import ETAG, documented, page_of
from bridge.kernel.api.views import READS, BridgeView, path_id
from bridge.kernel.errors import MalformedId, NotFound
from bridge.kernel.idempotency import Answer
from bridge.kernel.results import Change, Role

PEOPLE = (Role.CHECKER, Role.COMPLIANCE, Role.MAKER)  # whether it is theirs to decide, the services say


@extend_schema_field({"type": "string"})
class SubjectField(serializers.Field):
    default_error_messages = {"malformed_id": "This is no id."}

    def to_internal_value(self, data: str) -> uuid.UUID:
        try:
            return inside(data)
        except MalformedId:
            self.fail("malformed_id")

    def to_representation(self, value: uuid.UUID) -> str:
        return str(value)


class ApprovalQuery(PageQuery):
    state = serializers.ListField(
        child=serializers.ChoiceField(choices=Approval.State.choices), required=False, help_text="May be several."
    )
    kind = NameField("kind of approval", kinds, required=False, max_length=40)
    subject = SubjectField(required=False, help_text="The id of what is to be changed.")


class DecisionReasonSerializer(StrictSerializer):
    reason = TextField(required=False, max_length=300, default="", allow_blank=True, help_text="Kept in the log.")


class ApprovalsView(BridgeView):
    allowed = {"GET": (*PEOPLE, Role.AUDITOR)}
    reads_query = READS

    @documented(
        operation_id="list_approvals",
        tag="approvals",
        summary="List what two people decide, newest first",
        parameters=[ApprovalQuery],
        answers={200: page_of(ApprovalSerializer, "Approval")},
    )
    def get(self, request: Request) -> Response:
        wanted = read_query(ApprovalQuery, request)
        lookups = {"state": "state__in", "kind": "kind", "subject": "subject_id"}
        filters = {lookup: wanted[name] for name, lookup in lookups.items() if name in wanted}
        rows = Approval.objects.filter(**filters)
        page = newest_first(rows, request, wanted)
        return Response(page.render(render_approvals))


class ApprovalView(BridgeView):
    allowed = {"GET": (*PEOPLE, Role.AUDITOR)}

    @documented(
        operation_id="read_approval",
        tag="approvals",
        summary="Read an approval",
        answers={200: ApprovalSerializer},
        parameters=[ETAG],
        refusals=[404],
    )
    def get(self, request: Request, approval: str) -> Response:
        found = _found(approval)
        return Response(render_approvals([found])[0], headers={"ETag": etag(found.version)})


def _documented(verb: str, summary: str) -> Callable[[Any], Any]:
    return documented(
        operation_id=f"{verb}_approval",
        tag="approvals",
        summary=summary,
        request=DecisionReasonSerializer,
        answers={200: ApprovalSerializer},
        refusals=[404],
        idempotent=True,
        versioned=True,
        writes=True,
    )


class DecideView(BridgeView):
    def decide(self, request: Request, approval: str, *, yes: bool) -> Response:
        """In the role that this kind of approval wants, where the login has it."""
        key = idempotency_key(request, request.data)
        version = expected_version(request)
        reason = read_body(DecisionReasonSerializer, request)["reason"]
        found = _found(approval)
        answer = services.decide_once(
            change=Change(found.id, version, reason),
            yes=yes,
            actor=actor_in(request, handler_for(found.kind).checkers),
            key=key,
            render=render_approval(),
        )
        return reply(answer)


class ApproveView(DecideView):
    allowed = {"POST": PEOPLE}

    @_documented("approve", "Say yes to what somebody else asked for; it is carried out at once")
    def post(self, request: Request, approval: str) -> Response:
        return self.decide(request, approval, yes=True)


class RejectView(DecideView):
    allowed = {"POST": PEOPLE}

    @_documented("reject", "Say no to what somebody else asked for")
    def post(self, request: Request, approval: str) -> Response:
        return self.decide(request, approval, yes=False)


class WithdrawView(BridgeView):
    allowed = {"POST": PEOPLE}

    @_documented("withdraw", "Take back what one asked for oneself")
    def post(self, request: Request, approval: str) -> Response:
        key = idempotency_key(request, request.data)
        version = expected_version(request)
        reason = read_body(DecisionReasonSerializer, request)["reason"]
        changes = [Change(_found(approval).id, version, reason)]
        answer = services.withdraw(changes=changes, actor=actor_of(request), key=key, render=render_approval())
        assert isinstance(answer, Answer)
        return reply(answer)


def _found(text: str) -> Approval:
    """Raises `NotFound`."""
    row = Approval.objects.filter(pk=path_id("approval", text)).first()
    if row is None:
        raise NotFound(what="approval")
    return row
