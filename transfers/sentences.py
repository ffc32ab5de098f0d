"""Sentences that Bridge itself writes as the reason of an event, and that everybody may read. Pure.

What people typed stands in the same fields. `transfers.disclosure` tells the two apart by this list.
"""

from __future__ import annotations

from typing import Final

from transfers.closing import PlanKind

CLOSING: Final = {
    PlanKind.SETTLE: "The fund is closing and takes only what has begun to move.",
    PlanKind.CUT_BACK: "The fund takes less than was promised to it and was cut back.",
    PlanKind.RETURN_ALL: "The raise did not come about; all money is returned.",
}
PART_OF_WITHDRAWAL_RETURNED: Final = "A part of the withdrawal was returned."
PART_OF_DEPOSIT_RETURNED: Final = "The fund's bank sent back a part of the deposit."
FORMER_FUND_SETTLED: Final = "A deposit to this fund that had been taken for lost has settled after all."
REVIEWED: Final = "Rejected after a review."

FOR_EVERYBODY: Final = frozenset(
    {*CLOSING.values(), PART_OF_WITHDRAWAL_RETURNED, PART_OF_DEPOSIT_RETURNED, FORMER_FUND_SETTLED, REVIEWED}
)
