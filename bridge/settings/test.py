"""Tests: a throw-away PostgreSQL and Valkey of their own, unless the environment names others."""

from __future__ import annotations

from bridge.embedded import postgres, valkey
from bridge.embedded.secrets import local_secrets
from bridge.embedded.testing import reserve
from bridge.settings.base import *  # noqa: F403
from bridge.settings.base import cache_for, celery_for, database_for, env, sandbox_gateways

PLACES = reserve()
_secrets = local_secrets(PLACES.secrets)

SECRET_KEY = _secrets.secret_key
ALLOWED_HOSTS = ["*"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # fast, and no password here is worth more
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"},
    "staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"},
}
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = True  # do not scan all files in every process
STATIC_ROOT = None  # type: ignore[assignment]

DATABASES = database_for(env.str("DATABASE_URL", "") or postgres.database_url(PLACES))
CELERY_BROKER_URL = env.str("BROKER_URL", "") or valkey.broker_url(PLACES)
globals().update(celery_for(CELERY_BROKER_URL))
CACHES = cache_for(env.str("CACHE_URL", "") or valkey.cache_url(PLACES))

BRIDGE_SANDBOX_MODE = True
BRIDGE_BASE_URL = env.str("BRIDGE_BASE_URL", "http://127.0.0.1:8000")
BRIDGE_SANDBOX_URL = env.str("BRIDGE_SANDBOX_URL", "http://127.0.0.1:8100")
BRIDGE_SANDBOX_SECRET = env.str("BRIDGE_SANDBOX_SECRET", _secrets.sandbox_secret)
BRIDGE_FIELD_KEYS = {"test": _secrets.field_key}
BRIDGE_GATEWAYS = sandbox_gateways(url=BRIDGE_SANDBOX_URL, master=BRIDGE_SANDBOX_SECRET)
