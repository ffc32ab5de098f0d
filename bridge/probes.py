"""For machines that watch: is the process alive, can it do its work, what does it measure."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from django_redis import get_redis_connection  # type: ignore[import-untyped]
from kombu import Connection

from bridge.kernel import problem

PATIENCE = 2  # seconds per service

logger = logging.getLogger(__name__)


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('statement_timeout', %s, false)", [f"{PATIENCE}s"])
        try:
            cursor.execute("SELECT 1 FROM django_migrations LIMIT 1")
        finally:
            cursor.execute("RESET statement_timeout")


def _broker() -> None:
    options = {"socket_timeout": PATIENCE, "socket_connect_timeout": PATIENCE, "max_retries": 0}
    url = settings.CELERY_BROKER_URL
    transport = options if url.startswith("redis") else {}
    with Connection(url, connect_timeout=PATIENCE, transport_options=transport) as broker:
        broker.ensure_connection(max_retries=1, timeout=PATIENCE)
        broker.default_channel.close()


def _cache() -> None:
    get_redis_connection("default").ping()


CHECKS: dict[str, Callable[[], None]] = {"database": _database, "broker": _broker, "cache": _cache}


@require_safe
def healthz(request: HttpRequest) -> HttpResponse:
    """This process answers. It asks nobody else, so that a broken database does not get it restarted."""
    return JsonResponse({"status": "ok"})


@require_safe
def readyz(request: HttpRequest) -> HttpResponse:
    """Database, broker and cache answer; else 503, naming those that do not."""
    state = {name: _answers(name, check) for name, check in CHECKS.items()}
    down = [name for name, fine in state.items() if not fine]
    checks = {name: "ok" if fine else "down" for name, fine in state.items()}
    if not down:
        return JsonResponse({"status": "ok", "checks": checks})
    document = problem.document(
        request=request,
        status=503,
        code="not_ready",
        title="Not ready",
        detail=f"No answer from: {', '.join(down)}.",
    )
    return JsonResponse({**document, "checks": checks}, status=503, content_type=problem.CONTENT_TYPE)


@require_safe
def metrics(request: HttpRequest) -> HttpResponse:
    """For Prometheus, of this process."""
    return ExportToDjangoView(request)


def _answers(name: str, check: Callable[[], None]) -> bool:
    try:
        check()
    except Exception as error:
        logger.warning("%s does not answer: %s", name, error)
        return False
    return True
