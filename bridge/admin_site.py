"""The console's site: Bridge's name on Unfold's theme, a dashboard first, and a jump to any id."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from unfold.dataclasses import SearchResult
from unfold.sites import UnfoldAdminSite

from bridge.console import finding
from bridge.console.second_factor import own_second_factor
from bridge.console.signing_in import SignInForm
from bridge.kernel import second_factors


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

    def get_urls(self) -> list[Any]:
        return [path("second-factor/", self.admin_view(self.second_factor), name="second_factor"), *super().get_urls()]

    def second_factor(self, request: HttpRequest) -> HttpResponse:
        return own_second_factor(request, context=self.each_context(request))

    def extra_context(self, context: dict[str, Any], request: HttpRequest) -> dict[str, Any]:
        # The theme would write its colours into every page as an inline style, which the content security policy
        # refuses; they are in bridge/console.css instead.
        return {**context, "colors": None}


def jump(request: HttpRequest, term: str) -> list[SearchResult]:
    """The page of a TypeID that somebody pasted into the search."""
    found = finding.typeid(term)
    if found is None or found[0] not in finding.PAGES:
        return []
    kind, value = found
    page = finding.PAGES[kind]
    app, _, name = page.partition("_")
    if not request.user.has_perm(f"{app}.view_{name}"):
        return []
    link = reverse(f"admin:{page}_change", args=[value])
    return [SearchResult(title=term, description=f"Open this {kind}", link=link, icon="arrow_forward")]
