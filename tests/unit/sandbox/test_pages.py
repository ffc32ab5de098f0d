"""Pages that make no sense are the institution's fault, and named as such; none keeps us for ever."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from bridge.kernel.gateway import GatewayUnavailable
from bridge.kernel.http import Reply
from bridge.sandbox.client import SandboxGateway

SINCE = datetime(2026, 3, 2, tzinfo=UTC)


def gateway(pages: Iterator[Any]) -> SandboxGateway:
    class Line:
        institution = "meridian"

        def read(self, *, target: str, route: str) -> Reply:
            page = next(pages)
            return Reply(200, {}, b"", lambda: page)

    made = SandboxGateway("meridian", "http://127.0.0.1:1", "k", "s")
    made._transport = Line()  # type: ignore[assignment]
    return made


@pytest.mark.parametrize(
    "page", [{"results": None}, {"results": {}}, {"results": [None]}, {"results": [], "next_cursor": "0"}, [], None]
)
def test_a_page_that_makes_no_sense(page: Any) -> None:
    with pytest.raises(GatewayUnavailable):
        list(gateway(iter([page])).activity(SINCE))
    with pytest.raises(GatewayUnavailable):
        list(gateway(iter([page])).record())


def test_pages_that_go_round() -> None:
    pages = iter([{"results": [], "next_cursor": "1"}, {"results": [], "next_cursor": "2"}] * 2)
    with pytest.raises(GatewayUnavailable):
        list(gateway(pages).record())
