"""What stands around every request: its id for all, sessions and pages' headers for people, a short way for programs.

A request below `/api/v1/` has no session, no cookie, no message and no template: it passes none of their middleware.
What it keeps of them is done here in one step, with the same headers: the allowed hosts, the length, the policies that
browsers apply, and the line in the log.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Callable
from typing import Any, cast

import structlog
from csp.utils import build_policy
from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django_prometheus import middleware as prometheus

HEADER = "X-Request-ID"
API = "/api/v1/"
_DECENT = re.compile(r"[A-Za-z0-9._:-]{1,100}")
_LEVELS = {4: logging.WARNING, 5: logging.ERROR}
_NAME = "bridge.requests"
GetResponse = Callable[[HttpRequest], HttpResponse]

log = structlog.get_logger(_NAME)


class RequestIdMiddleware:
    """Every request has an id: the caller's, when it is a decent one, else ours. Logs and answers carry it.

    Stands before the logging middleware, which reads the header that this one has checked or set.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.META.get("HTTP_X_REQUEST_ID", "")
        request_id = given if given and _DECENT.fullmatch(given) else uuid.uuid4().hex
        request.META["HTTP_X_REQUEST_ID"] = request_id
        request.request_id = request_id  # type: ignore[attr-defined]
        response = self._get_response(request)
        response.headers[HEADER] = request_id
        return response


class LanesMiddleware:
    """Pages go through `BRIDGE_PAGE_MIDDLEWARE`, in that order; requests to the API go by."""

    def __init__(self, get_response: GetResponse) -> None:
        self._get_response = self._pages = get_response
        self._view_hooks: list[Callable[..., Any]] = []
        for path in reversed(settings.BRIDGE_PAGE_MIDDLEWARE):
            made = import_string(path)(self._pages)
            if hook := getattr(made, "process_view", None):
                self._view_hooks.insert(0, hook)
            if any(hasattr(made, name) for name in ("process_template_response", "process_exception")):
                raise TypeError(f"{path} has a hook that nobody would call here.")
            self._pages = cast(GetResponse, convert_exception_to_response(made))
        self._headers = {"X-Frame-Options": settings.X_FRAME_OPTIONS}
        self._policy = build_policy()
        self._finished = logging.getLogger(_NAME)

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self._api(request) if request.path_info.startswith(API) else self._pages(request)

    def process_view(self, request: HttpRequest, view: Any, args: Any, kwargs: Any) -> HttpResponse | None:
        if request.path_info.startswith(API):
            return None
        answers = (hook(request, view, args, kwargs) for hook in self._view_hooks)
        return next((answer for answer in answers if answer is not None), None)

    def _api(self, request: HttpRequest) -> HttpResponse:
        request.get_host()  # raises DisallowedHost
        structlog.contextvars.bind_contextvars(request_id=request.request_id, ip=request.META.get("REMOTE_ADDR", ""))  # type: ignore[attr-defined]
        try:
            response = self._get_response(request)
            self._tell(request, response)
        finally:
            structlog.contextvars.clear_contextvars()
        headers = response.headers
        if "Content-Length" not in headers and not response.streaming:
            headers["Content-Length"] = str(len(response.content))
        headers.setdefault("X-Frame-Options", self._headers["X-Frame-Options"])
        headers.setdefault("Content-Security-Policy", self._policy)
        return response

    def _tell(self, request: HttpRequest, response: HttpResponse) -> None:
        """One line per request; a fault of ours has told its own (`request_failed`)."""
        if hasattr(request, "_raised_exception"):
            return
        level = _LEVELS.get(response.status_code // 100, logging.INFO)
        if self._finished.isEnabledFor(level):
            log.log(
                level,
                "request_finished",
                code=response.status_code,
                request=f"{request.method} {request.get_full_path()}",
                user_id=getattr(getattr(request, "user", None), "pk", None),
            )


class MetricsMiddleware(prometheus.PrometheusAfterMiddleware):
    """The usual metrics; each series is looked up once per process instead of at every request."""

    def __init__(self, get_response: GetResponse) -> None:
        super().__init__(get_response)
        self._series: dict[Any, Any] = {}

    def label_metric(self, metric: Any, request: HttpRequest, response: Any = None, **labels: Any) -> Any:
        if not labels:
            return metric
        key = (metric, *labels.values())
        found = self._series.get(key)
        if found is None:
            found = self._series[key] = super().label_metric(metric, request, response, **labels)
        return found
