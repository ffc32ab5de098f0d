"""Something goes wrong at the sandbox bank, on request: any fault of docs/SANDBOX.md, for one transfer or for all."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bridge.kernel import ids
from bridge.kernel.api.fields import NameField, StrictSerializer, TextField, read_body
from bridge.kernel.api.schema import documented
from bridge.kernel.api.views import BridgeView
from bridge.kernel.gateway import InstructionKind
from bridge.kernel.money import MAX_AMOUNT
from bridge.sandbox.model import Call, Fault
from transfers import waking
from transfers.api.serializers import CurrencyField
from transfers.api.simulations import TEN_YEARS, MinorField, SandboxOnly, call_bank, transfer_of

MOST = 10**6
DAYS = 3660
KINDS = [kind.value for kind in InstructionKind]
EFFECTS = {"none": Fault.TIMEOUT_BEFORE, "done": Fault.TIMEOUT_AFTER, "late": Fault.TIMEOUT_LATE}


class FaultSerializer(StrictSerializer):
    fault = serializers.ChoiceField([fault.value for fault in Fault])
    kind = serializers.ChoiceField(KINDS, required=False, help_text="Only this kind of instruction.")
    call = serializers.ChoiceField([call.value for call in Call], required=False)
    count = serializers.IntegerField(min_value=1, max_value=MOST, default=1, help_text="How often in all.")
    probability = serializers.FloatField(min_value=0, max_value=1, required=False)
    code = TextField(required=False, max_length=20, help_text="The bank's code, such as R01.")
    reason = TextField(required=False, max_length=140)
    days = serializers.FloatField(min_value=0, max_value=DAYS, required=False)
    seconds = serializers.FloatField(min_value=0, max_value=TEN_YEARS, required=False)
    amount = MinorField(required=False)
    delta = serializers.IntegerField(min_value=-MAX_AMOUNT, max_value=MAX_AMOUNT, required=False)
    fee = MinorField(required=False)
    interest = MinorField(required=False)
    keep = serializers.FloatField(min_value=0, max_value=1, required=False)
    at_settlement = serializers.BooleanField(required=False)
    not_found = serializers.BooleanField(required=False)


class AnyFaultSerializer(FaultSerializer):
    institution = NameField(
        "institution",
        lambda: settings.BRIDGE_GATEWAYS,
        required=False,
        max_length=40,
        help_text="Only this institution, such as harbor.",
    )


class TimeOutSerializer(StrictSerializer):
    effect = serializers.ChoiceField(
        list(EFFECTS), default="done", help_text="What the bank does with the order whose answer is lost."
    )
    kind = serializers.ChoiceField(KINDS, required=False)
    seconds = serializers.FloatField(min_value=0, max_value=TEN_YEARS, required=False, help_text="How late, if late.")


class FaultAnswerSerializer(serializers.Serializer):
    object = serializers.CharField(default="fault")
    number = serializers.IntegerField()
    fault = serializers.CharField()
    kind = serializers.CharField(allow_blank=True)
    institution = serializers.CharField(allow_blank=True)
    count = serializers.IntegerField(allow_null=True)


class MovementSerializer(StrictSerializer):
    amount = serializers.IntegerField(
        min_value=-MAX_AMOUNT, max_value=MAX_AMOUNT, help_text="Minor units: positive comes in, negative goes out."
    )
    currency = CurrencyField()
    kind = serializers.ChoiceField(["fee", "other"], default="other", help_text="fee: a charge of the bank's.")
    reference = TextField(required=False, max_length=140, help_text="What the statement says about it.")


class MovementAnswerSerializer(serializers.Serializer):
    object = serializers.CharField(default="statement_line")
    line = serializers.CharField()
    amount = serializers.IntegerField()
    direction = serializers.CharField()
    currency = serializers.CharField()


def _documented(operation: str, summary: str, request: type[StrictSerializer]) -> Any:
    return documented(
        operation_id=operation,
        tag="simulations",
        summary=summary,
        request=request,
        answers={201: FaultAnswerSerializer},
        refusals=[404, 409],
        writes=True,
    )


class FaultsView(BridgeView):
    permission_classes = [SandboxOnly]

    @_documented("inject_fault", "Let something go wrong at the sandbox bank", AnyFaultSerializer)
    def post(self, request: Request) -> Response:
        return _added(read_body(AnyFaultSerializer, request))


class TransferFaultsView(BridgeView):
    permission_classes = [SandboxOnly]

    @_documented("inject_transfer_fault", "Let something go wrong with this transfer's orders", FaultSerializer)
    def post(self, request: Request, transfer: str) -> Response:
        return _added(read_body(FaultSerializer, request) | _only(transfer))


class TimeOutView(BridgeView):
    permission_classes = [SandboxOnly]

    @_documented("simulate_time_out", "Let the answer to this transfer's next order be lost", TimeOutSerializer)
    def post(self, request: Request, transfer: str) -> Response:
        wanted = read_body(TimeOutSerializer, request)
        effect = EFFECTS[wanted.pop("effect")]
        return _added({**wanted, "fault": effect.value, "count": 1} | _only(transfer))


class MovementsView(BridgeView):
    permission_classes = [SandboxOnly]

    @documented(
        operation_id="simulate_movement",
        tag="simulations",
        summary="Book money on the settlement account that no instruction explains",
        request=MovementSerializer,
        answers={201: MovementAnswerSerializer},
        refusals=[404, 409],
        writes=True,
    )
    def post(self, request: Request) -> Response:
        wanted = read_body(MovementSerializer, request)
        line = call_bank(f"/control/settlement/{wanted.pop('currency')}/movements", wanted)
        names = ("amount", "direction", "currency")
        answer = {"object": "statement_line", "line": line["id"], **{name: line[name] for name in names}}
        return Response(answer, status=201)


def _only(transfer: str) -> dict[str, str]:
    """Orders carry the end of the transfer's id as the end of their reference."""
    return {"reference": ids.encode("transfer", transfer_of(transfer).id)[-26:].upper()}


def _added(wanted: dict[str, Any]) -> Response:
    rule = call_bank("/control/faults", wanted)
    waking.wake()
    names = ("fault", "kind", "institution", "count")
    return Response({"object": "fault", "number": rule["id"], **{name: rule[name] for name in names}}, status=201)
