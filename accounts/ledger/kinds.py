"""The kinds of ledger accounts: each says where money is."""

from __future__ import annotations

from django.db import models


class Kind(models.TextChoices):
    CASH = "cash", "cash"
    WITHDRAWAL_IN_TRANSIT = "withdrawal_in_transit", "withdrawal in transit"
    CLEARING = "clearing", "clearing"
    DEPOSIT_IN_TRANSIT = "deposit_in_transit", "deposit in transit"
    REFUND_IN_TRANSIT = "refund_in_transit", "refund in transit"
    FROZEN = "frozen", "frozen"
    SUSPENSE = "suspense", "suspense"
    FEES = "fees", "fees"
    OUTSIDE = "outside", "outside"
    FIRM_ADVANCE = "firm_advance", "firm advance"


INVESTOR_KINDS = (
    Kind.CASH,
    Kind.WITHDRAWAL_IN_TRANSIT,
    Kind.CLEARING,
    Kind.REFUND_IN_TRANSIT,
    Kind.FROZEN,
)
FUND_KINDS = (Kind.DEPOSIT_IN_TRANSIT, Kind.CASH)
CURRENCY_KINDS = (Kind.SUSPENSE, Kind.FEES, Kind.OUTSIDE, Kind.FIRM_ADVANCE)

# Other people's books, and the firm's own float: only what moved through Bridge, so either sign is right.
SIGNED_KINDS = (Kind.CASH, Kind.FEES, Kind.OUTSIDE, Kind.FIRM_ADVANCE)
# Money that is on the bridge.
BRIDGE_KINDS = (
    Kind.WITHDRAWAL_IN_TRANSIT,
    Kind.CLEARING,
    Kind.DEPOSIT_IN_TRANSIT,
    Kind.REFUND_IN_TRANSIT,
    Kind.FROZEN,
)
