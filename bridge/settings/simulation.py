"""`manage.py simulate`: a scratch database named by DATABASE_URL, and nothing outside this process."""

from __future__ import annotations

import base64
import hashlib

from bridge.settings.base import *  # noqa: F403
from bridge.settings.base import database_for, env, sandbox_gateways

# No secret is at stake: the database is thrown away, and no run may depend on chance.
SECRET_KEY = "simulation-" + "0" * 50
BRIDGE_FIELD_KEYS = {"simulation": base64.b64encode(hashlib.sha256(b"simulation").digest()).decode()}

DATABASES = database_for(env.str("DATABASE_URL"))
DATABASES["default"] |= {"CONN_MAX_AGE": None, "CONN_HEALTH_CHECKS": False}
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
CELERY_BROKER_URL = "memory://"

BRIDGE_SANDBOX_MODE = True
BRIDGE_BASE_URL = "http://simulation.invalid"
BRIDGE_GATEWAYS = sandbox_gateways(url="http://simulation.invalid", master="simulation")
