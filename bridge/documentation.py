"""The API's own description: the OpenAPI document and a page that shows it."""

from __future__ import annotations

from threading import Lock
from typing import Any, ClassVar

from django.http import Http404
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.exceptions import NotAcceptable
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response

from bridge.kernel.api.views import BridgeView


class KnownFormats(DefaultContentNegotiation):
    def filter_renderers(self, renderers: Any, format: str) -> Any:
        """Raises `NotAcceptable`, naming the formats that there are."""
        try:
            return super().filter_renderers(renderers, format)
        except Http404 as error:
            known = sorted({renderer.format for renderer in renderers})
            raise NotAcceptable(f"There is no such format. There are: {', '.join(known)}.") from error


class SchemaView(SpectacularAPIView):
    """YAML, or JSON with `?format=json`. Made once per process, one at a time: concurrent first readers collided."""

    http_method_names = BridgeView.http_method_names
    content_negotiation_class = KnownFormats
    _made: ClassVar[dict[str, Any] | None] = None
    _lock: ClassVar[Lock] = Lock()

    def _get_schema_response(self, request: Request) -> Response:
        with SchemaView._lock:
            if SchemaView._made is None:
                SchemaView._made = self.generator_class().get_schema(request=None, public=True)
        return Response(SchemaView._made, headers={"Content-Disposition": 'inline; filename="bridge-api"'})

    @extend_schema(exclude=True)
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        return super().get(request, *args, **kwargs)


class DocsView(SpectacularSwaggerSplitView):
    """Swagger UI from our own files: no script or style stands in the page, so the strict policy holds."""

    http_method_names = BridgeView.http_method_names
