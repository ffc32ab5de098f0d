"""Is it more, or more often, than this investor is expected to send?"""

from __future__ import annotations

from typing import Final

from bridge.kernel.money import display
from funds.rules.facts import CREATE, Facts
from funds.rules.outcomes import Outcome
from funds.rules.registry import TRANSFER, Finding, Parameter, Values, rule

WINDOWS: Final = {"day": "24 hours", "week": "7 days", "month": "30 days"}
SUM: Final = "Sum of transfers, in minor units of the transfer's currency,"


@rule(
    id="velocity",
    version=1,
    stages=(CREATE,),
    asks="Do number and sum of the investor's transfers stay within the limits of 24 hours, 7 days and 30 days?",
    parameters={
        name: parameter
        for window, words in WINDOWS.items()
        for name, parameter in (
            (f"max_count_{window}", Parameter(None, int, f"Transfers in {words}; none: no limit.")),
            (f"max_sum_{window}", Parameter(None, int, f"{SUM} in {words}; none: no limit.", TRANSFER)),
        )
    },
    needs=("velocity",),
)
def velocity(facts: Facts, values: Values) -> Finding:
    """This transfer counts. Only at the request: who has released it once is not asked again."""
    seen, request = facts.velocity, facts.request
    assert seen is not None
    inputs = seen.as_json()
    for window, words in WINDOWS.items():
        count, most = inputs[f"count_{window}"] + 1, values[f"max_count_{window}"]
        if most is not None and count > most:
            return Outcome.HOLD, f"This would be transfer {count:,} in {words}; {most:,} are expected.", inputs
        total, highest = inputs[f"sum_{window}"] + request.amount, values[f"max_sum_{window}"]
        if highest is not None and total > highest:
            asked, expected = display(total, request.currency), display(highest, request.currency)
            return Outcome.HOLD, f"This would make {asked} in {words}; up to {expected} is expected.", inputs
    return Outcome.PASS, "Within the usual.", inputs
