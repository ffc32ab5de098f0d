"""All routes, and the open ones: health, the OpenAPI document and a page to read it."""

from __future__ import annotations

from functools import cache

from bridge.sandbox.server import routes_bank, routes_control, routes_faults
from bridge.sandbox.server.app import Request, Response, Route, as_json
from bridge.sandbox.server.desk import Desk
from bridge.sandbox.server.docs import page
from bridge.sandbox.server.openapi import document

OPEN = ""


def healthz(desk: Desk, request: Request) -> Response:
    desk.call(lambda bank, now: None)
    return as_json({"status": "ok"})


def openapi(desk: Desk, request: Request) -> Response:
    return as_json(document())


@cache
def _page() -> bytes:
    return page(document()).encode()


def docs(desk: Desk, request: Request) -> Response:
    policy = "default-src 'none'; style-src 'unsafe-inline'"
    return Response(body=_page(), content_type="text/html; charset=utf-8", headers={"Content-Security-Policy": policy})


ROUTES = [
    Route("GET", "/healthz", healthz, OPEN),
    Route("GET", "/openapi.json", openapi, OPEN),
    Route("GET", "/docs", docs, OPEN),
    *routes_bank.ROUTES,
    *routes_control.ROUTES,
    *routes_faults.ROUTES,
]
