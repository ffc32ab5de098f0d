"""Sockets: HTTP/1.1 with keep-alive, one thread per connection.

A plain threaded server, because a fault may hold a connection for seconds or close it without a word, which the
usual application servers do not let an application do.
"""

from __future__ import annotations

import logging
import socket
import time
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from bridge.sandbox.server.app import App, Request, Response, problem

log = logging.getLogger("bridge.sandbox")
LARGEST_BODY = 8 * 1024 * 1024
IDLE_SECONDS = 120


class BankServer(ThreadingHTTPServer):
    """Threads are daemons: everything answered is committed, so a stop needs to wait for nobody."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], app: App) -> None:
        self.app = app
        super().__init__(address, Connection)

    def server_bind(self) -> None:
        """As `HTTPServer`, without its look-up of the host's name, which can take seconds."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.socket.bind(self.server_address)
        self.server_address = self.socket.getsockname()
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        log.debug("a client went away", exc_info=True)


class Connection(BaseHTTPRequestHandler):
    """One client. Requests come one after the other."""

    protocol_version = "HTTP/1.1"
    server_version = "SandboxBank"
    sys_version = ""
    timeout = IDLE_SECONDS
    disable_nagle_algorithm = True
    wbufsize = -1
    server: BankServer

    def do_GET(self) -> None:
        body = self._body()
        if body is None:
            return
        headers = {name.lower(): value for name, value in self.headers.items()}
        self._answer(self.server.app.handle(Request(self.command, self.path, headers, body)))

    do_POST = do_DELETE = do_PUT = do_PATCH = do_HEAD = do_OPTIONS = do_GET

    def _body(self) -> bytes | None:
        """The request's body, or nothing after a refusal has been sent."""
        if "Transfer-Encoding" in self.headers:
            self._refuse(411, "length_required", "Send a Content-Length; chunks are not taken.")
            return None
        text = self.headers.get("Content-Length", "0")
        if not text.isascii() or not text.isdigit() or len(text) > 12:
            self._refuse(400, "malformed", "Content-Length is no number.")
            return None
        if int(text) > LARGEST_BODY:
            self._refuse(413, "too_large", f"A body has at most {LARGEST_BODY} bytes.")
            return None
        body = self.rfile.read(int(text))
        if len(body) < int(text):
            self.close_connection = True
            return None
        return body

    def _refuse(self, status: int, code: str, reason: str) -> None:
        self.close_connection = True
        self._answer(problem(status, code, reason))

    def _answer(self, response: Response) -> None:
        if response.seconds:
            time.sleep(response.seconds)
        if response.silent:
            self.close_connection = True
            return
        if response.copies > 1:
            self.close_connection = True
        message = self._head(response) + (b"" if self.command == "HEAD" else response.body)
        for _ in range(response.copies):
            self.wfile.write(message)
        self.wfile.flush()

    def _head(self, response: Response) -> bytes:
        lines = [
            f"HTTP/1.1 {response.status} {HTTPStatus(response.status).phrase}",
            f"Content-Type: {response.content_type}",
            f"Content-Length: {len(response.body)}",
            "Cache-Control: no-store",
            "X-Content-Type-Options: nosniff",
        ]
        lines += [f"{name}: {value}" for name, value in response.headers.items()]
        if self.close_connection:
            lines.append("Connection: close")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What the parser of the standard library refuses, as a problem document too."""
        self.command = getattr(self, "command", None) or ""
        status = 405 if code == HTTPStatus.NOT_IMPLEMENTED else int(code)
        self._refuse(status, "malformed", "The request is no HTTP that this bank reads.")

    def log_message(self, format: str, *args: Any) -> None:
        """Silent: addresses hold keys and account numbers."""
