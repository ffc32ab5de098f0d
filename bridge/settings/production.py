"""A deployed Bridge: everything from the environment, nothing assumed. A missing variable stops the start."""

from __future__ import annotations

from bridge.settings.base import *  # noqa: F403
from bridge.settings.base import BRIDGE_LOG_LEVEL, cache_for, celery_for, database_for, env, logging_config

SECRET_KEY = env.str("SECRET_KEY")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

DATABASES = database_for(env.str("DATABASE_URL"))
CELERY_BROKER_URL = env.str("BROKER_URL")
globals().update(celery_for(CELERY_BROKER_URL))
CACHES = cache_for(env.str("CACHE_URL"))

STATIC_ROOT = env.path("BRIDGE_STATIC_ROOT", default="/srv/bridge/static")
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}

# Transport. A proxy that ends TLS must say so itself and must drop the header when a client sends it.
SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", True)
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^metrics$"]  # asked on the machine itself, without TLS
if env.bool("BRIDGE_BEHIND_TLS_PROXY", False):
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_HSTS_SECONDS = 365 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
SESSION_COOKIE_NAME = "__Host-bridge-session"
CSRF_COOKIE_SECURE = True
CSRF_COOKIE_HTTPONLY = True
CSRF_COOKIE_NAME = "__Host-bridge-csrf"
# With a proxy in front REMOTE_ADDR is the proxy's: name how many there are, and only then is their header read.
if _proxies := env.int("BRIDGE_PROXY_COUNT", 0):
    AXES_IPWARE_PROXY_COUNT = _proxies
    AXES_IPWARE_META_PRECEDENCE_ORDER = ("HTTP_X_FORWARDED_FOR", "REMOTE_ADDR")

LOGGING = logging_config(level=BRIDGE_LOG_LEVEL, as_json=True)

BRIDGE_SANDBOX_MODE = False
BRIDGE_BASE_URL = env.str("BRIDGE_BASE_URL")
BRIDGE_FIELD_KEYS = env.json("BRIDGE_FIELD_KEYS")
BRIDGE_GATEWAYS = env.json("BRIDGE_GATEWAYS")
