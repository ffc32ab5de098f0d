"""Problem documents (RFC 9457): every error of the API is one, with a stable `code` and the request's id.

`errors` names the fields at fault: `{"amount": [{"code": "…", "message": "…"}]}`; it is empty where none is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.core.exceptions import DisallowedHost, RequestDataTooBig, SuspiciousOperation
from django.core.exceptions import PermissionDenied as DjangoPermissionDenied
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.template import loader
from django.views import defaults
from rest_framework import exceptions

from bridge.kernel.errors import BridgeError, NotFound, RequestInFlight
from bridge.kernel.transactions import undone

CONTENT_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:bridge:problem:"
Errors = dict[str, list[dict[str, str]]]

# What Django REST Framework raises, in our words: class → (code, title).
_FRAMEWORK: tuple[tuple[type[exceptions.APIException], str, str], ...] = (
    (exceptions.ValidationError, "invalid", "The request has errors"),
    (exceptions.ParseError, "malformed_body", "The body cannot be read"),
    (exceptions.AuthenticationFailed, "invalid_token", "Not signed in"),
    (exceptions.NotAuthenticated, "not_authenticated", "Not signed in"),
    (exceptions.PermissionDenied, "not_allowed", "Not allowed"),
    (exceptions.NotFound, "not_found", "Not found"),
    (exceptions.MethodNotAllowed, "method_not_allowed", "Method not allowed"),
    (exceptions.NotAcceptable, "not_acceptable", "Not acceptable"),
    (exceptions.UnsupportedMediaType, "unsupported_media_type", "Unsupported media type"),
    (exceptions.Throttled, "rate_limited", "Too many requests"),
)


class InvalidFields(BridgeError):
    """Fields that are wrong by themselves: the request must change."""

    code = "invalid"
    title = "The request has errors"
    message = "Some fields are not right; `errors` names them."


class TooLarge(BridgeError):
    code = "too_large"
    status = 413
    title = "The request is too large"
    message = "The body may have at most {most} bytes."


class DatabaseUnavailable(BridgeError):
    code = "database_unavailable"
    status = 503
    title = "The database does not answer"
    message = "It is not known whether the request was carried out. Send it again with the same Idempotency-Key."


class Busy(BridgeError):
    code = "busy"
    status = 503
    title = "Too many changes at once"
    message = "Others are changing the same rows. Nothing was changed; send it again with the same Idempotency-Key."


def document(
    *, request: HttpRequest, status: int, code: str, title: str, detail: str, errors: Errors | None = None
) -> dict[str, Any]:
    return {
        "type": TYPE_PREFIX + code,
        "title": title,
        "status": status,
        "detail": detail,
        "code": code,
        "request_id": getattr(request, "request_id", ""),
        "errors": errors or {},
    }


def describe(error: BridgeError, *, request: HttpRequest) -> dict[str, Any]:
    """The document of one of our errors."""
    return document(
        request=request,
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        errors=error.data.get("errors"),
    )


def respond(
    *,
    request: HttpRequest,
    status: int,
    code: str,
    title: str,
    detail: str,
    errors: Errors | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    body = document(request=request, status=status, code=code, title=title, detail=detail, errors=errors)
    return HttpResponse(json.dumps(body), status=status, content_type=CONTENT_TYPE, headers=dict(headers or {}))


def respond_to(error: BridgeError, *, request: HttpRequest, headers: Mapping[str, str] | None = None) -> HttpResponse:
    return respond(
        request=request,
        status=error.status,
        code=error.code,
        title=error.title,
        detail=error.detail,
        errors=error.data.get("errors"),
        headers=headers,
    )


def problem_handler(exc: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """The exception handler of Django REST Framework. `None`, and so a logged 500, for what nobody foresaw."""
    request: HttpRequest = context["request"]._request
    if isinstance(exc, Http404):
        exc = NotFound(what="thing")
    if isinstance(exc, DjangoPermissionDenied):
        exc = exceptions.PermissionDenied()
    if undone(exc):
        exc = Busy()
    elif isinstance(exc, OperationalError | InterfaceError):
        exc = DatabaseUnavailable()
    if isinstance(exc, BridgeError):
        passing = exc.status == 503 or isinstance(exc, RequestInFlight)
        return respond_to(exc, request=request, headers={"Retry-After": "1"} if passing else None)
    if not isinstance(exc, exceptions.APIException):
        return None
    code, title = next(((c, t) for kind, c, t in _FRAMEWORK if isinstance(exc, kind)), ("error", "Refused"))
    errors = field_errors(exc.detail) if isinstance(exc, exceptions.ValidationError) else {}
    return respond(
        request=request,
        status=exc.status_code,
        code=code,
        title=title,
        detail=InvalidFields.message if errors else _detail(exc, request),
        errors=errors,
        headers=_headers(exc),
    )


def _detail(exc: exceptions.APIException, request: HttpRequest) -> str:
    if isinstance(exc, exceptions.UnsupportedMediaType):
        said = str(exc.detail) if request.META.get("CONTENT_TYPE") else "The Content-Type is missing."
        return f"{said} Send application/json."
    return str(exc.detail)


def _headers(exc: exceptions.APIException) -> dict[str, str]:
    headers = {}
    if challenge := getattr(exc, "auth_header", None):
        headers["WWW-Authenticate"] = str(challenge)
    if (wait := getattr(exc, "wait", None)) is not None:
        headers["Retry-After"] = str(int(wait) or 1)
    return headers


def field_errors(detail: Any, path: str = "") -> Errors:
    """A framework's nested details as one flat mapping: `metadata.colour` → its errors."""
    if isinstance(detail, Mapping):
        found: Errors = {}
        for name, inner in detail.items():
            if isinstance(name, int):  # a place in a list: the list is at fault
                found |= field_errors(inner, path)
                continue
            own = "body" if name == "non_field_errors" and not path else str(name)
            found |= field_errors(inner, f"{path}.{own}" if path else own)
        return found
    items = detail if isinstance(detail, list) else [detail]
    return {path or "body": [{"code": getattr(item, "code", "invalid"), "message": str(item)} for item in items]}


