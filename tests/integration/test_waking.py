"""A wake-up goes to the broker and the queue that the settings name, from every process that has the apps."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from celery import current_app
from django.conf import settings
from kombu.simple import SimpleQueue

from transfers import engine, tasks, waking

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


@pytest.fixture
def queue() -> Iterator[SimpleQueue]:
    """Ours, empty, with no wake-up on its way."""
    with current_app.connection_for_write() as connection:
        queue = connection.SimpleQueue(settings.CELERY_TASK_DEFAULT_QUEUE)
        queue.clear()
        waking.woken()
        yield queue
        queue.clear()
        queue.close()
    waking.woken()


def test_a_wake_up_waits_in_our_queue(queue: SimpleQueue) -> None:
    waking.wake()
    message = queue.get(timeout=10)
    message.ack()
    assert message.headers["task"] == waking.DRIVE


def test_one_message_wakes_for_all_until_a_worker_looks(queue: SimpleQueue) -> None:
    for _ in range(3):
        waking.wake()
    assert queue.qsize() == 1
    waking.woken()
    waking.wake()
    assert queue.qsize() == 2


def test_the_worker_takes_the_mark_away_before_it_looks(queue: SimpleQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is committed while it looks may be missed by it, so that must wake somebody again."""

    def committed_meanwhile() -> None:
        with ThreadPoolExecutor(1) as another_process:
            another_process.submit(waking.wake).result()

    monkeypatch.setattr(engine, "drain", committed_meanwhile)
    waking.wake()
    tasks.drive()
    assert queue.qsize() == 2


def test_without_a_cache_every_message_is_sent(queue: SimpleQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    def down() -> None:
        raise ConnectionError("nobody listens")

    monkeypatch.setattr(waking, "_marks", down)
    for _ in range(2):
        waking.wake()
    assert queue.qsize() == 2


def test_the_engine_wakes_others_only_for_more_than_it_takes_at_once(queue: SimpleQueue) -> None:
    with waking.itself():
        waking.wake(due=waking.ENOUGH - 1)
        with pytest.raises(queue.Empty):
            queue.get_nowait()
        waking.wake(due=waking.ENOUGH)
        assert queue.qsize() == 1


def test_a_broker_that_is_down_does_no_harm(queue: SimpleQueue, monkeypatch: pytest.MonkeyPatch) -> None:
    def down(*_: object, **__: object) -> None:
        raise ConnectionError("nobody listens")

    with monkeypatch.context() as patch:
        patch.setattr(current_app, "send_task", down)
        waking.wake()
    waking.wake()
    assert queue.qsize() == 1
