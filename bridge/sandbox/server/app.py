"""From a request to a response: sign-in, routing, problem documents. No sockets here."""

from __future__ import annotations

import hmac
import json
import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from bridge.sandbox.model import Behaviour, Delivery
from bridge.sandbox.server.desk import Desk
from bridge.sandbox.server.reading import Refused, malformed
from bridge.sandbox.wire import CONTROL, REPLAYED, SIGNATURE, TIMESTAMP, TOLERANCE_SECONDS, Credentials, signature

log = logging.getLogger("bridge.sandbox")
PROBLEM = "application/problem+json"
CREATED = 201
REASONS = {
    400: "Malformed request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    422: "Refused",
    500: "Internal error",
}


@dataclass(frozen=True, slots=True)
class Request:
    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes
    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Response:
    """`silent` means: hold the connection for `seconds`, then close it without a word."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    copies: int = 1
    silent: bool = False


Handler = Callable[[Desk, Request], Response]


@dataclass(frozen=True, slots=True)
class Route:
    """`principal`: whose credentials it takes; `{institution}` means the one in the path, empty means nobody's."""

    method: str
    template: str
    handler: Handler
    principal: str = CONTROL


def as_json(value: Any, status: int = 200, **more: Any) -> Response:
    return Response(status=status, body=json.dumps(value, separators=(",", ":")).encode(), **more)


def problem(status: int, code: str, reason: str, members: Mapping[str, Any] | None = None, **more: Any) -> Response:
    """A problem document (RFC 9457) with `members` of its own; `more` goes to the response."""
    document = {
        "type": "about:blank",
        "title": REASONS.get(status, "Error"),
        "status": status,
        "code": code,
        "detail": reason,
        "reason": reason,
        **(members or {}),
    }
    return as_json(document, status, content_type=PROBLEM, **more)


def delivered(desk: Desk, delivery: Delivery, *, status: int = 200) -> Response:
    """What the model says, as a response; a rejected instruction is a 422 that holds the instruction."""
    if delivery.behaviour is Behaviour.SILENCE:
        return Response(silent=True, seconds=desk.call(lambda bank, _: bank.books.settings.timeout_seconds))
    if delivery.behaviour is Behaviour.ERROR:
        return problem(500, "injected_error", "The bank failed, as it was told to.")
    if delivery.problem is not None:
        return problem(delivery.problem.status, delivery.problem.code, delivery.problem.reason)
    body = delivery.body or {}
    more: dict[str, Any] = {"seconds": delivery.seconds, "copies": delivery.copies}
    if delivery.replayed:
        more["headers"] = {REPLAYED: "true"}
    if status == CREATED and body.get("status") == "rejected":
        return problem(422, body["code"], body["reason"], {"instruction": body}, **more)
    return as_json(body, status, **more)


class App:
    """`handle` never raises: what a caller did wrong is a 4xx, and a bug is a logged 500."""

    def __init__(self, desk: Desk, routes: list[Route], credentials: Callable[[str], Credentials]) -> None:
        self._desk = desk
        self._credentials = credentials
        self._routes = [(re.compile(_pattern(route.template)), route) for route in routes]

    def handle(self, request: Request) -> Response:
        try:
            return self._route(request)
        except Refused as refused:
            return problem(refused.status, refused.code, refused.reason)
        except Exception:
            log.exception("a bug in the sandbox bank at %s", request.method)
            return problem(500, "internal_error", "The sandbox bank has a bug; its log tells more.")

    def _route(self, request: Request) -> Response:
        try:
            parts = urlsplit(request.target)
            path = parts.path
            query = dict(parse_qsl(parts.query, keep_blank_values=True, errors="strict", max_num_fields=20))
        except ValueError as error:
            raise malformed("The address cannot be read.") from error
        allowed = []
        for pattern, route in self._routes:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            if route.method == request.method:
                return self._serve(route, request, _unquoted(match), query)
            allowed.append(route.method)
        if allowed:
            raise Refused(405, "method_not_allowed", f"This address takes {', '.join(sorted(set(allowed)))}.")
        raise Refused(404, "no_such_route", "There is nothing at this address. /docs lists what there is.")

    def _serve(self, route: Route, request: Request, path: dict[str, str], query: dict[str, str]) -> Response:
        full = Request(request.method, request.target, request.headers, request.body, path, query)
        if route.principal:
            self._check_signature(full, route.principal.format(**path))
        return route.handler(self._desk, full)

    def _check_signature(self, request: Request, principal: str) -> None:
        """Who is it, and did they sign exactly this, within five minutes of real time?"""
        allowed = {principal, CONTROL} if principal == "settlement" else {principal}
        given = request.headers.get("authorization", "")
        stamp = request.headers.get(TIMESTAMP.lower(), "")
        if not stamp.isascii() or not stamp.isdigit() or len(stamp) > 12:
            raise _unauthorized(f"{TIMESTAMP} must be the time in seconds since 1970.")
        if abs(datetime.now(UTC).timestamp() - int(stamp)) > TOLERANCE_SECONDS:
            raise _unauthorized(f"{TIMESTAMP} is more than five minutes off.")
        for name in allowed:
            known = self._credentials(name)
            if hmac.compare_digest(given.encode(), f"Bearer {known.api_key}".encode()):
                right = signature(known.secret, stamp, request.method, request.target, request.body)
                if hmac.compare_digest(request.headers.get(SIGNATURE.lower(), "").encode(), right.encode()):
                    return
                raise _unauthorized(f"{SIGNATURE} does not fit this request.")
        raise _unauthorized("The API key is missing or not valid here.")


def _unquoted(match: re.Match[str]) -> dict[str, str]:
    """The parts of a path, decoded one by one, so that an encoded slash stays inside its part."""
    try:
        return {name: unquote(text, errors="strict") for name, text in match.groupdict().items()}
    except UnicodeDecodeError as error:
        raise malformed("The address cannot be read.") from error


def _unauthorized(reason: str) -> Refused:
    return Refused(401, "unauthorized", reason)


def _pattern(template: str) -> str:
    return re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", template)
