"""Limits per login or address, counted in the cache per fixed window. Without a cache everybody passes.

Rates are in `REST_FRAMEWORK["DEFAULT_THROTTLE_RATES"]`, as `number/period`; none means no limit. Headers follow the
IETF draft "RateLimit header fields for HTTP".
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from django.core.cache import cache
from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.settings import api_settings
from rest_framework.throttling import BaseThrottle

from bridge.kernel.api.roles import principal_of

if TYPE_CHECKING:  # the views import the default throttle, which is here
    from rest_framework.views import APIView

_PERIODS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_REST_AFTER_FAILURE = 5.0  # seconds in which a cache that did not answer is not asked again

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of a limit is left, and in how many seconds it is whole again."""

    policy: str
    limit: int
    window: int
    remaining: int
    reset: int


class WindowThrottle(BaseThrottle):
    scope: ClassVar[str] = "api"
    _asleep_until: ClassVar[float] = 0.0
    _wait: int = 1

    def identity(self, request: Request) -> str:
        return principal_of(request) if request.user.is_authenticated else f"address:{self.get_ident(request)}"

    def allow_request(self, request: Request, view: APIView) -> bool:
        rate = api_settings.DEFAULT_THROTTLE_RATES.get(self.scope)
        if not rate:
            return True
        number, _, period = str(rate).partition("/")
        limit, window = int(number), _PERIODS[period[0]]
        now = time.time()
        used = self._count(f"rate:{self.scope}:{self.identity(request)}:{int(now // window)}", window)
        if used is None:
            return True
        self._wait = window - int(now % window)
        request._request.rate_limit = Standing(  # type: ignore[attr-defined]
            self.scope, limit, window, max(0, limit - used), self._wait
        )
        return used <= limit

    def wait(self) -> float:
        return self._wait

    def _count(self, key: str, window: int) -> int | None:
        """This request's number in its window; `None` while the cache is away."""
        if time.monotonic() < WindowThrottle._asleep_until:
            return None
        try:
            used = _incremented(key, window + 1)
        except Exception as error:
            logger.warning("requests are not counted, the cache does not answer: %s", error)
            used = None
        if used is None:
            WindowThrottle._asleep_until = time.monotonic() + _REST_AFTER_FAILURE
        return used


_INCREMENT = "local n = redis.call('INCR', KEYS[1]) if n == 1 then redis.call('EXPIRE', KEYS[1], ARGV[1]) end return n"


def _incremented(key: str, lifetime: int) -> int | None:
    """Count one more, in one exchange with Redis or Valkey: a key that is new gets its lifetime there."""
    shared: Any = getattr(cache, "client", None)
    if shared is not None:
        found: int = shared.get_client(write=True).eval(_INCREMENT, 1, str(shared.make_key(key)), lifetime)
        return found
    try:
        return cache.incr(key)
    except ValueError:  # the first one
        return 1 if cache.add(key, 1, lifetime) else cache.incr(key)


class SignInThrottle(WindowThrottle):
    """Per address, whoever it says it is."""

    scope = "sign_in"

    def identity(self, request: Request) -> str:
        return f"address:{self.get_ident(request)}"


class CallbackThrottle(WindowThrottle):
    scope = "callback"


def add_headers(response: HttpResponse, standing: Standing | None) -> None:
    """`RateLimit`, `RateLimit-Policy`, and the older three that clients know."""
    if standing is None:
        return
    response["RateLimit-Policy"] = f'"{standing.policy}";q={standing.limit};w={standing.window}'
    response["RateLimit"] = f'"{standing.policy}";r={standing.remaining};t={standing.reset}'
    response["RateLimit-Limit"] = str(standing.limit)
    response["RateLimit-Remaining"] = str(standing.remaining)
    response["RateLimit-Reset"] = str(standing.reset)
