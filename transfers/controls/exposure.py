"""Money on the bridge against its limits: per institution that investors' money comes from, and of all of them.

On the bridge is what has left an investor's account, or was told to, and has not ended: withdrawals on their way,
money in clearing or frozen, deposits and refunds on their way. Computed only where a limit is set; the sum runs over
open transfers. Whoever begins withdrawals under a limit is alone with it, from the sum to the commit: the limit holds
to the cent, however many workers there are.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.conf import settings
from django.db import connection
from django.db.models import Max

from accounts.ledger.kinds import Kind
from accounts.ledger.models import LedgerAccount
from bridge.kernel import locking
from bridge.kernel.money import display
from bridge.kernel.transactions import retried, unit_of_work
from transfers.controls import alarms
from transfers.controls.alarms import ADVANCE, EXPOSURE, Reading
from transfers.models import Alarm, Transfer
from transfers.policy import in_force, policy
from transfers.states import ON_THE_BRIDGE, Step

FULL = "exposure_limit"
ALL = ""  # all institutions together
Key = tuple[str, str]  # institution (or all), currency

_STATES = [str(state) for state in ON_THE_BRIDGE]
_ON_THE_BRIDGE = """
    SELECT a.institution, t.currency, sum(t.amount)::bigint FROM transfers_work AS w
    JOIN transfers_transfer AS t ON t.id = w.transfer_id JOIN accounts_investoraccount AS a ON a.id = w.account_id
    WHERE w.step NOT IN ('decide', 'promote', 'withdraw') AND t.state = ANY(%s) AND t.currency = ANY(%s)
    GROUP BY a.institution, t.currency
"""


@dataclass(frozen=True, slots=True)
class Limit:
    """Minor units of `currency`; `alert` and `stop` in per cent of the amount."""

    institution: str
    currency: str
    amount: int
    alert: int
    stop: int

    @property
    def key(self) -> Key:
        return (self.institution, self.currency)

    @property
    def lock(self) -> str:
        return f"exposure:{self.currency}:{self.institution}"

    def reading(self, value: int, *, reached: bool = False) -> Reading:
        return Reading(
            EXPOSURE, self.institution, self.currency, value, self.amount, self.alert, self.stop, reached=reached
        )

    def holds(self, value: int) -> bool:
        """Whether so much may be on the bridge."""
        return value * 100 <= self.amount * self.stop


def limits_of(keys: Iterable[Key]) -> list[Limit]:
    """The limits in force that concern these institutions and currencies, those of all institutions included."""
    found: dict[Key, Limit] = {}
    for institution, currency in sorted(set(keys)):
        house, own = policy(), policy(institution=institution)
        if currency in house.exposure_limit_total:
            amount = house.exposure_limit_total[currency]
            found[ALL, currency] = Limit(ALL, currency, amount, house.exposure_alert, house.exposure_stop)
        if institution and currency in own.exposure_limit:
            amount = own.exposure_limit[currency]
            found[institution, currency] = Limit(institution, currency, amount, own.exposure_alert, own.exposure_stop)
    return sorted(found.values(), key=lambda limit: limit.lock)


def on_the_bridge(currencies: Iterable[str]) -> dict[Key, int]:
    """How much, in minor units, per institution and of all of them."""
    with connection.cursor() as cursor:
        cursor.execute(_ON_THE_BRIDGE, [_STATES, sorted(set(currencies))])
        found = {(institution, currency): amount for institution, currency, amount in cursor.fetchall()}
    for (_, currency), amount in list(found.items()):
        found[ALL, currency] = found.get((ALL, currency), 0) + amount
    return found


def uncovered(currencies: Iterable[str]) -> dict[str, int]:
    """Currencies in which the firm's own money does not cover its open advances, with the balance (below zero)."""
    rows = LedgerAccount.objects.filter(
        owner_id=None, kind=Kind.FIRM_ADVANCE, currency__in=set(currencies), balance__lt=0
    )
    return dict(rows.values_list("currency", "balance"))


