"""Facts that a firm may or may not track. Where the whole record is None, its rules do not run.

A field that is None or empty inside a record that is there means *not known*: then a person must look. None of these
records holds an account number: they are kept for ever with the decision.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from funds.rules.record import Record


@dataclass(frozen=True, slots=True)
class RegimeFacts(Record):
    """The exemption under which the fund is not an investment company, and how many owners it counts by now.

    `regime`: `3c1`, `3c1_venture` (a qualifying venture capital fund), `3c7`, or `none` where no limit applies.
    `owners` counts by weight; `counted_weight` is this investor's part of it, 0 when it is not counted yet.
    `look_through_owners` is how many owners stand behind an investor that is itself a fund, `counsel_weight` what
    counsel decided in its place. `contributed_elsewhere`: promised to the fund outside Bridge, in its currency.
    """

    regime: str
    owners: int
    counted_weight: int = 0
    investor_is_fund: bool = False
    look_through_owners: int | None = None
    counsel_weight: int | None = None
    contributed_elsewhere: int = 0


@dataclass(frozen=True, slots=True)
class EligibilityFacts(Record, times=("accredited_until", "qualified_purchaser_until")):
    """What the fund asks of its investors (`none`, `accredited`, `qualified_purchaser`) and what was established.

    None: never established. An `…_until` of None: without expiry.
    """

    required: str
    accredited: bool | None = None
    accredited_until: datetime | None = None
    qualified_purchaser: bool | None = None
    qualified_purchaser_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class KycFacts(Record, times=("verified_at",)):
    """`status`: `verified`, `pending`, `refused`, or empty when nothing was begun."""

    status: str = ""
    verified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class SanctionsFacts(Record, times=("screened_at",)):
    """`status`: `clear`, `possible_hit`, `true_hit`, or empty when nobody was screened."""

    status: str = ""
    screened_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DocumentFacts(Record):
    """Names of the subscription documents that this fund wants, and of those that this investor has signed."""

    required: tuple[str, ...] = ()
    signed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class OwnerFacts(Record):
    """The investor's legal name and the owner that the institution names (empty: it named none).

    `confirmed`: two people have established that both are the same.
    """

    investor: str
    account_owner: str = ""
    confirmed: bool = False


@dataclass(frozen=True, slots=True)
class BankDetailFacts(Record, times=("verified_at", "changed_at")):
    """`routing_number`: the nine digits of the ABA, or empty. `iban_valid`: what `checksums.iban_is_valid` said."""

    verified_at: datetime | None = None
    changed_at: datetime | None = None
    routing_number: str = ""
    iban_valid: bool | None = None


@dataclass(frozen=True, slots=True)
class VelocityFacts(Record):
    """This investor's other transfers in the windows that end now, in the currency of the request."""

    count_day: int = 0
    sum_day: int = 0
    count_week: int = 0
    sum_week: int = 0
    count_month: int = 0
    sum_month: int = 0


@dataclass(frozen=True, slots=True)
class RailFacts(Record):
    """The way on which the next leg would go: `ach`, `same_day_ach`, `fedwire`, `fednow` or `rtp`."""

    rail: str


@dataclass(frozen=True, slots=True)
class EscrowFacts(Record):
    """What must have come in before anything is released to the fund, and what has, this transfer included."""

    minimum: int
    raised: int
