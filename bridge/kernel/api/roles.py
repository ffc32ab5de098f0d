"""Who may do what: each view lists the roles per method, and what is not listed is denied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from bridge.kernel.results import Actor, Channel, Role, only

if TYPE_CHECKING:  # the views import the default permission, which is here
    from rest_framework.views import APIView

_LOGIN_ROLES = {role.value: role for role in Role if role not in (Role.SYSTEM, Role.INSTITUTION)}
READERS = (Role.SERVICE, Role.MAKER, Role.CHECKER, Role.COMPLIANCE, Role.AUDITOR)  # see everything
EVERYBODY = (Role.INVESTOR, *READERS)


def keep_roles(user: Any, names: Iterable[str]) -> frozenset[Role]:
    """Remember the roles of a login that was read together with its groups."""
    user._bridge_roles = frozenset(_LOGIN_ROLES[name] for name in names if name in _LOGIN_ROLES)
    return user._bridge_roles


def roles_of(user: Any) -> frozenset[Role]:
    """The roles that a login's groups give. A superuser without a group has none."""
    kept = getattr(user, "_bridge_roles", None)
    if kept is not None:
        return kept
    return keep_roles(user, user.groups.values_list("name", flat=True)) if user.is_authenticated else frozenset()


def sees_everything(user: Any) -> bool:
    return not roles_of(user).isdisjoint(READERS)


def has_method(view: APIView, method: str) -> bool:
    return method.lower() in view.http_method_names and getattr(view, method.lower(), None) is not None


class MethodPermission(BasePermission):
    """A method that the view does not have passes, so that it is answered with 405."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        method = str(request.method)
        if not has_method(view, method):
            return True
        return self.allows(request, view, "GET" if method == "HEAD" else method)

    def allows(self, request: Request, view: APIView, method: str) -> bool:
        raise NotImplementedError


class RolePermission(MethodPermission):
    """Allows the roles in `view.allowed[method]`. A login acts in the first of them that it has."""

    def allows(self, request: Request, view: APIView, method: str) -> bool:
        mine = roles_of(request.user)
        role = next((role for role in getattr(view, "allowed", {}).get(method, ()) if role in mine), None)
        if role is None:
            self.message = only(getattr(view, "allowed", {}).get(method, ()))
            return False
        request.actor = Actor(  # type: ignore[attr-defined]
            id=str(request.user.pk), role=role, channel=Channel.API, label=request.user.get_username()
        )
        return True


class SignedIn(MethodPermission):
    """Any login, whatever its role."""

    def allows(self, request: Request, view: APIView, method: str) -> bool:
        return bool(request.user.is_authenticated)


def actor_of(request: Request) -> Actor:
    """Who acts, in the role that the view allowed."""
    return request.actor  # type: ignore[attr-defined]


def actor_in(request: Request, roles: Iterable[Role]) -> Actor:
    """Who acts, in one of these roles where the login has one: for views that learn only later what is needed."""
    mine = sorted(roles_of(request.user).intersection(roles))
    return replace(actor_of(request), role=mine[0]) if mine else actor_of(request)


def principal_of(request: Request) -> str:
    """The scope of idempotency keys and limits: the login."""
    return f"user:{request.user.pk}"
