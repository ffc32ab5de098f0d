"""The console's site: Bridge's name on Unfold's theme, a dashboard first, and a jump to any id, name or reference."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from functools import wraps
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from unfold.dataclasses import SearchResult
from unfold.sites import UnfoldAdminSite

from bridge.console import finding
from bridge.console.second_factor import own_second_factor
from bridge.console.signing_in import SignInForm
from bridge.kernel import ids, second_factors

LONGEST = 200
MOST_OF_A_KIND = 5
UNDONE = "undone"  # in the address of the sign-in: it interrupted a step
SIGNED_OUT = "You were signed out before your last step: nothing was done. Do it again."


class BridgeAdminSite(UnfoldAdminSite):
    site_title = "Bridge"
    site_header = "Bridge"
    index_title = "What needs me now?"
    index_template = "console/dashboard.html"
    enable_nav_sidebar = True
    login_form = SignInForm

    def has_permission(self, request: HttpRequest) -> bool:
        """A session that began before its login had a second factor signs in once more."""
        return bool(super().has_permission(request)) and second_factors.given(request)

    def admin_view(self, view: Callable[..., Any], cacheable: bool = False) -> Callable[..., Any]:
        """A form that is sent after the session ended is lost: the sign-in that follows says so."""
        inner = super().admin_view(view, cacheable)

        @wraps(inner)
        def told(request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
            out = reverse("admin:logout", current_app=self.name)
            if request.method != "POST" or request.path == out or self.has_permission(request):
                return inner(request, *args, **kwargs)
            query = urlencode({REDIRECT_FIELD_NAME: request.get_full_path(), UNDONE: 1})
            return HttpResponseRedirect(f"{reverse('admin:login', current_app=self.name)}?{query}")

        return told

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Before and after a sign-in that interrupted a step, people are told that it was not done."""
        answer: HttpResponse = super().login(request, extra_context)
        asked, entered = request.method == "GET", isinstance(answer, HttpResponseRedirect)
        if UNDONE in request.GET and asked != entered:  # who is signed in already is told nothing
            messages.warning(request, SIGNED_OUT)
        return answer

    def get_urls(self) -> list[Any]:
        return [path("second-factor/", self.admin_view(self.second_factor), name="second_factor"), *super().get_urls()]

    def second_factor(self, request: HttpRequest) -> HttpResponse:
        return own_second_factor(request, context=self.each_context(request))

    def extra_context(self, context: dict[str, Any], request: HttpRequest) -> dict[str, Any]:
        # The theme would write its colours into every page as an inline style, which the content security policy
        # refuses; they are in bridge/console.css instead.
        return {**context, "colors": None}


def jump(request: HttpRequest, term: str) -> list[SearchResult]:
    """The pages of what somebody pasted or typed into the search: an id or a part of one, and what apps find by it.

    The theme gives the text in small letters; external ids and banks' references are as they were written.
    """
    text = request.GET.get("s", term).replace("\x00", "").strip()[:LONGEST]
    found = finding.typeid(text)
    if found is not None:
        kind, value = found
        seen = kind in finding.PAGES and _may_see(request, kind)
        return [_result(text, f"Open this {kind}", kind, value)] if seen else []
    results = []
    part = finding.part(text)
    if part is not None:
        kinds = [part.kind] if part.kind else finding.KINDS_BY_ENDING
        for kind in kinds:
            if kind in finding.PAGES and _may_see(request, kind):
                keys = finding.meant(kind, part)[:MOST_OF_A_KIND]
                results += [_result(ids.encode(kind, pk), f"Open this {kind}", kind, pk) for pk in keys]
    rows = finding.everything(text, request.user.has_perm) if text else []
    return results + [_result(row.title, row.description, row.kind, row.pk) for row in rows]


def _may_see(request: HttpRequest, kind: str) -> bool:
    app, _, name = finding.PAGES[kind].partition("_")
    return bool(request.user.has_perm(f"{app}.view_{name}"))


def _result(title: str, description: str, kind: str, pk: uuid.UUID) -> SearchResult:
    link = reverse(f"admin:{finding.PAGES[kind]}_change", args=[pk])
    return SearchResult(title=title, description=description, link=link, icon="arrow_forward")
