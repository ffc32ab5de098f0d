"""A wake-up goes to the broker and the queue that the settings name, from every process that has the apps."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from celery import current_app
from django.conf import settings

from transfers import waking

SAY = (
    "import django; django.setup(); from celery import current_app as a; "
    "print(a.main, a.conf.broker_url, a.conf.task_default_queue)"
)


def test_a_process_that_only_sends_has_our_application() -> None:
    said = subprocess.run(
        [sys.executable, "-c", SAY],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "DJANGO_SETTINGS_MODULE": "bridge.settings.test"},
        timeout=60,
    ).stdout.split()
    assert said == ["bridge", settings.CELERY_BROKER_URL, settings.CELERY_TASK_DEFAULT_QUEUE]


def test_a_wake_up_waits_in_our_queue() -> None:
    with current_app.connection_for_write() as connection:
        queue = connection.SimpleQueue(settings.CELERY_TASK_DEFAULT_QUEUE)
        queue.clear()
        waking.wake()
        message = queue.get(timeout=10)
        message.ack()
        queue.close()
    assert message.headers["task"] == waking.DRIVE


def test_a_broker_that_is_down_does_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object, **__: object) -> None:
        raise ConnectionError("nobody listens")

    monkeypatch.setattr(current_app, "send_task", down)
    waking.wake()
