"""The Celery application. Its messages only wake the engine: PostgreSQL says what is to be done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from celery import Celery
from celery.signals import beat_init, setup_logging, worker_process_init

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "bridge.settings.production")

app = Celery("bridge")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@setup_logging.connect
def keep_django_logging(**_: Any) -> None:
    """Being connected is enough: Celery leaves logging as Django configured it."""


@worker_process_init.connect
def end_with_the_worker(**_: Any) -> None:
    """A pool process whose worker was killed must not go on alone."""
    from bridge.embedded.process import die_with_parent  # noqa: PLC0415  not needed by who only sends

    die_with_parent()


@beat_init.connect
def say_that_beat_runs(**_: Any) -> None:
    """Beat cannot be asked over the broker, so it touches the file that `BRIDGE_BEAT_READY` names."""
    if ready := os.environ.get("BRIDGE_BEAT_READY"):
        Path(ready).write_text(f"{os.getpid()}\n")
