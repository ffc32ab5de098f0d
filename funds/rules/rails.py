"""Does the way on which the money would go carry this amount, and in time?

Sources for the defaults: Nacha, same-day ACH, USD 1,000,000 per entry; Fedwire Funds Service, twelve digits, customer
transfers until 18:45 Eastern; FedNow Service and RTP, USD 10,000,000, around the clock. A bank's own limits and
cut-offs are often tighter: they are parameters.
"""

from __future__ import annotations

from datetime import date, time
from typing import Final

from bridge.kernel.money import display
from funds.rules.business_days import NEW_YORK, value_day
from funds.rules.facts import CREATE, DEPOSIT, WITHDRAWAL, Facts
from funds.rules.outcomes import Outcome
from funds.rules.registry import Finding, Parameter, Values, rule

CURRENCY: Final = "USD"
LIMITS: Final = {
    "ach": None,
    "same_day_ach": 1_000_000_00,
    "fedwire": 9_999_999_999_99,
    "fednow": 10_000_000_00,
    "rtp": 10_000_000_00,
}
CUT_OFFS: Final = {"ach": "17:00", "same_day_ach": "16:45", "fedwire": "18:45", "fednow": None, "rtp": None}
DAYS: Final = {"ach": 1, "same_day_ach": 0, "fedwire": 0, "fednow": 0, "rtp": 0}


@rule(
    id="rail_limit",
    version=1,
    stages=(CREATE, WITHDRAWAL, DEPOSIT),
    asks="Does the rail carry the amount?",
    parameters={
        f"limit_{rail}": Parameter(limit, int, f"Highest amount by {rail}.", CURRENCY) for rail, limit in LIMITS.items()
    },
    needs=("rail",),
    source="Nacha Operating Rules; Fedwire, FedNow and RTP operating rules",
    overridable=Outcome.PASS,
)
def rail_limit(facts: Facts, values: Values) -> Finding:
    """Too much fails, except before the deposit, where another rail may still do."""
    amount, currency = facts.request.amount, facts.request.currency
    assert facts.rail is not None
    rail = facts.rail.rail
    limit = values[f"limit_{rail}"]
    inputs = {"rail": rail, "amount": amount, "limit": limit}
    if currency != CURRENCY:
        return Outcome.HOLD, f"{words(rail)} carries {CURRENCY} only, not {currency}.", inputs
    if limit is None or amount <= limit:
        return Outcome.PASS, "The rail carries the amount.", inputs
    outcome = Outcome.HOLD if facts.request.stage == DEPOSIT else Outcome.FAIL
    return outcome, f"{words(rail)} carries up to {display(limit, currency)}.", inputs


@rule(
    id="rail_cut_off",
    version=1,
    stages=(CREATE, WITHDRAWAL),
    asks="Would money that is sent now arrive before the fund closes, by the Federal Reserve's business days?",
    parameters={
        f"cut_off_{rail}": Parameter(at, time, f"Time in New York until which {rail} leaves the same day.")
        for rail, at in CUT_OFFS.items()
    },
    needs=("rail",),
    source="Federal Reserve Bank holiday schedule (K.8)",
)
def rail_cut_off(facts: Facts, values: Values) -> Finding:
    """Compares days in New York: what arrives on the closing day itself is in time."""
    assert facts.rail is not None
    rail, closes_at = facts.rail.rail, facts.fund.closes_at
    cut_off = values[f"cut_off_{rail}"]
    at = None if cut_off is None else time.fromisoformat(cut_off)
    arrives = value_day(at=facts.request.now, cut_off=at, days=DAYS[rail])
    closes: date | None = None if closes_at is None else closes_at.astimezone(NEW_YORK).date()
    inputs = {"rail": rail, "cut_off": cut_off, "arrives": arrives.isoformat(), "closes_at": closes_at}
    if closes is None or arrives <= closes:
        return Outcome.PASS, "It arrives in time.", inputs
    return Outcome.HOLD, f"By {words(rail)} it arrives on {arrives}; the fund closes on {closes}.", inputs


def words(rail: str) -> str:
    return {"ach": "ACH", "same_day_ach": "same-day ACH", "fedwire": "Fedwire", "fednow": "FedNow", "rtp": "RTP"}[rail]