def speaks_json(request: HttpRequest) -> bool:
    """Programs get problem documents, people in a browser get pages."""
    return request.path_info.startswith("/api/") or not request.accepts("text/html")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    if isinstance(exception, RequestDataTooBig):
        return respond_to(TooLarge("The request is too large."), request=request)
    if isinstance(exception, DisallowedHost):
        return _unknown_host(request)
    if speaks_json(request):
        detail = "The request cannot be read." if isinstance(exception, SuspiciousOperation) else str(exception)
        return respond(request=request, status=400, code="malformed_request", title="Malformed request", detail=detail)
    return defaults.bad_request(request, exception)


def _unknown_host(request: HttpRequest) -> HttpResponse:
    detail = "Bridge does not answer under this host name. Its log says which setting names those it has."
    if speaks_json(request):
        return respond(request=request, status=400, code="malformed_request", title="Malformed request", detail=detail)
    return HttpResponse(detail, status=400, content_type="text/plain; charset=utf-8")


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    if speaks_json(request):
        return respond(
            request=request, status=403, code="not_allowed", title="Not allowed", detail="You may not do this."
        )
    return defaults.permission_denied(request, exception)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """`CSRF_FAILURE_VIEW`: a form whose page is too old, or belongs to another sign-in."""
    if speaks_json(request):
        detail = "The form's token is missing or of another sign-in. Open the page again and send the form anew."
        return respond(request=request, status=403, code="csrf_failed", title="Not allowed", detail=detail)
    return HttpResponse(loader.render_to_string("403_csrf.html", request=request), status=403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if speaks_json(request):
        detail = "There is nothing at this address. /api/docs/ lists what there is."
        return respond(request=request, status=404, code="no_such_route", title="Not found", detail=detail)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if speaks_json(request):
        return respond(
            request=request,
            status=500,
            code="internal_error",
            title="Internal error",
            detail="Something went wrong on our side. Give the request_id when you ask for help.",
        )
    return defaults.server_error(request)


def locked_out(
    request: HttpRequest, response: HttpResponse | None = None, credentials: Mapping[str, Any] | None = None
) -> HttpResponse:
    """What django-axes answers to an address with too many failed sign-ins."""
    detail = "Too many failed sign-ins. Wait a quarter of an hour, or ask an administrator."
    if speaks_json(request):
        return respond(
            request=request,
            status=429,
            code="locked_out",
            title="Locked out",
            detail=detail,
            headers={"Retry-After": "900"},
        )
    return HttpResponse(detail, status=429, content_type="text/plain; charset=utf-8")
