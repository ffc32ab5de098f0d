from funds.models.closing import Closing, ClosingStep
from funds.models.compliance import RuleOverride, RuleParameters, Subscription
from funds.models.fund import Fund
from funds.models.place import Allocation, FundCapacity, Reservation
from funds.models.verification import Verification

__all__ = [
    "Allocation",
    "Closing",
    "ClosingStep",
    "Fund",
    "FundCapacity",
    "Reservation",
    "RuleOverride",
    "RuleParameters",
    "Subscription",
    "Verification",
]
