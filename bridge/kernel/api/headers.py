"""Headers that make a change safe: Idempotency-Key, If-Match and ETag."""

from __future__ import annotations

import re
from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from bridge.kernel import idempotency
from bridge.kernel.api.roles import principal_of
from bridge.kernel.errors import BridgeError

REPLAYED = "Idempotent-Replayed"
_TAG = re.compile(r'"([1-9][0-9]{0,9})"')


class IfMatchMalformed(BridgeError):
    code = "if_match_malformed"
    title = "If-Match malformed"
    message = 'If-Match takes the ETag of the version that you read, such as "3", or *.'


def idempotency_key(request: Request, body: Any) -> idempotency.Key:
    """The key of this request, bound to login, method, path and body.

    Raises `IdempotencyKeyMissing` or `IdempotencyKeyMalformed`.
    """
    return idempotency.Key.of(
        principal=principal_of(request),
        method=str(request.method),
        route=request.path,
        key=request.headers.get("Idempotency-Key"),
        body=body,
    )


def expected_version(request: Request) -> int | None:
    """The version that `If-Match` demands; `None` without the header or for `*`. Raises `IfMatchMalformed`."""
    given = request.headers.get("If-Match")
    if given is None or given.strip() == "*":
        return None
    match = _TAG.fullmatch(given.strip())
    if match is None:
        raise IfMatchMalformed
    return int(match[1])


def etag(version: int) -> str:
    return f'"{version}"'


def reply(answer: idempotency.Answer) -> Response:
    """An answer as kept with its key, marked when it is a replay."""
    headers = dict(answer.headers)
    if answer.replayed:
        headers[REPLAYED] = "true"
    return Response(answer.body, status=answer.status, headers=headers)
