"""The page that lists the variables lists all of them, and production starts with what it says."""

from __future__ import annotations

import base64
import os
import re
import subprocess
import sys

import pytest

from bridge.embedded.paths import CHECKOUT

_PAGE = CHECKOUT / "docs" / "CONFIGURATION.md"
_READ = re.compile(r"""(?:env(?:\.\w+)?\(|environ\.get\(|environ\[|_number\(|_VARIABLE = |_service\()\s*"([A-Z_]+)\"""")
_REQUIRED = {
    "SECRET_KEY": "x" * 30 + "abcdefghijklmnopqrstuvwxyz0123456789",
    "ALLOWED_HOSTS": "bridge.example",
    "DATABASE_URL": "postgresql://u:p@one.example:5432,two.example:5433/bridge?target_session_attrs=read-write",
    "BROKER_URL": "amqp://mq.example//",
    "CACHE_URL": "redis://cache.example/1",
    "BRIDGE_BASE_URL": "https://bridge.example",
    "BRIDGE_FIELD_KEYS": f'{{"k1": "{base64.b64encode(bytes(32)).decode()}"}}',
    "BRIDGE_GATEWAYS": "{}",
}


def _load_production(**environment: str) -> subprocess.CompletedProcess[str]:
    program = """
import json, bridge.settings.production as s
print(json.dumps([s.DATABASES["default"]["HOST"], s.DATABASES["default"]["PORT"], s.CELERY_TASK_DEFAULT_QUEUE_TYPE]))
"""
    plain = {"PATH": os.environ["PATH"], "PYTHONPATH": str(CHECKOUT)}
    return subprocess.run(
        [sys.executable, "-c", program], env=plain | environment, capture_output=True, text=True, check=False
    )


def test_every_variable_that_the_code_reads_is_on_the_page() -> None:
    sources = [*CHECKOUT.glob("bridge/**/*.py"), *CHECKOUT.glob("tests/*.py")]
    read = {name for source in sources for name in _READ.findall(source.read_text())}
    assert {"DATABASE_URL", "BRIDGE_PORT", "BRIDGE_FIELD_KEYS"} <= read
    assert sorted(read - set(re.findall(r"`([A-Z_]+)`", _PAGE.read_text()))) == []


def test_production_takes_several_database_hosts_and_quorum_queues() -> None:
    loaded = _load_production(**_REQUIRED)
    assert loaded.stdout.strip() == '["one.example,two.example", "5432,5433", "quorum"]', loaded.stderr


@pytest.mark.parametrize("missing", sorted(_REQUIRED))
def test_production_does_not_start_without(missing: str) -> None:
    loaded = _load_production(**{name: value for name, value in _REQUIRED.items() if name != missing})
    assert loaded.returncode != 0
    assert missing in loaded.stderr
