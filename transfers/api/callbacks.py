"""What institutions tell us unasked: verified, stored once, acknowledged at once, processed by the engine."""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook, WebhookVerificationError

from bridge.kernel import crashpoints
from bridge.kernel.api.parsing import loads, read_capped
from bridge.kernel.api.schema import documented
from bridge.kernel.api.throttling import CallbackThrottle
from bridge.kernel.api.views import BridgeView
from bridge.kernel.errors import BridgeError, NotFound
from transfers import receiving

MAX_CALLBACK = 64 * 1024
_ID = re.compile(r"[\x21-\x7e]{1,100}")
_HEADERS = ("webhook-id", "webhook-timestamp", "webhook-signature")


class SignatureInvalid(BridgeError):
    code = "signature_invalid"
    status = 401
    title = "Signature not valid"
    message = "The signature does not fit this body, or its time is more than five minutes off."


class CallbackMalformed(BridgeError):
    code = "malformed_callback"
    title = "Callback malformed"
    message = "A callback has the headers webhook-id, webhook-timestamp and webhook-signature, and a JSON object."


class AnyParser(BaseParser):
    """The signature covers the bytes, so nobody reads them before it is verified."""

    media_type = "*/*"

    def parse(self, stream: Any, media_type: str | None = None, parser_context: Any = None) -> Any:
        return read_capped(stream, most=MAX_CALLBACK)


class AcceptedSerializer(serializers.Serializer):
    object = serializers.CharField(default="callback")
    accepted = serializers.BooleanField(default=True)


def _header(name: str) -> OpenApiParameter:
    return OpenApiParameter(name, OpenApiTypes.STR, OpenApiParameter.HEADER, required=True)


class CallbackView(BridgeView):
    """A callback that is known already is accepted again: the sender may stop repeating it."""

    authentication_classes: Sequence[Any] = []
    permission_classes: Sequence[Any] = []
    throttle_classes = [CallbackThrottle]
    parser_classes = [AnyParser]
    reads_query = ("POST",)  # not looked at, and not refused: an institution may add to the address what it likes

    @documented(
        operation_id="receive_callback",
        tag="callbacks",
        summary="Receive an institution's callback (Standard Webhooks)",
        parameters=[_header(name) for name in _HEADERS],
        request={"application/json": OpenApiTypes.OBJECT},
        answers={202: AcceptedSerializer},
        refusals=[401, 404, 413],
        public=True,
    )
    def post(self, request: Request, institution: str) -> Response:
        known = settings.BRIDGE_GATEWAYS.get(institution)
        if known is None:
            raise NotFound(what="institution")
        received: Any = request.data  # empty, and then of another type, where there was no body
        body = received if isinstance(received, bytes) else b""
        headers = {name: request.headers.get(name, "") for name in _HEADERS}
        verify(body, headers, secrets=secrets_of(known))
        content = loads(body)
        if not isinstance(content, dict):
            raise CallbackMalformed
        crashpoints.reach(crashpoints.Point.CALLBACK_RECEIVED)
        receiving.receive_callback(institution=institution, callback_id=headers["webhook-id"], body=content)
        return Response({"object": "callback", "accepted": True}, status=202)


def secrets_of(institution: Mapping[str, Any]) -> list[str]:
    """The secrets that may sign: several while one replaces another."""
    if several := institution.get("callback_secrets"):
        return list(several)
    return [institution.get("webhook_secret") or institution["secret"]]


def verify(body: bytes, headers: Mapping[str, str], *, secrets: Sequence[str]) -> None:
    """Raises `CallbackMalformed` where a header is missing or no id, `SignatureInvalid` where no secret fits."""
    if not all(headers.values()) or not _ID.fullmatch(headers["webhook-id"]):
        raise CallbackMalformed
    canonical = " ".join(filter(_is_canonical, headers["webhook-signature"].split(" ")))
    for secret in secrets:
        try:
            Webhook(secret).verify(body, {**headers, "webhook-signature": canonical}, json_parse=False)
        except (WebhookVerificationError, EmptyWebhookSecretError, ValueError, TypeError, ArithmeticError):
            continue  # the library lets several kinds of error through for hostile input
        return
    raise SignatureInvalid


def _is_canonical(signature: str) -> bool:
    """Whether it is spelt the one way its bytes are: base64 has spare bits that decoders pass over (RFC 4648, 3.5)."""
    encoded = signature.partition(",")[2]
    try:
        return b64encode(b64decode(encoded, validate=True)).decode() == encoded
    except ValueError:
        return False
