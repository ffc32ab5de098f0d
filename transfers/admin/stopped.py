"""That something is stopped: each stop on the first page, a stop of everything on every page that is no list."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import SimpleLazyObject

from bridge.console.display import when
from transfers.controls.stops import open_stops, subject_of
from transfers.models import Stop

MAY_SEE = "transfers.view_stop"


def banners(request: HttpRequest) -> list[dict[str, Any]]:
    """Every stop in force, the widest first. One query."""
    if not request.user.has_perm(MAY_SEE):
        return []
    return [_banner(row) for row in open_stops()]


def everything(request: HttpRequest) -> dict[str, Any]:
    """A context processor. Asks only where a page of the console shows it, and then once."""
    return {"everything_stopped": SimpleLazyObject(lambda: _everything(request))}


def _everything(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", None)
    if user is None or not user.is_staff or not user.has_perm(MAY_SEE):
        return {}
    row = Stop.objects.filter(lifted_at__isnull=True, scope=Stop.Scope.ALL).first()
    return _banner(row) if row is not None else {}


def _banner(row: Stop) -> dict[str, Any]:
    everything_ = row.scope == Stop.Scope.ALL
    return {
        "what": "All of Bridge is stopped" if everything_ else f"Stopped: {subject_of(row)}",
        "holds": "No new withdrawal and no deposit begins." if row.deposits else "No new withdrawal begins.",
        "why": row.why,
        "who": row.set_by_name or row.set_by,
        "since": when(row.set_at),
        "url": reverse("admin:transfers_controls"),
    }
