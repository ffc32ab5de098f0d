"""The content security policy that one part of the site needs and the rest does not."""

from __future__ import annotations

from collections.abc import Callable

from csp.constants import SELF, UNSAFE_EVAL
from django.http import HttpRequest, HttpResponse


class AdminScriptPolicy:
    """The admin theme's scripts evaluate expressions in attributes: allow that below /admin/, nowhere else.

    Without it the sign-in button stays covered. Scripts still come from this site only, never from a page's text.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self._get_response(request)
        if request.path_info.startswith("/admin/") and not hasattr(response, "_csp_update"):
            response._csp_update = {"script-src": [SELF, UNSAFE_EVAL]}  # type: ignore[attr-defined]
        return response
