"""Is there a place in the fund: a seat for the investor, and room for the amount?

At the request a missing place means the waitlist. Later the transfer has its place reserved; where it has lost it,
only a person can help. The reason stays on the transfer while it waits, and limits change meanwhile: it names none, the
inputs do.
"""

from __future__ import annotations

from bridge.kernel.money import display
from funds.rules.facts import CREATE, DEPOSIT, WITHDRAWAL, Facts
from funds.rules.outcomes import Outcome
from funds.rules.registry import Finding, Values, rule


@rule(
    id="seats",
    version=1,
    stages=(CREATE, WITHDRAWAL, DEPOSIT),
    asks="Has the investor a seat in the fund, or is one free?",
    overridable=Outcome.PASS,
)
def seats(facts: Facts, values: Values) -> Finding:
    fund, place = facts.fund, facts.place
    limit, taken = fund.seat_limit, fund.seats_taken
    inputs = {"seat_limit": limit, "seats_taken": taken, "has_seat": place.has_seat}
    if place.has_seat or place.own_reserved or limit is None or taken < limit:
        return Outcome.PASS, "There is a seat.", inputs
    outcome = Outcome.WAITLIST if facts.request.stage == CREATE else Outcome.HOLD
    return outcome, f"No seat in {fund.name} is free.", inputs


@rule(
    id="hard_cap",
    version=1,
    stages=(CREATE, WITHDRAWAL, DEPOSIT),
    asks="Does the amount fit under the fund's hard cap?",
    overridable=Outcome.PASS,
)
def hard_cap(facts: Facts, values: Values) -> Finding:
    fund, amount, stage = facts.fund, facts.request.amount, facts.request.stage
    cap, own = fund.hard_cap, facts.place.own_reserved
    inputs = {"amount": amount, "hard_cap": cap, "reserved": fund.reserved, "confirmed": fund.confirmed, "own": own}
    if cap is None:
        return Outcome.PASS, "The fund has no hard cap.", inputs
    free = cap - fund.confirmed - fund.reserved + own
    if amount <= free:
        return Outcome.PASS, "It fits under the hard cap.", inputs
    currency = fund.currency
    if amount > cap and stage != DEPOSIT:  # can never fit; before the deposit that would send money back unseen
        reason = f"{display(amount, currency)} is more than the fund's hard cap of {display(cap, currency)}."
        return Outcome.FAIL, reason, inputs
    outcome = Outcome.WAITLIST if stage == CREATE else Outcome.HOLD
    return outcome, f"What is left under the fund's hard cap is less than {display(amount, currency)}.", inputs
