"""A wake-up reaches a worker on each kind of broker, and comes again when the worker is killed while it works."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from amqp.exceptions import PreconditionFailed
from kombu import Connection

from bridge.embedded import process
from bridge.embedded.paths import CHECKOUT

# A small application with the project's own settings for this broker; the tasks write what happens to a file.
_APPLICATION = """
import os, signal, sys, time
from pathlib import Path
from types import SimpleNamespace
from celery import Celery
from celery.signals import worker_process_init
from bridge.embedded.process import die_with_parent
from bridge.settings import base

app = Celery("wake", broker=os.environ["WAKE_BROKER"])
keys = {name: value for name, value in vars(base).items() if name.startswith("CELERY_")}
keys |= base.celery_for(os.environ["WAKE_BROKER"])
if not os.environ["WAKE_BROKER"].startswith("amqp"):
    keys["CELERY_BROKER_TRANSPORT_OPTIONS"]["visibility_timeout"] = 2
app.config_from_object(SimpleNamespace(**keys), namespace="CELERY")
diary = Path(os.environ["WAKE_DIARY"])
worker_process_init.connect(lambda **_: die_with_parent(), weak=False)

@app.task(name="wake")
def wake():
    first = not diary.exists()
    with diary.open("a") as file:
        file.write("began\\n")
    if first and "WAKE_HANG" in os.environ:
        time.sleep(600)
    with diary.open("a") as file:
        file.write("done\\n")
"""


class Wake:
    """One queue of our own, its workers and what they wrote."""

    def __init__(self, folder: Path, broker: str) -> None:
        self.diary = folder / "diary"
        self.broker = broker
        self.queue = f"bridge-test-{uuid4().hex}"
        (folder / "wake.py").write_text(_APPLICATION)
        self._folder = folder
        self._workers: list[subprocess.Popen[bytes]] = []
        self._env = dict(os.environ) | {
            "PYTHONPATH": f"{folder}:{CHECKOUT}",
            "WAKE_BROKER": broker,
            "WAKE_DIARY": str(self.diary),
            "BRIDGE_QUEUE": self.queue,
            "C_FORCE_ROOT": "1",
        }
        del self._env["DJANGO_SETTINGS_MODULE"]  # queues only: the project itself stays out of it

    def work(self, **env: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "celery", "-A", "wake", "worker", "-c", "1", "-n", f"{uuid4().hex}@localhost"]
        command += ["--without-gossip", "--without-mingle"]
        log = self._folder / "worker.log"
        self._workers.append(process.spawn(command=command, log=log, env=self._env | env, cwd=self._folder))
        return self._workers[-1]

    def send(self) -> None:
        program = "import wake; wake.wake.delay()"
        subprocess.run([sys.executable, "-c", program], env=self._env, cwd=self._folder, check=True, timeout=60)

    def wrote(self) -> list[str]:
        return self.diary.read_text().split() if self.diary.exists() else []

    def log(self) -> str:
        return process.tail(self._folder / "worker.log")

    def close(self) -> None:
        for worker in self._workers:
            process.stop(worker)
        with Connection(self.broker) as connection:
            channel = connection.default_channel
            channel.queue_delete(self.queue)
            channel.close()


@pytest.fixture
def open_queue(tmp_path: Path) -> Iterator[Callable[[str], Wake]]:
    made: list[Wake] = []

    def make(broker: str) -> Wake:
        made.append(Wake(tmp_path, broker))
        return made[-1]

    yield make
    for wake in made:
        wake.close()


def _killed_worker_loses_nothing(wake: Wake) -> None:
    first = wake.work(WAKE_HANG="1")
    wake.send()
    assert process.wait_until(lambda: wake.wrote() == ["began"], patience=30), wake.log()
    os.kill(first.pid, signal.SIGKILL)
    first.wait()
    wake.work()
    assert process.wait_until(lambda: "done" in wake.wrote(), patience=90), wake.log()
    assert wake.wrote() == ["began", "began", "done"]


@pytest.mark.rabbitmq
@pytest.mark.slow
def test_rabbitmq_quorum_queue_delivers_again_after_a_kill(
    open_queue: Callable[[str], Wake], rabbitmq_url: str
) -> None:
    wake = open_queue(rabbitmq_url)
    _killed_worker_loses_nothing(wake)
    with Connection(rabbitmq_url) as connection, pytest.raises(PreconditionFailed, match="x-queue-type"):
        connection.default_channel.queue_declare(
            wake.queue, durable=True, auto_delete=False, arguments={"x-queue-type": "classic"}
        )


@pytest.mark.redis
@pytest.mark.slow
def test_redis_delivers_again_after_a_kill(open_queue: Callable[[str], Wake], redis_url: str) -> None:
    _killed_worker_loses_nothing(open_queue(redis_url))
