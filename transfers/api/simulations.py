"""What only a sandbox can do: move time, and decide in the bank's place."""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache
from typing import Any
from urllib.parse import quote

from django.conf import settings
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from bridge.kernel import clock
from bridge.kernel.api.fields import AmountField, StrictSerializer, TextField, read_body
from bridge.kernel.api.moments import moment
from bridge.kernel.api.roles import MethodPermission, roles_of
from bridge.kernel.api.schema import documented
from bridge.kernel.api.views import BridgeView, path_id
from bridge.kernel.errors import BridgeError, NotFound
from bridge.kernel.money import MAX_AMOUNT
from bridge.kernel.results import Role
from bridge.sandbox.client import ControlRefused, SandboxControl
from bridge.sandbox.wire import CONTROL, derive_credentials
from transfers import waking
from transfers.api.rendering import render_transfers
from transfers.api.serializers import TransferSerializer
from transfers.models import Transfer
from transfers.states import InstructionState

TEN_YEARS = 10 * 366 * 86400


class BankRefused(BridgeError):
    code = "sandbox_refused"
    status = 409
    title = "The sandbox bank refused"
    message = "The sandbox bank did not do it: {why}"


class NothingAtTheBank(BridgeError):
    code = "no_instruction"
    status = 409
    title = "Nothing at the bank"
    message = "This transfer has no instruction at a bank that could be {verb}."


class SandboxOnly(MethodPermission):
    """Outside a sandbox there is nothing here. Inside, for services and people who may enter the admin."""

    message = "Only a service, or somebody who may enter the admin, may do this."

    def allows(self, request: Request, view: APIView, method: str) -> bool:
        if not settings.BRIDGE_SANDBOX_MODE:
            raise NotFound(what="route")
        return bool(request.user.is_authenticated and (request.user.is_staff or Role.SERVICE in roles_of(request.user)))


class MinorField(serializers.IntegerField):
    """Minor units, zero included."""

    def __init__(self, **options: Any) -> None:
        super().__init__(min_value=0, max_value=MAX_AMOUNT, **options)


class AdvanceSerializer(StrictSerializer):
    seconds = serializers.IntegerField(min_value=1, max_value=TEN_YEARS)


class ClockSerializer(serializers.Serializer):
    object = serializers.CharField(default="clock")
    now = serializers.DateTimeField()


class ForceSerializer(StrictSerializer):
    amount = AmountField(required=False, help_text="Minor units, where not the whole amount.")
    fee = MinorField(required=False, help_text="What the bank keeps on the way, in minor units.")
    code = TextField(required=False, max_length=20, help_text="The bank's code, such as R01.")
    reason = TextField(required=False, max_length=140)


class SettleSerializer(ForceSerializer):
    again = serializers.BooleanField(
        required=False, default=False, help_text="Settle what has settled, was rejected or came back: twice, or late."
    )


class ReturnSerializer(ForceSerializer):
    interest = MinorField(required=False, help_text="Comes on top of a returned deposit, in minor units.")


class ClockAdvanceView(BridgeView):
    permission_classes = [SandboxOnly]

    @documented(
        operation_id="advance_clock",
        tag="simulations",
        summary="Move the clock of Bridge and of the sandbox bank forward",
        request=AdvanceSerializer,
        answers={200: ClockSerializer},
        refusals=[404, 409],
        writes=True,
    )
    def post(self, request: Request) -> Response:
        seconds = read_body(AdvanceSerializer, request)["seconds"]
        call_bank("/control/clock", {"advance_seconds": seconds})
        clock.advance(by=timedelta(seconds=seconds))
        waking.wake()
        return Response({"object": "clock", "now": moment(clock.now())})


class ForceView(BridgeView):
    """Decide about a transfer's instruction in the bank's place."""

    permission_classes = [SandboxOnly]

    def force(self, transfer: str, verb: str, wanted: dict[str, Any], states: tuple[InstructionState, ...]) -> Response:
        found = transfer_of(transfer)
        legs = list(found.instructions.filter(state__in=states).order_by("id"))
        if not legs:
            raise NothingAtTheBank(verb=f"{verb}d" if verb.endswith("e") else f"{verb}ed")
        key = quote(legs[-1].key, safe="")
        call_bank(f"/control/instructions/{key}/{verb}?institution={legs[-1].institution}", wanted)
        waking.wake()
        return Response(render_transfers([found], inside=True)[0])


def transfer_of(public_id: str) -> Transfer:
    found = Transfer.objects.filter(pk=path_id("transfer", public_id)).first()
    if found is None:
        raise NotFound(what="transfer")
    return found


def _documented(verb: str, summary: str, request: type[ForceSerializer] = ForceSerializer) -> Any:
    return documented(
        operation_id=f"simulate_{verb}",
        tag="simulations",
        summary=summary,
        request=request,
        answers={200: TransferSerializer},
        refusals=[404, 409],
        writes=True,
    )


_OPEN = (InstructionState.SUBMITTED, InstructionState.ACKNOWLEDGED, InstructionState.UNKNOWN)
_MOVED = (InstructionState.SETTLED, InstructionState.RETURNED)
_ENDED = (*_MOVED, InstructionState.REJECTED)


class SettleView(ForceView):
    @_documented("settle", "Let the bank settle the transfer's live instruction", SettleSerializer)
    def post(self, request: Request, transfer: str) -> Response:
        wanted = read_body(SettleSerializer, request)
        return self.force(transfer, "settle", wanted, _ENDED if wanted.pop("again") else _OPEN)


class BankRejectView(ForceView):
    @_documented("reject", "Let the bank reject the transfer's live instruction")
    def post(self, request: Request, transfer: str) -> Response:
        return self.force(transfer, "reject", read_body(ForceSerializer, request), _OPEN)


class ReturnView(ForceView):
    @_documented("return", "Let the bank return the transfer's last settled instruction", ReturnSerializer)
    def post(self, request: Request, transfer: str) -> Response:
        return self.force(transfer, "return", read_body(ReturnSerializer, request), _MOVED)


def call_bank(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """One call of the sandbox bank's control routes. Raises `BankRefused`, also when it does not answer."""
    try:
        return _control(settings.BRIDGE_SANDBOX_URL, settings.BRIDGE_SANDBOX_SECRET).call("POST", path, body)
    except ControlRefused as error:
        raise BankRefused(why=str(error)[:300]) from error


@lru_cache(maxsize=1)
def _control(url: str, master: str) -> SandboxControl:
    keys = derive_credentials(master, CONTROL)
    return SandboxControl(url, keys.api_key, keys.secret)
