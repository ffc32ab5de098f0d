"""Bearer tokens: knox keeps a SHA-512 of each; one query finds token, login and roles."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib.auth.models import User
from django.contrib.postgres.aggregates import ArrayAgg
from django.db import DEFAULT_DB_ALIAS
from django.db.models import CharField, Q, QuerySet
from django.db.models.functions import Now
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from knox.models import AuthToken
from rest_framework.exceptions import AuthenticationFailed

from bridge.kernel import compiled
from bridge.kernel.api.roles import keep_roles

MAX_TOKEN = 256
_TOKEN = ("digest", "token_key", "user_id", "created", "expiry")  # both in the order of the model
_LOGIN = ("id", "is_superuser", "username", "is_staff", "is_active")


def _living() -> QuerySet[Any, Any]:
    roles = ArrayAgg("user__groups__name", filter=Q(user__groups__isnull=False), default=[])
    return (
        AuthToken.objects.filter(
            Q(expiry__isnull=True) | Q(expiry__gt=Now()), digest=compiled.Given("digest", "text", CharField())
        )
        .annotate(role_names=roles)
        .values_list(*_TOKEN, *(f"user__{name}" for name in _LOGIN), "role_names")
    )


_find = compiled.Tuples(_living)


class BearerAuthentication(TokenAuthentication):
    """`Authorization: Bearer <token>`. A token dies at its expiry, by the database's real time, and when deleted.

    knox itself would look up by the token's first characters and tidy up expired ones in every request; looking up
    by the whole hash is one query and tells an attacker nothing by its timing.
    """

    def authenticate_credentials(self, token: bytes) -> tuple[Any, AuthToken]:
        """Raises `AuthenticationFailed`: unknown, expired, malformed, or of a login that is switched off."""
        if not token.isascii() or len(token) > MAX_TOKEN:
            raise AuthenticationFailed("The token is not valid.")
        found = _find(digest=hash_token(token.decode()))
        if not found:
            raise AuthenticationFailed("The token is not valid, or it has expired. Sign in again.")
        user, kept = _made(found[0])
        if not user.is_active:
            raise AuthenticationFailed("This login is switched off.")
        return user, kept


def _made(row: Sequence[Any]) -> tuple[User, AuthToken]:
    """The login, its roles kept with it, and its token. What else a login has is read when it is asked for."""
    end = len(_TOKEN)
    user = User.from_db(DEFAULT_DB_ALIAS, _LOGIN, row[end:-1])
    kept = AuthToken.from_db(DEFAULT_DB_ALIAS, _TOKEN, row[:end])
    kept.user = user
    keep_roles(user, row[-1])
    return user, kept
