"""The catalogue of parameters: what each is, in what unit, how far it may go, and how a value is read. Pure.

Longer than most modules: one table that people read from top to bottom. `transfers.policy` has the defaults, and
docs/PARAMETERS.md is compared with both.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

from bridge.kernel import money, waits
from bridge.kernel.errors import BridgeError
from bridge.kernel.rails import Rail
from bridge.kernel.waits import BusinessDays

DAY: Final = 24 * 3600
SCOPES: Final = uuid.UUID("6f0c2a52-8a0e-5c9b-9a53-3f1f4f1d8a10")


class Unit(StrEnum):
    SECONDS = "seconds"
    WAIT = "seconds or business days"
    PER_CENT = "per cent"
    COUNT = "times"
    CALLS = "calls"
    AMOUNTS = "minor units per currency"
    CHOICE = "one of"


class BadParameter(BridgeError):
    code = "bad_parameter"
    status = 422
    title = "This value is not possible"
    message = "{name}: {why}."


class BadScope(BridgeError):
    code = "bad_scope"
    status = 422
    title = "Parameters cannot be set for this"
    message = "Set parameters for the house, a rail, an institution, an institution on a rail, or a fund."


@dataclass(frozen=True, slots=True)
class Parameter:
    """One name of the policy. `low` and `high` in its unit, waits in seconds."""

    name: str
    says: str
    unit: Unit = Unit.SECONDS
    low: int = 1
    high: int = 365 * DAY
    choices: tuple[str, ...] = ()
    house_only: bool = False
    source: str = "house"

    def read(self, value: Any) -> Any:
        """A kept value as the policy holds it. Raises `BadParameter`."""
        try:
            return _READERS[self.unit](self, value)
        except ValueError as error:
            raise BadParameter(name=self.name, why=str(error)) from error


def _whole(of: Parameter, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError("must be a whole number")
    if not of.low <= value <= of.high:
        raise ValueError(f"must be from {of.low} to {of.high} {of.unit}")
    return value


def _wait(of: Parameter, value: Any) -> waits.Wait:
    wait = waits.parse(value)
    return wait if isinstance(wait, BusinessDays) else _whole(of, wait)


def _choice(of: Parameter, value: Any) -> str:
    if value not in of.choices:
        raise ValueError(f"must be one of {', '.join(of.choices)}")
    return str(value)


def _amounts(of: Parameter, value: Any) -> Mapping[str, int]:
    if not isinstance(value, Mapping):
        raise ValueError('must be amounts by currency, such as {"USD": 5000}')
    for currency, amount in value.items():
        if not money.is_currency(currency):
            raise ValueError(f"'{currency}' is no currency")
        _whole(of, amount)
    return MappingProxyType(dict(value))


_READERS: Final = {
    Unit.SECONDS: _whole,
    Unit.WAIT: _wait,
    Unit.PER_CENT: _whole,
    Unit.COUNT: _whole,
    Unit.CALLS: _whole,
    Unit.AMOUNTS: _amounts,
    Unit.CHOICE: _choice,
}

_NACHA = "Nacha Operating Rules: a consumer may return an unauthorised debit for 60 days"
_ALL: Final = (
    Parameter("acknowledge", "An instruction that nobody knows of by then is shown to operations", Unit.WAIT),
    Parameter(
        "settle_within",
        "An instruction that has not settled by then is shown to operations",
        Unit.WAIT,
        source="Fedwire settles the same day, ACH in up to two banking days",
    ),
    Parameter("answer", "How long a call may be in a worker's hands before the bank is asked by key", high=600),
    Parameter("ask_first", "First wait before asking about an unknown outcome; doubles with every try", high=DAY),
    Parameter("ask_last", "Longest wait between two such questions", high=DAY),
    Parameter("settle_poll", "How long a callback may take before the bank is asked", high=7 * DAY),
    Parameter(
        "finality",
        'How long after sending "not found" is no evidence; afterwards the same key is sent again',
        Unit.WAIT,
        low=1,
    ),
    Parameter("key_lifetime", "How long the bank keeps an idempotency key", low=60, source="the bank's documentation"),
    Parameter("resend_share", "Share of the key's lifetime after which nothing is sent again", Unit.PER_CENT, 1, 100),
    Parameter("deposit_wait", "Wait from the settled withdrawal to the deposit", Unit.WAIT, low=0, source=_NACHA),
    Parameter("deposit_retries", "New attempts after a rejection that passes with time", Unit.COUNT, 0, 10),
    Parameter("deposit_retry_wait", "Wait before such an attempt", Unit.WAIT),
    Parameter(
        "short_pay",
        "What happens when no more than the tolerance is missing",
        Unit.CHOICE,
        choices=("accept", "top_up", "refund", "hold"),
    ),
    Parameter("short_pay_tolerance", "How much may be missing before people decide", Unit.AMOUNTS, 0, money.MAX_AMOUNT),
    Parameter(
        "second_person_from",
        "Amount from which a second person must agree, where the fund has none of its own",
        Unit.AMOUNTS,
        1,
        money.MAX_AMOUNT,
    ),
    Parameter(
        "return_window", "Until when a completed transfer may come back without a request", Unit.WAIT, source=_NACHA
    ),
    Parameter("reservation", "How long an approved transfer keeps its place in the fund", low=60),
    Parameter("review", "How long a review may take", low=60),
    Parameter("waitlist", "How long a transfer waits for a place in the fund", low=60),
    Parameter("expected", "From the request to the fund, as told to the investor", low=60),
    Parameter("escrow_poll", "Until a deposit that waits for the raise is looked at again", high=7 * DAY),
    Parameter("balance_age_create", "How old a balance may be when a transfer is requested", low=0, high=DAY),
    Parameter("balance_age_withdrawal", "How old a balance may be when a withdrawal begins", low=1, high=DAY),
    Parameter("exposure_limit", "Most money on the bridge from one institution", Unit.AMOUNTS, 1, money.MAX_AMOUNT),
    Parameter(
        "exposure_limit_total",
        "Most money on the bridge from all institutions",
        Unit.AMOUNTS,
        1,
        money.MAX_AMOUNT,
        house_only=True,
    ),
    Parameter("exposure_alert", "Share of a limit from which operations are told", Unit.PER_CENT, 1, 100),
    Parameter("exposure_stop", "Share of a limit at which no new withdrawal begins", Unit.PER_CENT, 1, 100),
    Parameter(
        "circuit_failures", "Calls without an answer in a row that open an institution's circuit", Unit.COUNT, 1, 1000
    ),
    Parameter("circuit_first", "How long an open circuit stays open before one try; doubles", high=DAY),
    Parameter("circuit_last", "Longest time between two tries", high=DAY),
    Parameter("calls_at_once", "Calls that one worker makes to an institution at the same time", Unit.CALLS, 1, 64),
    Parameter("lease", "How long a claimed piece of work belongs to a worker", low=5, high=3600),
)
PARAMETERS: Final[Mapping[str, Parameter]] = {row.name: row for row in _ALL}
SETTINGS_ONLY: Final = frozenset({"lease"})  # how the engine works, no matter of business
# Where the second must not be below the first.
_ASCENDING: Final = (
    ("ask_first", "ask_last"),
    ("circuit_first", "circuit_last"),
    ("exposure_alert", "exposure_stop"),
)


@dataclass(frozen=True, slots=True)
class Scope:
    """For whom a row of parameters counts. Nothing given: the house."""

    institution: str = ""
    rail: str = ""
    fund_id: uuid.UUID | None = None

    def __post_init__(self) -> None:
        if (self.fund_id is not None and (self.institution or self.rail)) or self.rail not in ("", *Rail.values):
            raise BadScope()

    @property
    def id(self) -> uuid.UUID:
        """The same for the same scope, everywhere: what events and approvals are about."""
        return uuid.uuid5(SCOPES, f"{self.institution}/{self.rail}/{self.fund_id or ''}")

    @property
    def label(self) -> str:
        if self.fund_id is not None:
            return "fund"
        rail = Rail(self.rail).label if self.rail else ""
        return " by ".join(part for part in (self.institution, rail) if part) or "the house"

    def as_json(self) -> dict[str, Any]:
        return {"institution": self.institution, "rail": self.rail, "fund": self.fund_id and str(self.fund_id)}

    @staticmethod
    def of(given: Mapping[str, Any]) -> Scope:
        """As `as_json` gives it. Raises `BadScope`."""
        try:
            fund = given.get("fund")
            scope = Scope(given.get("institution") or "", given.get("rail") or "", uuid.UUID(fund) if fund else None)
        except (ValueError, AttributeError, TypeError) as error:
            raise BadScope() from error
        if set(given) - {"institution", "rail", "fund"}:
            raise BadScope()
        return scope


def read(values: Mapping[str, Any]) -> dict[str, Any]:
    """Kept values as a policy holds them. Raises `BadParameter`, naming the first that is wrong and why."""
    for name in sorted(values.keys() - PARAMETERS.keys()):
        raise BadParameter(name=name, why="is no parameter; see docs/PARAMETERS.md")
    return {name: PARAMETERS[name].read(value) for name, value in values.items()}


def checked(values: Mapping[str, Any], *, scope: Scope) -> dict[str, Any]:
    """`read`, and these names may be set for this scope."""
    found = read(values)
    for name in found:
        if name in SETTINGS_ONLY:
            raise BadParameter(name=name, why="is set in BRIDGE_POLICY only")
        if PARAMETERS[name].house_only and scope != Scope():
            raise BadParameter(name=name, why="is set for the house only")
    return found


def coherent(values: Mapping[str, Any]) -> None:
    """What belongs together fits together, in a whole policy. Raises `BadParameter`."""
    for low, high in _ASCENDING:
        if values[low] > values[high]:
            raise BadParameter(name=low, why=f"must not be above {high} ({values[high]})")


def kept(value: Any) -> Any:
    """A value of a policy as JSON keeps it."""
    if isinstance(value, BusinessDays):
        return str(value)
    return dict(value) if isinstance(value, Mapping) else value