@dataclass(slots=True)
class Room:
    """What may still begin in one unit of work. Made before its row locks."""

    at: datetime
    limits: list[Limit] = field(default_factory=list)
    used: dict[Key, int] = field(default_factory=dict)
    refused: set[Key] = field(default_factory=set)
    short: dict[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, keys: Iterable[Key], *, at: datetime) -> Room:
        """Lock the limits that concern these institutions and currencies, then see how much is on the bridge."""
        keys = set(keys)
        currencies = {currency for _, currency in keys}
        limits = limits_of(keys)
        for limit in limits:
            locking.alone(limit.lock)
        used = on_the_bridge(limit.currency for limit in limits) if limits else {}
        return cls(at, limits, used, short=uncovered(currencies))

    def refusal(self, institution: str, currency: str, amount: int) -> str:
        """Why so much more may not begin now, in plain words; empty where it may."""
        for limit in self._of(institution, currency):
            if not limit.holds(self.used.get(limit.key, 0) + amount):
                self.refused.add(limit.key)
                whose = f"from {limit.institution}" if limit.institution else "from all institutions together"
                most = display(limit.amount * limit.stop // 100, limit.currency)
                return f"At most {most} {whose} may be on the bridge. It goes on by itself when money has arrived."
        return ""

    def take(self, institution: str, currency: str, amount: int) -> None:
        for limit in self._of(institution, currency):
            self.used[limit.key] = self.used.get(limit.key, 0) + amount

    def note(self) -> None:
        """Tell operations what has crossed a line."""
        readings = [
            limit.reading(self.used.get(limit.key, 0), reached=limit.key in self.refused) for limit in self.limits
        ]
        alarms.note(readings, at=self.at, only_up=True)

    def _of(self, institution: str, currency: str) -> list[Limit]:
        mine = (ALL, institution)
        return [limit for limit in self.limits if limit.currency == currency and limit.institution in mine]


def standing(*, at: datetime) -> list[tuple[Limit, int]]:
    """Every limit in force and what is on the bridge of it."""
    limits = limits_of(_keys_of_limits(at))
    used = on_the_bridge(limit.currency for limit in limits) if limits else {}
    return [(limit, used.get(limit.key, 0)) for limit in limits]


@retried
def watch() -> None:
    """Look at every limit and at the firm's own money, and tell what has crossed a line: also downwards, and when
    nothing begins. Called by the sweep; cheap where nothing is set and nothing was raised."""
    raised = list(Alarm.objects.filter(level__gt=0).values_list("kind", "institution", "currency"))
    with unit_of_work() as moment:
        limits = limits_of(_keys_of_limits(moment))
        for limit in limits:
            locking.alone(limit.lock)
        used = on_the_bridge(limit.currency for limit in limits) if limits else {}
        held = _largest_held_back() if any(kind == EXPOSURE for kind, _, _ in raised) else {}
        readings = [_reading(limit, used.get(limit.key, 0), held.get(limit.key, 0)) for limit in limits]
        known = {limit.key for limit in limits}
        # A limit that was taken away is no longer near.
        readings += [
            Reading(EXPOSURE, institution, currency, 0, 1)
            for kind, institution, currency in raised
            if kind == EXPOSURE and (institution, currency) not in known
        ]
        locking.alone("advance")
        firm = LedgerAccount.objects.filter(owner_id=None, kind=Kind.FIRM_ADVANCE)
        balances = firm.values_list("currency", "balance")
        readings += [Reading(ADVANCE, ALL, currency, value) for currency, value in balances]
        alarms.note(readings, at=moment)


def _reading(limit: Limit, value: int, waiting: int) -> Reading:
    return limit.reading(value, reached=bool(waiting) and not limit.holds(value + waiting))


def _largest_held_back() -> dict[Key, int]:
    """The largest amount that waits for room, per institution and of all."""
    waiting = Transfer.objects.filter(work__step=Step.WITHDRAW, blocker_code=FULL).order_by()
    found: dict[Key, int] = {}
    for institution, currency, most in waiting.values_list("source_account__institution", "currency").annotate(
        Max("amount")
    ):
        for whose in (institution, ALL):
            found[whose, currency] = max(most, found.get((whose, currency), 0))
    return found


def _keys_of_limits(at: datetime) -> set[Key]:
    """Institutions and currencies that some row or the settings name a limit for."""
    layers = in_force(at)
    institutions = {institution for institution, _, _ in layers if institution} | _configured()
    keys: set[Key] = set()
    for institution in institutions:
        keys |= {(institution, currency) for currency in policy(institution=institution).exposure_limit}
    return keys | {(ALL, currency) for currency in policy().exposure_limit_total}


def _configured() -> set[str]:
    return {name for name, entry in settings.BRIDGE_GATEWAYS.items() if entry.get("side") == "investor"}
