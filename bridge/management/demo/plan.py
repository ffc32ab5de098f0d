"""What a demo run asks for, from a seed: requests of every kind, and the faults that the bank shall show. Pure.

Faults at a withdrawal belong to an account that only one request of the run uses, so the same seed meets the same
ones. Faults at a deposit belong to a fund's account and strike a given number of times.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from bridge.management.demo import catalogue as funds
from bridge.management.demo.names import DemoAccount, DemoInvestor

# Share of each kind in a run, in parts of the sum. Those in FAULTY need the bank to misbehave.
SHARES = {
    "good": 42,
    "euro": 6,
    "top_up": 5,
    "duplicate": 6,
    "last_seats": 11,
    "small_cap": 5,
    "below_minimum": 4,
    "above_balance": 4,
    "cancel": 5,
    "paused": 2,
    "closed": 2,
    "wrong_currency": 1,
}
FAULTY = {
    "insufficient_funds": 2,
    "reject_withdrawal": 2,
    "reject_at_settlement": 1,
    "reject_deposit": 3,
    "hold_deposit": 2,
    "timeout_before": 2,
    "timeout_after": 3,
    "timeout_late": 1,
    "error_before": 1,
    "error_after": 1,
    "slow": 1,
    "lost_callback": 2,
    "duplicated_callback": 2,
    "late_callback": 1,
    "out_of_order_callback": 1,
}
LEVELS = {"none": 0, "some": 1, "all": 4}
AT_THE_BANK: dict[str, dict[str, Any]] = {
    "insufficient_funds": {"fault": "insufficient_funds", "kind": "withdrawal"},
    "reject_withdrawal": {"fault": "reject", "kind": "withdrawal", "code": "R16", "reason": "Account frozen"},
    "reject_at_settlement": {"fault": "reject", "kind": "withdrawal", "code": "R29", "at_settlement": True},
    "reject_deposit": {"fault": "reject", "kind": "deposit", "code": "R03"},
    "hold_deposit": {"fault": "reject", "kind": "deposit", "code": "R23"},
    "timeout_late": {"fault": "timeout_late", "seconds": 4},
    "slow": {"fault": "slow", "seconds": 1},
    "late_callback": {"fault": "late_callback", "seconds": 10},
    "out_of_order_callback": {"fault": "out_of_order_callback", "seconds": 5},
}
AT_DEPOSIT = ("reject_deposit", "hold_deposit")
ON_EITHER_SIDE = ("timeout_before", "timeout_after", "error_before", "error_after", "lost_callback")


@dataclass(frozen=True, slots=True)
class Planned:
    """One request. `amount` in minor units. `follows`: the number of the request that must come before it.
    `then`: what people do with it, where it comes to them."""

    number: int
    kind: str
    investor: int
    account: DemoAccount
    fund: str
    amount: int
    follows: int | None = None
    then: str = ""


@dataclass(slots=True)
class Plan:
    requests: list[Planned] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)


class UnknownFault(ValueError):
    """The name is neither a level nor a fault."""


def shares(faults: str) -> dict[str, int]:
    """Shares of all kinds for `--faults`: a level, or names by comma. Raises `UnknownFault`."""
    if faults in LEVELS:
        return SHARES | {name: share * LEVELS[faults] for name, share in FAULTY.items() if LEVELS[faults]}
    names = [name.strip() for name in faults.split(",")]
    for name in names:
        if name not in FAULTY:
            raise UnknownFault(f"{name!r} is no level ({', '.join(LEVELS)}) and no fault. Faults: {', '.join(FAULTY)}.")
    return SHARES | {name: FAULTY[name] * LEVELS["all"] for name in names}


def make(*, count: int, seed: int, faults: str, investors: Sequence[DemoInvestor], now: Any) -> Plan:
    """A plan for `count` requests. Raises `UnknownFault`."""
    return _Planner(count, seed, shares(faults), investors, now).make()


class _Planner:
    def __init__(
        self, count: int, seed: int, parts: dict[str, int], investors: Sequence[DemoInvestor], now: Any
    ) -> None:
        self.count, self.parts = count, parts
        self.chance = random.Random(seed)  # noqa: S311 a demo, no secret
        self.offers = {fund.code: fund for fund in funds.funds(now)}
        usd = [(n, a) for n, row in enumerate(investors) for a in row.accounts if a.currency == "USD"]
        self.euro = [(n, a) for n, row in enumerate(investors) for a in row.accounts if a.currency == "EUR"]
        self.chance.shuffle(usd)
        self.chance.shuffle(self.euro)
        half = len(usd) // 2
        self.lonely, self.shared = usd[:half], usd[half:]  # for one faulty request each · for all others
        self.large = [pair for pair in self.shared if pair[1].balance >= 20 * funds.M]
        institutions = {investor for investor, _ in self.large}
        self.modest = [pair for pair in self.shared if pair[0] not in institutions]
        self.solid = [pair for pair in self.shared if pair[1].balance >= 2 * funds.M]
        self.drawn: dict[str, int] = {}
        self.plan = Plan()

    def make(self) -> Plan:
        kinds = self._kinds()
        leaders = [kind for kind in kinds if kind not in ("top_up", "duplicate")]
        self.chance.shuffle(leaders)
        for kind in leaders:
            self._lead(kind)
        bases = [row for row in self.plan.requests if row.kind == "good"] or self.plan.requests[:1]
        for place, kind in enumerate(kind for kind in kinds if kind in ("top_up", "duplicate")):
            self._follow(kind, bases[place % len(bases)] if bases else None)
        return self.plan

    def _kinds(self) -> list[str]:
        """`count` kinds by their shares, the largest remainders rounded up."""
        whole = sum(self.parts.values())
        exact = {kind: self.count * part / whole for kind, part in self.parts.items()}
        numbers = {kind: int(value) for kind, value in exact.items()}
        missing = self.count - sum(numbers.values())
        for kind in sorted(exact, key=lambda kind: numbers[kind] - exact[kind])[:missing]:
            numbers[kind] += 1
        return [kind for kind, number in numbers.items() for _ in range(number)]

    def _lead(self, kind: str) -> None:
        if kind in FAULTY:
            self._faulty(kind)
            return
        chance = self.chance
        fund = {
            "euro": funds.EURO,
            "last_seats": funds.NEARLY_FULL,
            "small_cap": funds.SMALL_CAP,
            "below_minimum": funds.HIGH_MINIMUM,
            "paused": funds.PAUSED,
            "closed": funds.CLOSED,
        }.get(kind) or chance.choice((funds.FLAGSHIP, funds.FLAGSHIP, funds.BUYOUT, funds.CLOSING_SOON))
        if kind == "good" and self.large and chance.random() < 0.1:
            fund = funds.HIGH_MINIMUM
        who = self._who(kind, fund)
        then = chance.choice(("", "", "cancel")) if kind == "last_seats" else "cancel" if kind == "cancel" else ""
        self._add(kind, who, fund, self._amount(kind, who[1], fund), then=then)

    def _who(self, kind: str, fund: str) -> tuple[int, DemoAccount]:
        if kind in ("euro", "wrong_currency"):
            return self._draw("euro", self.euro)
        if fund == funds.HIGH_MINIMUM and kind == "good":
            return self._draw("large", self.large)
        if kind == "below_minimum":  # nobody who is in that fund already and may add little
            return self._draw("modest", self.modest)
        if kind == "small_cap":
            return self._draw("solid", self.solid)
        return self._draw("shared", self.shared)

    def _draw(self, name: str, deck: list[tuple[int, DemoAccount]]) -> tuple[int, DemoAccount]:
        place = self.drawn.get(name, 0)
        self.drawn[name] = place + 1
        return deck[place % len(deck)]

    def _amount(self, kind: str, account: DemoAccount, fund: str) -> int:
        least = self.offers[fund].minimum
        if kind == "above_balance":
            return account.balance + self.chance.randint(1, 400) * 50_000
        if kind == "below_minimum":
            return self.chance.randint(20, 400) * 50_000
        if kind == "small_cap":
            return self.chance.randint(8, 14) * 50_000_00
        most = min(max(least, account.balance // 12), self.offers[fund].maximum or account.balance)
        return max(least, self.chance.randint(least, most) // 50_000 * 50_000)

    def _faulty(self, kind: str) -> None:
        who = self._draw("lonely", self.lonely)
        fund = funds.HOLDS if kind == "hold_deposit" else self.chance.choice((funds.FLAGSHIP, funds.BUYOUT))
        then = self.chance.choice(("retry", "refund")) if kind == "hold_deposit" else ""
        self._add(kind, who, fund, self._amount(kind, who[1], fund), then=then)
        rule = AT_THE_BANK.get(kind, {"fault": kind})
        deposit = kind in AT_DEPOSIT or (kind in ON_EITHER_SIDE and self.drawn["lonely"] % 2 == 0)
        account = self.offers[fund].account_number if deposit else who[1].number
        self.plan.faults.append({**rule, "account": account, "count": 1})

    def _follow(self, kind: str, base: Planned | None) -> None:
        if base is None:
            self._lead("good")
            return
        amount = base.amount if kind == "duplicate" else self.chance.randint(10, 60) * 50_000
        then = self.chance.choice(("approve", "reject", "cancel")) if kind == "duplicate" else ""
        self._add(kind, (base.investor, base.account), base.fund, amount, follows=base.number, then=then)

    def _add(self, kind: str, who: tuple[int, DemoAccount], fund: str, amount: int, **more: Any) -> None:
        investor, account = who
        self.plan.requests.append(Planned(len(self.plan.requests) + 1, kind, investor, account, fund, amount, **more))
