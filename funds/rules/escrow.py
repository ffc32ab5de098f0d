"""Has enough come in for anything to be released to the fund?"""

from __future__ import annotations

from bridge.kernel.money import display
from funds.rules.facts import DEPOSIT, Facts
from funds.rules.outcomes import Outcome
from funds.rules.registry import Finding, Values, rule


@rule(
    id="escrow_minimum",
    version=1,
    stages=(DEPOSIT,),
    asks="Has the raise reached the minimum that the escrow wants before release?",
    needs=("escrow",),
    source="17 CFR § 240.15c2-4",
    overridable=Outcome.PASS,
)
def escrow_minimum(facts: Facts, values: Values) -> Finding:
    escrow, currency = facts.escrow, facts.fund.currency
    assert escrow is not None
    inputs = {"minimum": escrow.minimum, "raised": escrow.raised}
    if escrow.raised >= escrow.minimum:
        return Outcome.PASS, "The raise has reached its minimum.", inputs
    raised, least = display(escrow.raised, currency), display(escrow.minimum, currency)
    return Outcome.HOLD, f"{raised} has been raised; nothing is released before {least}.", inputs
