"""What people do to a transfer: one view per verb, each with one service of the same name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from bridge.approvals import services as approvals
from bridge.approvals.api.rendering import ApprovalSerializer, render_approval
from bridge.approvals.services import Proposal
from bridge.kernel.api.fields import read_body
from bridge.kernel.api.headers import expected_version, idempotency_key, reply
from bridge.kernel.api.roles import actor_of, sees_everything
from bridge.kernel.api.schema import documented
from bridge.kernel.api.views import BridgeView, path_id
from bridge.kernel.errors import StaleVersion
from bridge.kernel.idempotency import Answer
from bridge.kernel.results import Change, Role
from transfers import facts, queries, services
from transfers.api.rendering import render_one
from transfers.api.requests import MOVERS
from transfers.api.serializers import OverrideSerializer, ReasonSerializer, ReleaseSerializer, TransferSerializer
from transfers.approvals import OVERRIDE, UNFREEZE
from transfers.models import Transfer
from transfers.policy import policy
from transfers.states import State

OPERATIONS = (Role.MAKER, Role.CHECKER, Role.COMPLIANCE)  # in the order in which a login's roles are tried
DECIDERS = (Role.CHECKER, Role.COMPLIANCE)


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
        self,
        request: Request,
        transfer: str,
        service: Callable[..., Any],
        *,
        idempotent: bool = True,
        reads: type[ReasonSerializer] = ReasonSerializer,
        **more: Any,
    ) -> Response:
        keyed = idempotent or "Idempotency-Key" in request.headers
        key = idempotency_key(request, request.data) if keyed else None
        version = expected_version(request)
        body = read_body(reads, request)
        found = queries.get_for(request.user, path_id("transfer", transfer))
        changes = [Change(found.id, version, body["reason"])]
        render = render_one(inside=sees_everything(request.user))
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


class ReleaseView(ChangeView):
    """Two stops with one way out each: operations' own, and the freeze, which takes a second person."""

    allowed = {"POST": (Role.COMPLIANCE, Role.CHECKER)}

    @documented(
        operation_id="release_transfer",
        tag="transfers",
        summary="Undo a stop by operations, or ask for the release of a freeze",
        description=(
            "A transfer that operations held goes on as after `approve`. For a frozen one, compliance asks for its "
            "release, with `why`: the answer is 202 with the approval that another person of compliance decides."
        ),
        request=ReleaseSerializer,
        answers={200: TransferSerializer, 202: ApprovalSerializer},
        refusals=[404],
        idempotent=True,
        versioned=True,
        writes=True,
    )
    def post(self, request: Request, transfer: str) -> Response:
        found = queries.get_for(request.user, path_id("transfer", transfer))
        body = read_body(ReleaseSerializer, request)
        if found.state == State.FROZEN:
            return propose(request, found, Proposal(UNFREEZE, found.id, {"why": body["why"] or body["reason"]}))
        seen = facts.gather(account_ids=[found.source_account_id], max_age=policy().balance_age_create)
        return self.change(request, transfer, services.release_transfers, reads=ReleaseSerializer, facts=seen)


class FreezeView(ChangeView):
    allowed = {"POST": (Role.COMPLIANCE,)}

    @_documented("freeze", "Block by law the money that is with us; it is refunded to nobody until two people decide")
    def post(self, request: Request, transfer: str) -> Response:
        return self.change(request, transfer, services.freeze_transfers)


class OverrideView(BridgeView):
    allowed = {"POST": (Role.COMPLIANCE, Role.CHECKER, Role.MAKER)}

    @documented(
        operation_id="override_rule",
        tag="transfers",
        summary="Ask that a rule be set aside for a transfer; compliance decides",
        request=OverrideSerializer,
        answers={202: ApprovalSerializer},
        refusals=[404],
        idempotent=True,
        versioned=True,
        writes=True,
    )
    def post(self, request: Request, transfer: str) -> Response:
        body = read_body(OverrideSerializer, request)
        found = queries.get_for(request.user, path_id("transfer", transfer))
        return propose(request, found, Proposal(OVERRIDE, found.id, body, reason=body["why"]))


def propose(request: Request, transfer: Transfer, proposal: Proposal) -> Response:
    """Ask for a second person about a transfer. Raises `StaleVersion` and what the proposal's kind refuses."""
    version = expected_version(request)
    key = idempotency_key(request, request.data)
    stale = None if version in (None, transfer.version) else StaleVersion(expected=version, actual=transfer.version)
    answer = approvals.propose_once(
        proposal=proposal, actor=actor_of(request), key=key, render=render_approval(status=202), refusal=stale
    )
    return reply(answer)


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
