"""How routes describe themselves in the OpenAPI document: problems, headers, examples."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers

from bridge.kernel.problem import CONTENT_TYPE, TYPE_PREFIX

_NOBODY: Any = []  # no sign-in; the annotation of the library does not know it
F = TypeVar("F", bound=Callable[..., Any])


class FieldErrorSerializer(serializers.Serializer):
    code = serializers.CharField()
    message = serializers.CharField()


class ProblemSerializer(serializers.Serializer):
    """An error, after RFC 9457."""

    type = serializers.CharField(help_text="A URN that names the kind of problem.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="For people: what to do.")
    code = serializers.CharField(help_text="For programs: stable.")
    request_id = serializers.CharField()
    errors = serializers.DictField(  # type: ignore[assignment]  # a declared field, no attribute of ours
        child=FieldErrorSerializer(many=True), help_text="Per field at fault; empty where none is."
    )


_PROBLEMS = {
    400: ("invalid", "The request has errors", "Some fields are not right; `errors` names them."),
    401: ("not_authenticated", "Not signed in", "Authentication credentials were not provided."),
    403: ("not_allowed", "Not allowed", "Only a checker or compliance may do this."),
    404: ("not_found", "Not found", "There is no such transfer, or it is not yours to see."),
    406: ("not_acceptable", "Not acceptable", "Could not satisfy the request Accept header."),
    409: ("wrong_state", "Not possible in this state", "A transfer that is completed cannot be cancelled."),
    412: ("stale_version", "Changed in the meantime", "You saw version 2, it is now 3. Read it again."),
    413: ("too_large", "The request is too large", "The body may have at most 65536 bytes."),
    415: ("unsupported_media_type", "Unsupported media type", "Send application/json."),
    422: ("idempotency_key_reused", "Idempotency-Key already used", "This key was used with another body."),
    429: ("rate_limited", "Too many requests", "Request was throttled. Expected available in 12 seconds."),
    503: ("database_unavailable", "The database does not answer", "Send it again with the same Idempotency-Key."),
}

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="Yours, new for each request; send the same one again when you do not know what became of it.",
    examples=[OpenApiExample("key", "order-2026-118")],
)
IF_MATCH = OpenApiParameter(
    "If-Match",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="The ETag of the version that you saw. With another version nothing happens (412).",
    examples=[OpenApiExample("version 3", '"3"')],
)


def _answered(name: str, about: str, statuses: Sequence[int] | bool = True) -> OpenApiParameter:
    return OpenApiParameter(
        name,
        OpenApiTypes.STR,
        OpenApiParameter.HEADER,
        description=about,
        response=statuses if isinstance(statuses, bool) else list(statuses),
    )


ETAG = _answered("ETag", "The object's version, for If-Match.", [200, 201])
REPLAYED = _answered("Idempotent-Replayed", "`true` when this is the stored answer.", [200, 201])
EVERYWHERE = (
    _answered("X-Request-ID", "Yours, or one that we made."),
    _answered("RateLimit", "What is left of the limit, and for how many seconds."),
    _answered("RateLimit-Policy", "The limit and its window in seconds."),
)


def problems(statuses: Iterable[int]) -> dict[tuple[int, str], OpenApiResponse]:
    answers = {}
    for status in sorted(set(statuses)):
        code, title, detail = _PROBLEMS[status]
        example = {
            "type": TYPE_PREFIX + code,
            "title": title,
            "status": status,
            "detail": detail,
            "code": code,
            "request_id": "4b0c5e1fd7c94c1f8f0b3d7d8f0c8a51",
            "errors": {},
        }
        answers[status, CONTENT_TYPE] = OpenApiResponse(
            ProblemSerializer, title, examples=[OpenApiExample(code, example, media_type=CONTENT_TYPE)]
        )
    return answers


def documented(
    *,
    operation_id: str,
    tag: str,
    summary: str,
    answers: dict[int, Any],
    description: str = "",
    refusals: Iterable[int] = (),
    parameters: Sequence[Any] = (),
    idempotent: bool = False,
    versioned: bool = False,
    public: bool = False,
    writes: bool = False,
    **more: Any,
) -> Callable[[F], F]:
    """`extend_schema` with what all routes share. `refusals`: statuses beyond the usual ones."""
    expected = {400, 406, 429, 503, *refusals}
    given = [*parameters, *EVERYWHERE]
    if not public:
        expected |= {401, 403}
    if writes:
        expected |= {413, 415}
    if idempotent:
        expected |= {409, 422}
        given += [IDEMPOTENCY_KEY, REPLAYED]
    if versioned:
        expected |= {409, 412}
        given += [IF_MATCH, ETAG]
    return extend_schema(
        operation_id=operation_id,
        tags=[tag],
        summary=summary,
        description=description or f"{summary}.",
        parameters=given,
        responses={**answers, **problems(expected)},
        auth=_NOBODY if public else None,
        **more,
    )


def page_of(serializer: type[serializers.Serializer], name: str) -> type[serializers.Serializer]:
    """The schema of a page of these."""
    return type(
        f"{name}PageSerializer",
        (serializers.Serializer,),
        {
            "next": serializers.URLField(allow_null=True),
            "previous": serializers.URLField(allow_null=True),
            "results": serializer(many=True),
        },
    )


class BearerScheme(OpenApiAuthenticationExtension):
    target_class = "bridge.kernel.api.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A token from `POST /api/v1/tokens`."}
