"""Bearer tokens: knox keeps a SHA-512 of each; one query finds token, login and roles."""

from __future__ import annotations

from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Q
from django.db.models.functions import Now
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from knox.models import AuthToken
from rest_framework.exceptions import AuthenticationFailed

from bridge.kernel.api.roles import keep_roles

MAX_TOKEN = 256


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Bearer <token>`. A token dies at its expiry, by the database's real time, and when deleted.

    knox itself would look up by the token's first characters and tidy up expired ones in every request; looking up
    by the whole hash is one query and tells an attacker nothing by its timing.
    """

    def authenticate_credentials(self, token: bytes) -> tuple[Any, AuthToken]:
        """Raises `AuthenticationFailed`: unknown, expired, malformed, or of a login that is switched off."""
        if not token.isascii() or len(token) > MAX_TOKEN:
            raise AuthenticationFailed("The token is not valid.")
        found = (
            AuthToken.objects.select_related("user")
            .annotate(role_names=ArrayAgg("user__groups__name", filter=Q(user__groups__isnull=False), default=[]))
            .filter(Q(expiry__isnull=True) | Q(expiry__gt=Now()), digest=hash_token(token.decode()))
            .first()
        )
        if found is None:
            raise AuthenticationFailed("The token is not valid, or it has expired. Sign in again.")
        if not found.user.is_active:
            raise AuthenticationFailed("This login is switched off.")
        keep_roles(found.user, found.role_names)
        return found.user, found
