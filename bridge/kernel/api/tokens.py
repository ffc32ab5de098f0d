"""Signing in: a login and its password, and the code of a second factor, for a token that expires."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import authenticate
from drf_spectacular.utils import OpenApiExample
from knox.models import AuthToken
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from bridge.kernel import second_factors
from bridge.kernel.api.fields import StrictSerializer, TextField, read_body
from bridge.kernel.api.roles import SignedIn
from bridge.kernel.api.schema import documented
from bridge.kernel.api.throttling import SignInThrottle
from bridge.kernel.api.views import BridgeView
from bridge.kernel.errors import BridgeError


class SignInFailed(BridgeError):
    """One answer for an unknown login, a wrong password and a login that is switched off."""

    code = "sign_in_failed"
    status = 401
    title = "Sign-in failed"
    message = "Login and password do not fit together."


class SignInSerializer(StrictSerializer):
    username = TextField(max_length=150)
    password = TextField(max_length=200, trim_whitespace=False, write_only=True)
    otp = TextField(
        max_length=16,
        required=False,
        default="",
        allow_blank=True,
        write_only=True,
        help_text="The code of the login's second factor, where it has one.",
    )


class TokenSerializer(serializers.Serializer):
    token = serializers.CharField(help_text="Shown once. Send it as `Authorization: Bearer …`.")
    expires_at = serializers.DateTimeField()


class TokensView(BridgeView):
    """Too many failures lock the address out for a while, whatever login it names (429 `locked_out`)."""

    authentication_classes: Any = []
    permission_classes: Any = []
    throttle_classes = [SignInThrottle]

    @documented(
        operation_id="sign_in",
        tag="tokens",
        summary="Sign in",
        description="Whoever has a second factor gives its code as `otp`: 401 `otp_missing`, `otp_wrong`.",
        request=SignInSerializer,
        answers={201: TokenSerializer},
        refusals=[401],
        public=True,
        writes=True,
        examples=[OpenApiExample("login", {"username": "ada", "password": "correct horse"}, request_only=True)],
    )
    def post(self, request: Request) -> Response:
        given = read_body(SignInSerializer, request)
        user = authenticate(request=request._request, username=given["username"], password=given["password"])
        if user is None:
            raise SignInFailed
        second_factors.check(user=user, code=given["otp"], request=request._request)
        found, token = AuthToken.objects.create(user)
        expires_at = serializers.DateTimeField().to_representation(found.expiry)
        return Response({"token": token, "expires_at": expires_at}, status=201)


class CurrentTokenView(BridgeView):
    permission_classes = [SignedIn]

    @documented(
        operation_id="sign_out",
        tag="tokens",
        summary="Sign out: this token ends now",
        request=None,
        answers={204: None},
    )
    def delete(self, request: Request) -> Response:
        AuthToken.objects.filter(pk=request.auth.pk).delete()
        return Response(status=204)
