"""A developer's machine or a demo: the embedded services, unless the environment names others."""

from __future__ import annotations

import json
from contextlib import suppress

from bridge.embedded import postgres, valkey
from bridge.embedded.paths import places
from bridge.embedded.secrets import local_secrets
from bridge.settings.base import *  # noqa: F403
from bridge.settings.base import cache_for, celery_for, database_for, env, sandbox_gateways

PLACES = places()
_secrets = local_secrets(PLACES.secrets)
_running: dict[str, str] = {}
with suppress(OSError, ValueError):  # nothing runs
    _running = json.loads(PLACES.run_file.read_text())

DEBUG = env.bool("BRIDGE_DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY", _secrets.secret_key)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])

DATABASES = database_for(env.str("DATABASE_URL", "") or postgres.database_url(PLACES))
CELERY_BROKER_URL = env.str("BROKER_URL", "") or valkey.broker_url(PLACES)
globals().update(celery_for(CELERY_BROKER_URL))
CACHES = cache_for(env.str("CACHE_URL", "") or valkey.cache_url(PLACES))

# Files are served from where they are: nothing to collect.
WHITENOISE_USE_FINDERS = True
STATIC_ROOT = None  # type: ignore[assignment]

BRIDGE_SANDBOX_MODE = env.bool("BRIDGE_SANDBOX_MODE", True)
BRIDGE_BASE_URL = env.str("BRIDGE_BASE_URL", "") or _running.get("base_url") or "http://127.0.0.1:8000"
BRIDGE_SANDBOX_URL = env.str("BRIDGE_SANDBOX_URL", "") or _running.get("sandbox_url") or "http://127.0.0.1:8100"
BRIDGE_SANDBOX_SECRET = env.str("BRIDGE_SANDBOX_SECRET", _secrets.sandbox_secret)
BRIDGE_FIELD_KEYS = env.json("BRIDGE_FIELD_KEYS", default={"local": _secrets.field_key})
BRIDGE_GATEWAYS = sandbox_gateways(url=BRIDGE_SANDBOX_URL, master=BRIDGE_SANDBOX_SECRET)

# A sandbox bank settles in a second and forgets nothing for a week: wait seconds where one waits minutes and days for
# a real bank. What is not named here is as in production; `transfers.policy` lists it.
BRIDGE_POLICY = {
    "answer": 5,
    "acknowledge": 60,
    "ask_first": 1,
    "ask_last": 15,
    "settle_poll": 3,
    "escrow_poll": 3,
    "finality": 20,
}
