"""gunicorn under the supervisor: sync workers that die with their master."""

from __future__ import annotations

import os
from typing import Any

from bridge.embedded.process import die_with_parent
from bridge.management.supervisor.web_worker import keep_silent_connections

# A request waits for the database half of its time: two for each core, as measured (docs/PERFORMANCE.md).
workers = int(os.environ.get("WEB_CONCURRENCY") or min(2 * (os.cpu_count() or 1), 8))
worker_class = "bridge.management.supervisor.web_worker.HastyWorker"
timeout = 60
graceful_timeout = 10
worker_tmp_dir = None
accesslog = None
errorlog = "-"
control_socket_disable = True  # its usual place is outside this checkout


def when_ready(server: Any) -> None:
    keep_silent_connections(listener.sock for listener in server.LISTENERS)


def post_fork(server: Any, worker: Any) -> None:
    die_with_parent()
