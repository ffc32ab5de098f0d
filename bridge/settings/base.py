"""What every place shares. Each value that may differ between machines comes from the environment.

Longer than most modules: people look for a setting in one file.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from urllib.parse import unquote

import environ
from celery.schedules import crontab
from csp.constants import NONE, SELF
from kombu import Queue

from bridge.sandbox.wire import derive_credentials
from bridge.settings.logs import logging_config
from bridge.settings.unfold import LOGIN_REDIRECT_URL, OTP_ADMIN_HIDE_SENSITIVE_DATA, UNFOLD  # noqa: F401

BASE_DIR = Path(__file__).resolve().parents[2]
env = environ.Env()

DEBUG = False
ALLOWED_HOSTS: list[str] = []
ROOT_URLCONF = "bridge.urls"
WSGI_APPLICATION = "bridge.wsgi.application"
ASGI_APPLICATION = "bridge.asgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

INSTALLED_APPS = [
    "bridge.apps.BridgeConfig",
    "bridge.kernel",
    "bridge.events",
    "bridge.approvals",
    "accounts.ledger",
    "accounts",
    "funds",
    "transfers",
    "notifications",
    "unfold.apps.BasicAppConfig",  # before the admin: it replaces the templates
    "bridge.console.apps.ConsoleConfig",  # django.contrib.admin with Bridge's own site
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.postgres",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_filters",
    "knox",
    "pgtrigger",
    "axes",
    "django_otp",
    "django_otp.plugins.otp_totp",
    "csp",
    "django_prometheus",
    "django_structlog",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    "bridge.kernel.api.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "bridge.kernel.api.middleware.LanesMiddleware",
    "axes.middleware.AxesMiddleware",
    "bridge.kernel.api.middleware.MetricsMiddleware",
]
# Django's checks look for sessions, sign-in, messages, CSRF and frames in the list above; they are in the one below.
SILENCED_SYSTEM_CHECKS = ["admin.E408", "admin.E409", "admin.E410", "security.W002", "security.W003"]
BRIDGE_PAGE_MIDDLEWARE = [  # around everything but /api/v1/, which has no session, cookie, message or template
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "bridge.settings.policy.AdminScriptPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django_otp.middleware.OTPMiddleware",
    "django_structlog.middlewares.RequestMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "bridge" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "transfers.admin.stopped.everything",
            ],
        },
    },
]

# Time and language. The database's clock decides; people read UTC.
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
LANGUAGE_CODE = "en-us"
FORMAT_MODULE_PATH = "bridge.console.formats"

STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / ".local" / "static"

# Sign-in
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",  # first: it refuses who is locked out
    "django.contrib.auth.backends.ModelBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "admin:login"
CSRF_FAILURE_VIEW = "bridge.kernel.problem.csrf_failed"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 8 * 3600
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_LOCKOUT_CALLABLE = "bridge.kernel.problem.locked_out"
AXES_LOCKOUT_PARAMETERS = ["ip_address", ["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_IPWARE_META_PRECEDENCE_ORDER: tuple[str, ...] = (
    "REMOTE_ADDR",
)  # a forwarding header is whatever its sender writes
OTP_TOTP_ISSUER = "Bridge"

# HTTP headers
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "connect-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

# API
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["bridge.kernel.api.authentication.BearerAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["bridge.kernel.api.roles.RolePermission"],
    "DEFAULT_THROTTLE_CLASSES": ["bridge.kernel.api.throttling.WindowThrottle"],
    "DEFAULT_THROTTLE_RATES": {  # number/period (s, m, h, d) per login or address; empty: no limit
        "api": env.str("BRIDGE_RATE_API", "60000/m"),
        "sign_in": env.str("BRIDGE_RATE_SIGN_IN", "120/m"),
        "callback": env.str("BRIDGE_RATE_CALLBACK", "60000/m"),
    },
    "NUM_PROXIES": env.int("BRIDGE_PROXY_COUNT", 0),
    "DEFAULT_RENDERER_CLASSES": ["bridge.kernel.api.rendering.QuickJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["bridge.kernel.api.parsing.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "EXCEPTION_HANDLER": "bridge.kernel.problem.problem_handler",
    "TEST_REQUEST_DEFAULT_FORMAT": "json",
}
REST_KNOX = {"TOKEN_TTL": timedelta(hours=10), "AUTH_HEADER_PREFIX": "Bearer", "AUTO_REFRESH": False}
SPECTACULAR_SETTINGS = {
    "TITLE": "Bridge API",
    "DESCRIPTION": "Moves investors' money into private funds, and proves where every cent is.",
    "VERSION": "1.0.0",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_AUTHENTICATION": [],
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "ENUM_ADD_EXPLICIT_BLANK_NULL_CHOICE": False,
    "ENUM_NAME_OVERRIDES": {
        "TransferState": "transfers.states.State",
        "InstructionState": "transfers.states.InstructionState",
        "InstructionKind": "transfers.models.BankInstruction.Kind",
        "FundStatus": "funds.models.Fund.Status",
        "FundKind": "funds.models.Fund.Kind",
        "AccountStatus": "accounts.models.InvestorAccount.Status",
    },
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
}

# Celery: messages are wake-ups without arguments, so losing every one of them loses nothing.
CELERY_TASK_DEFAULT_QUEUE = env.str("BRIDGE_QUEUE", "bridge")
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = False  # a task commits its own work; let it end
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TASK_PUBLISH_RETRY_POLICY = {"max_retries": 1, "interval_start": 0.1}  # the sweep comes anyway
CELERY_TIMEZONE = "UTC"
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_BEAT_SCHEDULE = {
    # A wake-up that waited longer than its period is worth nothing: `expires` keeps them from piling up.
    "sweep due work": {"task": "transfers.tasks.sweep", "schedule": 5.0, "options": {"expires": 5}},
    "seal the event log": {"task": "bridge.events.tasks.seal", "schedule": 60.0, "options": {"expires": 60}},
    "reconcile yesterday": {"task": "transfers.tasks.reconcile_yesterday", "schedule": crontab(hour="5", minute="0")},
}


def celery_for(broker_url: str) -> dict[str, object]:
    """The Celery settings that depend on the broker: quorum queues on RabbitMQ, a short redelivery on Redis."""
    if broker_url.startswith(("amqp", "pyamqp")):
        return {
            "CELERY_TASK_DEFAULT_QUEUE_TYPE": "quorum",
            "CELERY_TASK_DEFAULT_EXCHANGE_TYPE": "topic",
            "CELERY_TASK_QUEUES": [
                Queue(
                    CELERY_TASK_DEFAULT_QUEUE,
                    routing_key=CELERY_TASK_DEFAULT_QUEUE,
                    # A message that kills its worker every time must not come back for ever.
                    queue_arguments={"x-queue-type": "quorum", "x-delivery-limit": 5},
                ),
            ],
            "CELERY_WORKER_DETECT_QUORUM_QUEUES": True,
            "CELERY_BROKER_NATIVE_DELAYED_DELIVERY_QUEUE_TYPE": "quorum",
            "CELERY_BROKER_TRANSPORT_OPTIONS": {"confirm_publish": True},
        }
    # Redis is scanned for unacknowledged messages at every tenth interval: 1 means that it happens every ten seconds.
    options = {"visibility_timeout": 60, "unacked_restore_interval": 1, "socket_keepalive": True}
    return {"CELERY_BROKER_TRANSPORT_OPTIONS": options}


def cache_for(url: str) -> dict[str, dict[str, object]]:
    """Redis or Valkey for display and wake-ups. It may vanish: a read then misses, a write is dropped."""
    return {
        "default": {
            "BACKEND": "django_redis.cache.RedisCache",
            "LOCATION": url,
            "KEY_PREFIX": "bridge",
            "TIMEOUT": 300,
            "OPTIONS": {"IGNORE_EXCEPTIONS": True, "SOCKET_CONNECT_TIMEOUT": 1, "SOCKET_TIMEOUT": 1},
        },
    }


def database_for(url: str) -> dict[str, dict[str, object]]:
    """PostgreSQL with connections that persist and are checked before use. Hosts may be several, by comma."""
    database = environ.Env.db_url_config(url)
    database["HOST"] = unquote(database["HOST"] or "")  # the directory of a Unix socket stands percent-encoded
    database["ENGINE"] = "bridge.kernel.postgresql"
    database |= {"CONN_MAX_AGE": 600, "CONN_HEALTH_CHECKS": True, "ATOMIC_REQUESTS": False}
    return {"default": database}


def sandbox_gateways(*, url: str, master: str) -> dict[str, dict[str, str]]:
    """The institutions, by name: the sandbox bank plays both, and derives both sides' keys from its one secret.

    Another bank is one adapter and one entry.
    """

    def institution(name: str, side: str, adapter: str) -> dict[str, str]:
        keys = derive_credentials(master, name)
        shared = {"api_key": keys.api_key, "secret": keys.secret, "webhook_secret": keys.webhook_secret}
        return {"side": side, "adapter": adapter, "url": url, **shared}

    return {
        "meridian": institution("meridian", "investor", "accounts.gateway.sandbox.SandboxInvestorBank"),
        "harbor": institution("harbor", "fund", "funds.gateway.sandbox.SandboxFundBank"),
    }


# Logging
DJANGO_STRUCTLOG_CELERY_ENABLED = True
BRIDGE_LOG_LEVEL = env.str("BRIDGE_LOG_LEVEL", "INFO")
LOGGING = logging_config(level=BRIDGE_LOG_LEVEL, as_json=False)

# Bridge's own
BRIDGE_SANDBOX_MODE = False
BRIDGE_MAX_BODY_BYTES = env.int("BRIDGE_MAX_BODY_BYTES", 64 * 1024)  # of one API request
BRIDGE_MAX_BULK_BYTES = env.int("BRIDGE_MAX_BULK_BYTES", 8 * 1024 * 1024)  # of POST /transfers/bulk alone
