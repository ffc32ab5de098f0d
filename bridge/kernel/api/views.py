"""The base of every view: parse, one service call, render."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django.http import HttpRequest
from rest_framework.parsers import BaseParser
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from bridge.kernel import ids
from bridge.kernel.api.authentication import BearerAuthentication
from bridge.kernel.api.fields import StrictSerializer, read_query
from bridge.kernel.api.parsing import StrictJSONParser
from bridge.kernel.api.rendering import ByHeader, QuickJSONRenderer
from bridge.kernel.api.roles import RolePermission, has_method
from bridge.kernel.api.throttling import WindowThrottle, add_headers
from bridge.kernel.errors import MalformedId, NotFound
from bridge.kernel.results import Role

READS = ("GET", "HEAD")


class BridgeView(APIView):
    """`allowed`: the roles per method. A view that lists none is closed.

    `reads_query`: the methods that look at the query string; the others refuse whatever is in it.
    """

    allowed: ClassVar[Mapping[str, Sequence[Role]]] = {}
    reads_query: ClassVar[Sequence[str]] = ()
    http_method_names = ["get", "head", "post", "delete"]
    authentication_classes: Sequence[type[Any]] = [BearerAuthentication]
    permission_classes: Sequence[type[BasePermission]] = [RolePermission]
    throttle_classes: Sequence[type[BaseThrottle]] = [WindowThrottle]
    parser_classes: Sequence[type[BaseParser]] = [StrictJSONParser]
    renderer_classes = [QuickJSONRenderer]
    content_negotiation_class = ByHeader

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        method = str(request.method)
        if request.query_params and method not in self.reads_query and has_method(self, method):
            read_query(StrictSerializer, request)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        add_headers(response, getattr(_plain(request), "rate_limit", None))
        response.setdefault("Cache-Control", "no-store")
        return response


def _plain(request: Request | HttpRequest) -> HttpRequest:
    return request._request if isinstance(request, Request) else request


def path_id(kind: str, text: str) -> Any:
    """The uuid in a path. What is no id names nothing: `NotFound`, like an id that nobody has."""
    try:
        return ids.decode(kind, text)
    except MalformedId as error:
        raise NotFound(what=kind) from error
