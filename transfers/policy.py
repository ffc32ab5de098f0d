"""How long Bridge waits, and what it does then: one frozen value, by default what operations would expect.

`BRIDGE_POLICY` in the settings replaces single values, in seconds; a sandbox is less patient than a bank.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

MINUTE = 60
DAY = 24 * 3600


@dataclass(frozen=True, slots=True)
class Policy:
    """Waits in seconds."""

    answer: int = 30  # how long a call may be in a worker's hands before somebody asks by key
    acknowledge: int = 15 * MINUTE  # a sent instruction that nobody knows of by then is shown to operations
    ask_first: int = 2  # after an unknown outcome; doubles with every try …
    ask_last: int = 5 * MINUTE  # … up to this
    settle_poll: int = 5 * MINUTE  # a callback normally comes first
    finality: int = 2 * DAY  # after sending; before that "not found" is no evidence
    key_lifetime: int = 7 * DAY  # the bank keeps an idempotency key so long
    resend_share: int = 80  # per cent of the key's lifetime after which nothing is sent again
    escrow_poll: int = 10 * MINUTE  # until a raise that is below its minimum is looked at again
    reservation: int = 5 * DAY
    review: int = 5 * DAY
    waitlist: int = 30 * DAY
    return_window: int = 60 * DAY
    expected: int = 2 * DAY  # from the request to the fund, as told to the investor
    balance_age_create: int = 15 * MINUTE
    balance_age_withdrawal: int = 5 * MINUTE
    deposit_retries: int = 2
    lease: int = 60  # a claimed piece of work belongs to a worker so long

    def after(self, moment: datetime, name: str) -> datetime:
        """`after(now, "review")` → the moment when that wait is over."""
        return moment + timedelta(seconds=getattr(self, name))

    def next_ask(self, moment: datetime, tries: int) -> datetime:
        """When to ask about an unknown outcome again: doubling, bounded."""
        wait = min(self.ask_last, self.ask_first * 2 ** min(tries, 20))
        return moment + timedelta(seconds=wait)


@cache
def policy() -> Policy:
    """The policy in force. Raises `ImproperlyConfigured` for a name that is none of its waits."""
    given: dict[str, Any] = getattr(settings, "BRIDGE_POLICY", {})
    known = {field.name for field in fields(Policy)}
    unknown = sorted(given.keys() - known)
    if unknown:
        raise ImproperlyConfigured(f"BRIDGE_POLICY has unknown names: {', '.join(unknown)}.")
    return Policy(**given)


def _changed(*, setting: str, **_: Any) -> None:
    if setting == "BRIDGE_POLICY":
        policy.cache_clear()


setting_changed.connect(_changed)
