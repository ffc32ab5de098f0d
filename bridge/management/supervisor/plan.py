"""The processes of Bridge: how each is started and how each is asked whether it is well."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx

from bridge.celery import app
from bridge.embedded.paths import CHECKOUT, Places
from bridge.management.supervisor.child import Child

_ASK_SECONDS = 3.0


def environment(*, base_url: str, sandbox_url: str, sandbox_secret: str) -> dict[str, str]:
    """What every child gets: where the others are, and the secret that Bridge and the sandbox bank share."""
    own = {
        "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
        "BRIDGE_BASE_URL": base_url,
        "BRIDGE_SANDBOX_URL": sandbox_url,
        "BRIDGE_SANDBOX_SECRET": sandbox_secret,
        "PYTHONPATH": str(CHECKOUT),
        "PYTHONUNBUFFERED": "1",
    }
    return dict(os.environ) | own


def sandbox(places: Places, env: Mapping[str, str], *, port: int) -> Child:
    url = env["BRIDGE_SANDBOX_URL"]
    return Child(
        name="sandbox",
        command=[
            *_python("bridge.sandbox"),
            *("--port", str(port)),
            *("--state", str(places.state / "sandbox")),
            *("--callback-url", f"{env['BRIDGE_BASE_URL']}/api/v1/callbacks"),
        ],
        env=env,
        log=places.logs / "sandbox.log",
        healthy=lambda: _answers(f"{url}/healthz"),
    )


def web(places: Places, env: Mapping[str, str], *, descriptor: int) -> Child:
    """Sync workers on a socket that the supervisor holds, so that a restart refuses nobody."""
    url = env["BRIDGE_BASE_URL"]
    return Child(
        name="web",
        command=[
            *_python("gunicorn"),
            "bridge.wsgi:application",
            *("--config", str(Path(__file__).with_name("gunicorn_config.py"))),
            *("--bind", f"fd://{descriptor}"),
        ],
        env=env,
        log=places.logs / "web.log",
        healthy=lambda: _answers(f"{url}/readyz"),
        pass_fds=[descriptor],
    )


def worker(places: Places, env: Mapping[str, str]) -> Child:
    """Two pool processes: one waits for a bank while the other works."""
    node = f"bridge-{places.key}@localhost"
    return Child(
        name="worker",
        command=[
            *_python("celery"),
            *("-A", "bridge.celery", "worker", "--pool", "prefork", "--concurrency", "2", "--hostname", node),
            *("--without-gossip", "--without-mingle", "--loglevel", "INFO"),
        ],
        env={**env, "C_FORCE_ROOT": "1"},
        log=places.logs / "worker.log",
        healthy=lambda: bool(app.control.inspect(destination=[node], timeout=1.0).ping()),
        patience=30.0,
    )


def beat(places: Places, env: Mapping[str, str]) -> Child:
    folder = places.state / "beat"
    folder.mkdir(exist_ok=True)
    ready = folder / "ready"
    ready.unlink(missing_ok=True)
    return Child(
        name="beat",
        command=[
            *_python("celery"),
            *(
                "-A",
                "bridge.celery",
                "beat",
                "--schedule",
                str(folder / "schedule"),
                "--pidfile",
                "",
                "--loglevel",
                "INFO",
            ),
        ],
        env={**env, "BRIDGE_BEAT_READY": str(ready)},
        log=places.logs / "beat.log",
        healthy=ready.exists,
    )


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", module]


def _answers(url: str) -> bool:
    """Whether a GET gets a 200."""
    try:
        return httpx.get(url, timeout=_ASK_SECONDS, trust_env=False).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False
