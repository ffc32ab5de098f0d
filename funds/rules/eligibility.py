"""May this investor buy what is offered to few?

Sources: accredited investor, 17 CFR § 230.501(a); qualified purchaser, 15 U.S.C. § 80a-2(a)(51), which every investor
of a 3(c)(7) fund must be.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from funds.rules.compliance import EligibilityFacts
from funds.rules.facts import CREATE, DEPOSIT, WITHDRAWAL, Facts
from funds.rules.outcomes import Outcome
from funds.rules.registry import Finding, Values, rule
from funds.rules.wording import moment

WORDS: Final = {"accredited": "an accredited investor", "qualified_purchaser": "a qualified purchaser"}


@rule(
    id="eligibility",
    version=1,
    stages=(CREATE, WITHDRAWAL, DEPOSIT),
    asks="Is the investor accredited, or a qualified purchaser, as the fund requires, and is that still valid?",
    needs=("eligibility",),
    source="17 CFR § 230.501(a); 15 U.S.C. § 80a-2(a)(51)",
)
def eligibility(facts: Facts, values: Values) -> Finding:
    """What was established as untrue fails; what is unknown or has expired waits for a person."""
    known, now = facts.eligibility, facts.request.now
    assert known is not None
    required = known.required
    if facts.regime is not None and facts.regime.regime == "3c7":
        required = "qualified_purchaser"
    if required == "none":
        return Outcome.PASS, "The fund asks for no standing.", {"required": required}
    holds, until = _standing(known, required)
    inputs = {"required": required, "established": holds, "until": until}
    if holds is None:
        return Outcome.HOLD, f"Whether the investor is {WORDS[required]} is not known.", inputs
    if not holds:
        return Outcome.FAIL, f"The investor is not {WORDS[required]}.", inputs
    if until is not None and now >= until:
        return Outcome.HOLD, f"That the investor is {WORDS[required]} was valid until {moment(until)}.", inputs
    return Outcome.PASS, "The investor has the standing that the fund requires.", inputs


def _standing(known: EligibilityFacts, required: str) -> tuple[bool | None, datetime | None]:
    if required == "qualified_purchaser":
        return known.qualified_purchaser, known.qualified_purchaser_until
    if required == "accredited":
        return known.accredited, known.accredited_until
    raise ValueError(f"standing {required!r}")
