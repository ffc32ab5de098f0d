"""What people do to a transfer: one view per verb, each with one service of the same name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from bridge.kernel.api.fields import read_body
from bridge.kernel.api.headers import expected_version, idempotency_key, reply
from bridge.kernel.api.roles import actor_of
from bridge.kernel.api.schema import documented
from bridge.kernel.api.views import BridgeView, path_id
from bridge.kernel.idempotency import Answer
from bridge.kernel.results import Change, Role
from transfers import facts, queries, services
from transfers.api.rendering import render_one
from transfers.api.requests import MOVERS
from transfers.api.serializers import ReasonSerializer, TransferSerializer
from transfers.policy import policy

OPERATIONS = (Role.MAKER,)
DECIDERS = (Role.CHECKER,)


def _documented(verb: str, summary: str, *, idempotent: bool = True) -> Callable[[Any], Any]:
    return documented(
        operation_id=f"{verb}_transfer",
        tag="transfers",
        summary=summary,
        request=ReasonSerializer,
        answers={200: TransferSerializer},
        refusals=[404],
        idempotent=idempotent,
        versioned=True,
        writes=True,
    )


class ChangeView(BridgeView):
    """Parse the headers and the reason, call the service, answer with the transfer as it is then."""

    def change(
        self, request: Request, transfer: str, service: Callable[..., Any], *, idempotent: bool = True, **more: Any
    ) -> Response:
        keyed = idempotent or "Idempotency-Key" in request.headers
        key = idempotency_key(request, request.data) if keyed else None
        version = expected_version(request)
        body = read_body(ReasonSerializer, request)
        found = queries.get_for(request.user, path_id("transfer", transfer))
        changes = [Change(found.id, version, body["reason"])]
        render = render_one()
        result = service(changes=changes, actor=actor_of(request), key=key, render=render, **more)
        return reply(result if isinstance(result, Answer) else render(result))


class CancelView(ChangeView):
    allowed = {"POST": MOVERS}

    @_documented("cancel", "Cancel, as long as no money moves")
    def post(self, request: Request, transfer: str) -> Response:
        return self.change(request, transfer, services.cancel_transfers)


class ApproveView(ChangeView):
    allowed = {"POST": DECIDERS}

    @_documented("approve", "Approve a transfer in review; never one's own")
    def post(self, request: Request, transfer: str) -> Response:
        found = queries.get_for(request.user, path_id("transfer", transfer))
        seen = facts.gather(account_ids=[found.source_account_id], max_age=policy().balance_age_create)
        return self.change(request, transfer, services.approve_transfers, facts=seen)


class RejectView(ChangeView):
    allowed = {"POST": DECIDERS}

    @_documented("reject", "Reject a transfer; never one's own")
    def post(self, request: Request, transfer: str) -> Response:
        return self.change(request, transfer, services.reject_transfers)


class HoldView(ChangeView):
    allowed = {"POST": OPERATIONS}

    @_documented("hold", "Stop an approved transfer for a review", idempotent=False)
    def post(self, request: Request, transfer: str) -> Response:
        return self.change(request, transfer, services.hold_transfers, idempotent=False)


class RefundView(ChangeView):
    allowed = {"POST": OPERATIONS}

    @_documented("refund", "Send the money of a blocked transfer back to the investor")
    def post(self, request: Request, transfer: str) -> Response:
        return self.change(request, transfer, services.refund_transfers)


class RetryView(ChangeView):
    allowed = {"POST": OPERATIONS}

    @_documented("retry", "Try the deposit of a blocked transfer again, as a new instruction")
    def post(self, request: Request, transfer: str) -> Response:
        return self.change(request, transfer, services.retry_transfers)
