"""Is it enough, and not too much, for one investor? What the investor already has in the fund counts."""

from __future__ import annotations

from bridge.kernel.money import display
from funds.rules.facts import CREATE, DEPOSIT, WITHDRAWAL, Facts
from funds.rules.outcomes import Outcome
from funds.rules.registry import Finding, Values, rule


@rule(
    id="minimum",
    version=2,
    stages=(CREATE, WITHDRAWAL),
    asks="Does the investor reach the fund's minimum, with what is already there?",
    overridable=Outcome.FAIL,
)
def minimum(facts: Facts, values: Values) -> Finding:
    """Version 2: a transfer that this fund itself cut back is judged by what was asked for."""
    amount, already, least = facts.request.amount, facts.place.already, facts.fund.minimum
    inputs = {"amount": amount, "already": already, "minimum": least}
    if facts.request.cut_from > amount:
        inputs["cut_from"] = facts.request.cut_from
        return Outcome.PASS, "The minimum was reached; the fund itself has cut it back since.", inputs
    if already + amount >= least:
        return Outcome.PASS, "The minimum is reached.", inputs
    currency = facts.fund.currency
    there = f" with the {display(already, currency)} already there" if already else ""
    reason = f"{display(amount, currency)}{there} is below the fund's minimum of {display(least, currency)}."
    return Outcome.FAIL, reason, inputs


@rule(
    id="minimum_reached",
    version=2,
    stages=(DEPOSIT,),
    asks="Is the minimum still reached, now that some of what it counted on may not have come?",
    overridable=Outcome.FAIL,
)
def minimum_reached(facts: Facts, values: Values) -> Finding:
    """A top-up may be asked for before what it tops up has left the investor: it waits for that, and fails with it.

    What the fund itself cut back is judged without the cut. Version 2: what banks kept on the way or took back is not
    there; where only that is missing, people may top it up, so it is held.
    """
    asked, least, place = max(facts.request.amount, facts.request.cut_from), facts.fund.minimum, facts.place
    inputs = {"amount": asked, "arrived": place.arrived, "already": place.already, "minimum": least}
    if place.arrived + asked >= least:
        return Outcome.PASS, "The minimum is reached.", inputs
    currency = facts.fund.currency
    if place.already + asked >= least:
        waits = display(place.already - place.arrived, currency)
        return Outcome.HOLD, f"The minimum is reached only with {waits} that has not come yet.", inputs
    short = facts.request.short
    if short and place.already + asked + short >= least:
        said = f"{display(asked, currency)} has come, {display(short, currency)} less than was asked for"
        return Outcome.HOLD, f"{said}: below the minimum of {display(least, currency)}.", inputs | {"short": short}
    return Outcome.FAIL, f"Without the rest, {display(asked, currency)} is below {display(least, currency)}.", inputs


@rule(
    id="maximum",
    version=1,
    stages=(CREATE, WITHDRAWAL),
    asks="Does the investor stay within the fund's maximum, with what is already there?",
    overridable=Outcome.FAIL,
)
def maximum(facts: Facts, values: Values) -> Finding:
    amount, already, most = facts.request.amount, facts.place.already, facts.fund.maximum
    inputs = {"amount": amount, "already": already, "maximum": most}
    if most is None or already + amount <= most:
        return Outcome.PASS, "Within the maximum.", inputs
    currency = facts.fund.currency
    there = f" with the {display(already, currency)} already there" if already else ""
    reason = (
        f"{display(amount, currency)}{there} is above the fund's maximum of {display(most, currency)} per investor."
    )
    return Outcome.FAIL, reason, inputs


@rule(
    id="second_person",
    version=1,
    stages=(CREATE,),
    asks="Is the amount so large that a second person must agree?",
    overridable=Outcome.PASS,
)
def second_person(facts: Facts, values: Values) -> Finding:
    """A hold is what it is for: the approval of a checker lets the transfer go on."""
    amount, above = facts.request.amount, facts.fund.second_person_above
    inputs = {"amount": amount, "second_person_above": above}
    if above is None or amount <= above:
        return Outcome.PASS, "One person is enough.", inputs
    currency = facts.fund.currency
    reason = f"{display(amount, currency)} is above {display(above, currency)}: a second person must approve it."
    return Outcome.HOLD, reason, inputs
