"""Asking for transfers, looking at them."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.db.models import UUIDField
from drf_spectacular.utils import OpenApiExample
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.queries import acts_for
from bridge.kernel import compiled
from bridge.kernel.api.fields import read_query
from bridge.kernel.api.headers import etag, idempotency_key, reply
from bridge.kernel.api.paging import newest_first
from bridge.kernel.api.roles import EVERYBODY, actor_of, sees_everything
from bridge.kernel.api.schema import ETAG, documented, page_of
from bridge.kernel.api.views import READS, BridgeView, path_id
from bridge.kernel.errors import BridgeError, NotFound
from bridge.kernel.results import Actor, Refused, Role
from funds.models import Fund
from transfers import disclosure, facts, queries, services
from transfers.api.reading import read_request
from transfers.api.rendering import render_each, render_events, render_transfers
from transfers.api.serializers import (
    CheckSerializer,
    EventSerializer,
    TransferQuery,
    TransferRequestSerializer,
    TransferSerializer,
)
from transfers.states import State

MOVERS = (Role.MAKER, Role.SERVICE, Role.INVESTOR)  # in the strongest role that the login has
REQUEST_EXAMPLE = OpenApiExample(
    "USD 25,000.00",
    {
        "source_account": "acct_01k9yq3v5ee3brd0n2m6jz8w4c",
        "fund": "fund_01k9yq3v5ef1ss6r0b1v8kq2xj",
        "amount": 2_500_000,
        "currency": "USD",
        "external_id": "order-2026-118",
        "metadata": {"desk": "private wealth"},
    },
    request_only=True,
)


class UnknownReference(BridgeError):
    """The body names something that does not exist, or that is somebody else's: the two look the same."""

    code = "unknown_reference"
    status = 422
    title = "The request names something unknown"
    message = "Some fields name what does not exist, or is not yours; `errors` names them."


_status = compiled.Tuples(
    lambda: Fund.objects.filter(pk=compiled.Given("fund", "uuid", UUIDField())).order_by().values_list("status")
)


def refuse(error: BridgeError) -> BridgeError:
    """A service's refusal of one request, naming the field at fault."""
    field = error.data.get("field")
    if field is None:
        return error
    errors = {field: [{"code": error.code, "message": error.detail}]}
    if error.status == 404:
        return UnknownReference(errors=errors)
    error.data["errors"] = errors
    return error


def wanted_by(request: Request, actor: Actor) -> services.TransferRequest:
    """The checked body. An investor's own account only: another's is as unknown as none.

    Raises `UnknownReference`.
    """
    body = read_request(request.data)
    account = body["source_account"]
    if actor.role == Role.INVESTOR and not acts_for(request.user, account_id=account):
        message = "There is no such account, or it is not yours to see."
        raise UnknownReference(errors={"source_account": [{"code": "not_found", "message": message}]})
    if actor.role == Role.INVESTOR and _status(fund=body["fund"]) == [(Fund.Status.DRAFT,)]:
        raise refuse(NotFound(what="fund", field="fund"))  # a draft is the firm's own matter, its name too
    return as_request(body)


def as_request(body: dict[str, Any]) -> services.TransferRequest:
    """What the service takes, from what `TransferRequestSerializer` has checked."""
    return services.TransferRequest(
        source_account_id=body["source_account"],
        fund_id=body["fund"],
        amount=body["amount"],
        currency=body["currency"],
        external_id=body["external_id"],
        metadata=body["metadata"],
    )


def seen_for(wanted: services.TransferRequest, *, keep: bool) -> facts.Facts:
    return facts.gather_for_requests([wanted.source_account_id], keep=keep)


class TransfersView(BridgeView):
    allowed = {"GET": EVERYBODY, "POST": MOVERS}
    reads_query = READS

    @documented(
        operation_id="request_transfer",
        tag="transfers",
        summary="Request a transfer",
        description="Answers 201 also when the rules reject: `state` and `decisions` say so.",
        request=TransferRequestSerializer,
        answers={201: TransferSerializer},
        parameters=[ETAG],
        idempotent=True,
        writes=True,
        examples=[REQUEST_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        key = idempotency_key(request, request.data)
        wanted = wanted_by(request, actor)
        render = render_each(status=201, location=request.path, inside=sees_everything(request.user))
        (answer,) = services.request_transfers_once(
            requests=[wanted], keys=[key], actor=actor, facts=seen_for(wanted, keep=False), render=render
        )
        if isinstance(answer, Refused):
            raise refuse(answer.error)
        return reply(answer)

    @documented(
        operation_id="list_transfers",
        tag="transfers",
        summary="List transfers, newest first",
        parameters=[TransferQuery],
        answers={200: page_of(TransferSerializer, "Transfer")},
    )
    def get(self, request: Request) -> Response:
        wanted = read_query(TransferQuery, request)
        filters = {name: wanted[name] for name in ("fund", "source_account", "external_id") if name in wanted}
        inside, states = sees_everything(request.user), wanted.get("state")
        if not inside and states is not None:
            states = [real for real in State.values if disclosure.state(real) in states]
        transfers = queries.listed(
            request.user,
            states=states,
            after=wanted.get("created_after"),
            before=wanted.get("created_before"),
            **filters,
        )
        page = newest_first(transfers, request, wanted)
        return Response(page.render(partial(render_transfers, inside=inside)))


class TransferView(BridgeView):
    allowed = {"GET": EVERYBODY}

    @documented(
        operation_id="read_transfer",
        tag="transfers",
        summary="Read a transfer",
        answers={200: TransferSerializer},
        parameters=[ETAG],
        refusals=[404],
    )
    def get(self, request: Request, transfer: str) -> Response:
        found = queries.get_for(request.user, path_id("transfer", transfer))
        (body,) = render_transfers([found], inside=sees_everything(request.user))
        return Response(body, headers={"ETag": etag(found.version)})


class TransferEventsView(BridgeView):
    allowed = {"GET": EVERYBODY}

    @documented(
        operation_id="list_transfer_events",
        tag="transfers",
        summary="Read a transfer's timeline, oldest first",
        description="Always the whole timeline on one page: there is no `limit`.",
        answers={200: page_of(EventSerializer, "TransferEvent")},
        refusals=[404],
    )
    def get(self, request: Request, transfer: str) -> Response:
        found = queries.get_for(request.user, path_id("transfer", transfer))
        events = render_events(queries.timeline(found), inside=sees_everything(request.user))
        return Response({"next": None, "previous": None, "results": events})


class TransferCheckView(BridgeView):
    allowed = {"POST": MOVERS}

    @documented(
        operation_id="check_transfer",
        tag="transfers",
        summary="What would be decided, and why; nothing is written or held",
        request=TransferRequestSerializer,
        answers={200: CheckSerializer},
        refusals=[422],
        writes=True,
        examples=[REQUEST_EXAMPLE],
    )
    def post(self, request: Request) -> Response:
        actor = actor_of(request)
        wanted = wanted_by(request, actor)
        (result,) = services.check_transfers(requests=[wanted], actor=actor, facts=seen_for(wanted, keep=True))
        if isinstance(result, Refused):
            raise refuse(result.error)
        made = result.decisions if sees_everything(request.user) else disclosure.decisions(result.decisions)
        return Response(
            {"object": "transfer_check", "outcome": result.outcome, "state": result.state, "decisions": made}
        )
