"""The demo's client against servers that are not its own."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bridge.management.demo.api import Api, ApiRefused


class _Stranger(BaseHTTPRequestHandler):
    """Knows no login of ours, and nothing at /api/v1/gone."""

    def _answer(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.send_response(404 if self.path.endswith("/gone") else 401)
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_GET = do_POST = _answer  # the names that http.server looks for

    def log_message(self, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def api() -> Iterator[Api]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Stranger)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    client = Api(f"http://127.0.0.1:{server.server_port}", deadline=time.monotonic() + 20, at_once=1)
    yield client
    client.close()
    server.shutdown()
    server.server_close()


def test_a_server_that_does_not_know_our_logins_is_told_apart(api: Api) -> None:
    with pytest.raises(ApiRefused, match="does not know the demo's logins"):
        api.get("/funds", token="ours")
    with pytest.raises(ApiRefused, match="belongs to another checkout"):
        api.post("/transfers", token="ours", body={}, key="1")


def test_a_server_that_is_no_bridge_is_told_in_words(api: Api) -> None:
    with pytest.raises(ApiRefused, match="HTTP 404: it does not look like Bridge"):
        api.get("/gone", token="ours")
