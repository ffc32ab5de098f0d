"""How long Bridge waits, and what it does then: one frozen value, by default what operations would expect.

Who decides what, the first that says anything: the fund's parameters, those of the institution on that rail, of the
institution, of the rail, of the house, `BRIDGE_POLICY` in the settings, what the rail usually does, the defaults here.
Waits are seconds, or business days where it says `Wait`.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime, timedelta
from functools import cache
from types import MappingProxyType
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.core.signals import setting_changed

from bridge.kernel import clock, waits
from bridge.kernel.rails import Rail
from bridge.kernel.transactions import Reading, read_once
from bridge.kernel.waits import BusinessDays, Wait
from transfers import parameters

MINUTE = 60
DAY = 24 * 3600
Amounts = Mapping[str, int]  # minor units by currency; a currency that is missing has none


SAME_DAY, TWO_DAYS = BusinessDays(0), BusinessDays(2)
NO_AMOUNTS: Amounts = MappingProxyType({})
LARGE: Amounts = MappingProxyType({"USD": 250_000_00})
SMALL: Amounts = MappingProxyType({"USD": 50_00})


@dataclass(frozen=True, slots=True)
class Policy:
    """What is in force for one institution, rail and fund. `transfers.parameters` says more about each name."""

    answer: int = 30  # how long a call may be in a worker's hands before somebody asks by key
    acknowledge: Wait = 15 * MINUTE  # a sent instruction that nobody knows of by then is shown to operations
    settle_within: Wait = SAME_DAY  # an instruction that has not settled by then is shown to operations
    ask_first: int = 2  # after an unknown outcome; doubles with every try …
    ask_last: int = 5 * MINUTE  # … up to this
    settle_poll: int = 5 * MINUTE  # a callback normally comes first
    finality: Wait = TWO_DAYS  # after sending; before that "not found" is no evidence
    key_lifetime: int = 7 * DAY  # the bank keeps an idempotency key so long
    resend_share: int = 80  # per cent of the key's lifetime after which nothing is sent again
    escrow_poll: int = 10 * MINUTE  # until a raise that is below its minimum is looked at again
    reservation: int = 5 * DAY
    review: int = 5 * DAY
    waitlist: int = 30 * DAY
    return_window: Wait = 60 * DAY
    expected: int = 2 * DAY  # from the request to the fund, as told to the investor
    balance_age_create: int = 15 * MINUTE
    balance_age_withdrawal: int = 5 * MINUTE
    second_person_from: Amounts = field(default_factory=lambda: LARGE)  # where the fund has no amount of its own
    deposit_wait: Wait = 0  # from the settled withdrawal to the deposit
    deposit_retries: int = 2  # after a rejection that passes with time
    deposit_retry_wait: int = 10 * MINUTE
    short_pay: str = "accept"  # accept, top_up, refund or hold what arrived short by no more than …
    short_pay_tolerance: Amounts = field(
        default_factory=lambda: SMALL
    )  # … this; by more is held, unless it is refunded
    exposure_limit: Amounts = field(default_factory=lambda: NO_AMOUNTS)  # on the bridge from one institution
    exposure_limit_total: Amounts = field(default_factory=lambda: NO_AMOUNTS)  # on the bridge from all of them
    exposure_alert: int = 80  # per cent of a limit
    exposure_stop: int = 100  # per cent of a limit
    circuit_failures: int = 5  # calls without an answer, one after the other, that open a circuit
    circuit_first: int = 30  # until an open circuit is tried again; doubles with every failure …
    circuit_last: int = 5 * MINUTE  # … up to this
    calls_at_once: int = 16  # that one worker makes to one institution
    lease: int = 60  # a claimed piece of work belongs to a worker so long

    def after(self, moment: datetime, name: str) -> datetime:
        """`after(now, "review")` → the moment when that wait is over."""
        wait: Wait = getattr(self, name)
        return moment + timedelta(seconds=wait) if wait.__class__ is int else waits.after(moment, wait)

    def next_ask(self, moment: datetime, tries: int) -> datetime:
        """When to ask about an unknown outcome again: doubling, bounded."""
        wait = min(self.ask_last, self.ask_first * 2 ** min(tries, 20))
        return moment + timedelta(seconds=wait)


# What is usual on a rail where nobody says otherwise. Sources: docs/PARAMETERS.md.
BY_RAIL: Mapping[str, Mapping[str, Any]] = {Rail.ACH: {"settle_within": TWO_DAYS}}

Layers = Mapping[tuple[str, str, uuid.UUID | None], Mapping[str, Any]]


def _layers(text: str | None) -> Layers:
    return {
        (institution, rail, uuid.UUID(fund) if fund else None): values
        for institution, rail, fund, values in json.loads(text or "[]")
    }


# The newest row of each scope. The table has a row per change that two people made: small for ever.
LAYERS: Reading[Layers] = Reading(
    """(SELECT jsonb_agg(jsonb_build_array(institution, rail, fund_id, "values")) FROM (
        SELECT DISTINCT ON (scope_id) institution, rail, fund_id, values FROM transfers_parameters
        WHERE effective_from <= (SELECT at FROM clock) ORDER BY scope_id, effective_from DESC
    ) AS layers)::text""",
    _layers,
)


def policy(
    *, institution: str = "", rail: str = "", fund_id: uuid.UUID | None = None, at: datetime | None = None
) -> Policy:
    """The policy in force at `at`, now where it is not given.

    Read once per unit of work: what two people put in force counts from the next one on, and nothing is kept longer.
    Raises `ImproperlyConfigured` for a name in the settings that is none of its.
    """
    once = read_once.get()
    if once is None or (at is not None and at != clock.now()):
        return resolved(in_force(at), institution=institution, rail=rail, fund_id=fund_id)
    layers = in_force()
    if not layers:
        return standing(rail)
    key = (Policy, institution, rail, fund_id)
    found: Policy | None = once.get(key)
    if found is None:
        found = once[key] = resolved(layers, institution=institution, rail=rail, fund_id=fund_id)
    return found


def in_force(at: datetime | None = None) -> Layers:
    """What each scope sets at a moment, now where none is given, by institution, rail and fund."""
    return LAYERS.at(at)


def resolved(layers: Layers, *, institution: str = "", rail: str = "", fund_id: uuid.UUID | None = None) -> Policy:
    """Scopes laid over one another, the narrower over the wider. Pure but for the settings."""
    base = standing(rail)
    if not layers:
        return base
    values: dict[str, Any] = {}
    for scope in scopes(institution=institution, rail=rail, fund_id=fund_id):
        values |= layers.get(scope, {})
    return replace(base, **parameters.read(values)) if values else base


def scopes(*, institution: str, rail: str, fund_id: uuid.UUID | None) -> list[tuple[str, str, uuid.UUID | None]]:
    """Who has a say, from the widest to the narrowest."""
    found: list[tuple[str, str, uuid.UUID | None]] = [("", "", None)]
    if rail:
        found.append(("", rail, None))
    if institution:
        found.append((institution, "", None))
    if institution and rail:
        found.append((institution, rail, None))
    if fund_id is not None:
        found.append(("", "", fund_id))
    return found


@cache
def standing(rail: str = "") -> Policy:
    """What counts where no scope says anything: settings over what the rail usually does over the defaults."""
    given: dict[str, Any] = getattr(settings, "BRIDGE_POLICY", {})
    try:
        values = {**BY_RAIL.get(rail, {}), **parameters.read(given)}
        found = Policy(**values)
        parameters.coherent({item.name: getattr(found, item.name) for item in fields(Policy)})
    except parameters.BadParameter as error:
        raise ImproperlyConfigured(f"BRIDGE_POLICY: {error}") from error
    return found


def _changed(*, setting: str, **_: Any) -> None:
    if setting == "BRIDGE_POLICY":
        standing.cache_clear()


setting_changed.connect(_changed)
