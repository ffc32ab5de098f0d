"""gunicorn's sync worker, which hangs up on who connects and says nothing.

Browsers keep connections ready that they may never use. A sync worker waits at each of them for a first word until its
master kills it, so four silent connections would hold up everybody for a minute. Where the kernel can keep them to
itself until they speak (Linux), a worker does not even see them.
"""

from __future__ import annotations

import select
import socket
from collections.abc import Iterable
from contextlib import suppress
from typing import Any

from gunicorn import util
from gunicorn.workers.sync import SyncWorker

FIRST_WORD_SECONDS = 1
KEPT_BY_THE_KERNEL_SECONDS = 60


class HastyWorker(SyncWorker):
    def handle(self, listener: Any, client: socket.socket, addr: Any) -> None:
        ready, _, _ = select.select([client], [], [], FIRST_WORD_SECONDS)
        if ready:
            super().handle(listener, client, addr)
        else:
            util.close(client)


def keep_silent_connections(listening: Iterable[socket.socket]) -> None:
    """Have the kernel give away a connection only once something can be read from it."""
    option = getattr(socket, "TCP_DEFER_ACCEPT", None)
    for one in listening:
        if option is not None and one.family in (socket.AF_INET, socket.AF_INET6):
            with suppress(OSError):  # a kernel may lack it: the workers hang up by themselves
                one.setsockopt(socket.IPPROTO_TCP, option, KEPT_BY_THE_KERNEL_SECONDS)
