"""Settles what is due and sends callbacks, in the background, at least once and signed (Standard Webhooks).

The queue is in the books: a callback leaves it only after a 2xx, so a crash sends it again, with the same id. One
key always goes through the same sender, so callbacks of one instruction keep their order unless a fault says else.
"""

from __future__ import annotations

import json
import logging
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from queue import Empty, PriorityQueue
from threading import Event, Thread
from urllib.parse import urlsplit
from zlib import crc32

from standardwebhooks.webhooks import Webhook

from bridge.sandbox.model import Bank
from bridge.sandbox.model.records import Callback
from bridge.sandbox.server.desk import Desk
from bridge.sandbox.wire import Credentials

log = logging.getLogger("bridge.sandbox")
SENDERS = 4
TICK_SECONDS = 0.02
REPLY_SECONDS = 10.0
FIRST_WAIT, LONGEST_WAIT = 0.25, 30.0
Queued = tuple[float, int, int, Callback]  # when, order, failed attempts so far


class Background:
    """The threads behind the counter: one that looks what is due, and some that send."""

    def __init__(self, desk: Desk, url: str, credentials: Callable[[str], Credentials]) -> None:
        self._desk = desk
        self._url = url.rstrip("/")
        self._credentials = credentials
        self._stop = Event()
        self._queues: list[PriorityQueue[Queued]] = [PriorityQueue() for _ in range(SENDERS if url else 0)]
        self._threads = [Thread(target=self._look, name="due", daemon=True)]
        self._threads += [Thread(target=self._send, args=(q,), name="sender", daemon=True) for q in self._queues]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=2)

    def _look(self) -> None:
        while not self._stop.wait(TICK_SECONDS):
            for notice in self._desk.call(self._due):
                queue = self._queues[crc32(notice.payload["data"]["key"].encode()) % len(self._queues)]
                queue.put((time.monotonic(), notice.seq, 0, notice))

    def _due(self, bank: Bank, now: datetime) -> list[Callback]:
        now = bank.run_due(now)
        return bank.notices.take_due(now) if self._queues else []

    def _send(self, queue: PriorityQueue[Queued]) -> None:
        post = _Poster(self._url)
        while not self._stop.is_set():
            try:
                when, order, failed, notice = queue.get(timeout=0.2)
            except Empty:
                continue
            early = when - time.monotonic()
            if early > 0:  # the earliest is not due yet: put it back and look again shortly
                queue.put((when, order, failed, notice))
                self._stop.wait(min(early, 0.05))
                continue
            if not self._still_waits(notice):
                continue
            if self._deliver(post, notice):
                self._mark_sent(notice)
            else:
                wait = _wait(failed)
                queue.put((time.monotonic() + wait, order, failed + 1, notice))

    def _still_waits(self, notice: Callback) -> bool:
        return self._desk.call(lambda bank, _: bank.notices.waits(notice))

    def _mark_sent(self, notice: Callback) -> None:
        self._desk.call(lambda bank, _: bank.notices.sent(notice))

    def _deliver(self, post: _Poster, notice: Callback) -> bool:
        body = json.dumps(notice.payload, separators=(",", ":"))
        now = datetime.now(UTC)
        signer = Webhook(self._credentials(notice.institution).webhook_secret)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": notice.id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": signer.sign(msg_id=notice.id, timestamp=now, data=body),
        }
        return post(f"/{notice.institution}", body.encode(), headers)


def _wait(failed: int) -> float:
    """Seconds until the next attempt: doubling, with jitter."""
    return min(LONGEST_WAIT, FIRST_WAIT * 2 ** min(failed, 10)) * random.uniform(0.5, 1.0)  # noqa: S311


class _Poster:
    """One keep-alive connection to the receiver."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._prefix = parts.path
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        self._connection = kind(parts.hostname or "127.0.0.1", parts.port, timeout=REPLY_SECONDS)

    def __call__(self, path: str, body: bytes, headers: dict[str, str]) -> bool:
        for _ in range(2):  # a kept connection may have been closed meanwhile: try once more on a new one
            reused = self._connection.sock is not None
            try:
                self._connection.request("POST", self._prefix + path, body, headers)
                reply = self._connection.getresponse()
                reply.read()
                return 200 <= reply.status < 300
            except (OSError, HTTPException) as error:
                self._connection.close()
                if not reused:
                    log.debug("a callback was not taken: %s", type(error).__name__)
                    return False
        return False
