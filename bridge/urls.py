"""Every address of Bridge. Programs use /api/v1/, people /admin/, machines that watch the probes."""

from __future__ import annotations

from django.contrib import admin
from django.urls import URLPattern, URLResolver, include, path
from django.views.decorators.http import require_safe
from django.views.generic import RedirectView

from bridge import probes
from bridge.documentation import DocsView, SchemaView
from bridge.kernel.api.tokens import CurrentTokenView, TokensView

_probes = [
    path("healthz", probes.healthz, name="healthz"),
    path("readyz", probes.readyz, name="readyz"),
]
_v1: list[URLPattern | URLResolver] = [
    path("tokens", TokensView.as_view(), name="tokens"),
    path("tokens/current", CurrentTokenView.as_view(), name="token"),
    path("", include("bridge.approvals.api.urls")),
    path("", include("transfers.api.urls")),
    path("", include("accounts.api.urls")),
    path("", include("funds.api.urls")),
    path("", include("notifications.api.urls")),
]

urlpatterns = [
    path("", require_safe(RedirectView.as_view(pattern_name="api-docs")), name="home"),
    path("admin/", admin.site.urls),
    path("api/v1/", include(_v1)),
    path("api/schema/", SchemaView.as_view(), name="schema"),
    path("api/docs/", DocsView.as_view(), name="api-docs"),
    *_probes,
    path("metrics", probes.metrics, name="metrics"),
]

handler400 = "bridge.kernel.problem.bad_request"
handler403 = "bridge.kernel.problem.permission_denied"
handler404 = "bridge.kernel.problem.page_not_found"
handler500 = "bridge.kernel.problem.server_error"
