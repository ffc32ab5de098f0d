"""What the rules may know: plain frozen values, gathered before and kept with the decision.

Amounts are integer minor units of the currency beside them; times are aware. `as_json` is what a verification row
keeps, and `Facts.from_json` brings it back, so that a changed rule can be played over past transfers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from operator import attrgetter
from typing import Any, Final, Literal

from funds.rules.compliance import (
    BankDetailFacts,
    DocumentFacts,
    EligibilityFacts,
    EscrowFacts,
    KycFacts,
    OwnerFacts,
    RailFacts,
    RegimeFacts,
    SanctionsFacts,
    VelocityFacts,
)
from funds.rules.record import Record, render

Stage = Literal["create", "withdrawal", "deposit"]
CREATE: Final = "create"
WITHDRAWAL: Final = "withdrawal"
DEPOSIT: Final = "deposit"
STAGES: Final[tuple[Stage, ...]] = (CREATE, WITHDRAWAL, DEPOSIT)


@dataclass(frozen=True, slots=True)
class RequestFacts(Record, times=("now",)):
    """What is asked, at which stage, and the one time that all rules of this run see.

    `cut_from` is what it would be about if the fund itself had not cut it back; 0 where it did not. `short` is what of
    it has not come or went back, without a cut.
    """

    amount: int
    currency: str
    now: datetime
    stage: Stage
    cut_from: int = 0
    short: int = 0


@dataclass(frozen=True, slots=True)
class FundFacts(Record, times=("opens_at", "closes_at")):
    """The fund and its counters as they stand before this run. Limits that are None do not limit."""

    id: str
    name: str
    status: str
    currency: str
    minimum: int
    maximum: int | None
    opens_at: datetime
    closes_at: datetime | None
    seat_limit: int | None = None
    seats_taken: int = 0
    hard_cap: int | None = None
    reserved: int = 0
    confirmed: int = 0
    second_person_above: int | None = None


@dataclass(frozen=True, slots=True)
class PlaceFacts(Record):
    """The investor's place in this fund.

    `already` is what the investor has there, reserved and confirmed, without this transfer; `own_reserved` is what
    this very transfer has reserved, which the fund's counters include and which must not count twice. `arrived` is
    the part of `already` that has left the investor: in clearing for this fund, on its way to it, or there.
    """

    has_seat: bool = False
    already: int = 0
    own_reserved: int = 0
    arrived: int = 0


@dataclass(frozen=True, slots=True)
class AccountFacts(Record):
    status: str
    currency: str
    investor_status: str


@dataclass(frozen=True, slots=True)
class BalanceFacts(Record, times=("observed_at",)):
    """What this transfer may draw on: its own hold is not taken off. None: the institution has not told us."""

    available: int | None = None
    observed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class DuplicateFacts(Record):
    """Other transfers of the same account, fund and amount in the last 24 hours that have not ended badly.

    Not counted: rejected, cancelled, expired and failed ones. `latest` is the newest one's public id.
    """

    count: int = 0
    latest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that one run sees. A part that is None is something that this firm does not track: its rules do not run."""

    request: RequestFacts
    fund: FundFacts
    place: PlaceFacts
    account: AccountFacts
    balance: BalanceFacts = BalanceFacts()
    duplicate: DuplicateFacts = DuplicateFacts()
    regime: RegimeFacts | None = None
    eligibility: EligibilityFacts | None = None
    kyc: KycFacts | None = None
    sanctions: SanctionsFacts | None = None
    documents: DocumentFacts | None = None
    owner: OwnerFacts | None = None
    bank_details: BankDetailFacts | None = None
    velocity: VelocityFacts | None = None
    rail: RailFacts | None = None
    escrow: EscrowFacts | None = None

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Small and JSON-safe; parts that are not tracked are left out."""
        kept = {
            "request": self.request.as_json(),
            "fund": self.fund.as_json(),
            "place": self.place.as_json(),
            "account": self.account.as_json(),
            "balance": self.balance.as_json(),
            "duplicate": self.duplicate.as_json(),
        }
        for name in OPTIONAL:
            part = getattr(self, name)
            if part is not None:
                kept[name] = part.as_json()
        return kept

    def rendered(self) -> str:
        """`as_json` as text."""
        return render({name: part for name, part in zip(PARTS, _EVERY(self), strict=True) if part is not None})

    def absent(self) -> frozenset[str]:
        """The names of what this firm does not track."""
        return frozenset([name for name, part in zip(OPTIONAL, _OPTIONAL(self), strict=True) if part is None])

    @classmethod
    def from_json(cls, kept: Mapping[str, Mapping[str, Any]]) -> Facts:
        """The facts of a verification row. Raises `KeyError` or `TypeError` for a row of another shape."""
        parts: dict[str, Any] = {name: PARTS[name].from_json(values) for name, values in kept.items()}
        return cls(**parts)


PARTS: Final[Mapping[str, type[Record]]] = {
    "request": RequestFacts,
    "fund": FundFacts,
    "place": PlaceFacts,
    "account": AccountFacts,
    "balance": BalanceFacts,
    "duplicate": DuplicateFacts,
    "regime": RegimeFacts,
    "eligibility": EligibilityFacts,
    "kyc": KycFacts,
    "sanctions": SanctionsFacts,
    "documents": DocumentFacts,
    "owner": OwnerFacts,
    "bank_details": BankDetailFacts,
    "velocity": VelocityFacts,
    "rail": RailFacts,
    "escrow": EscrowFacts,
}
OPTIONAL: Final = tuple(PARTS)[6:]
_EVERY: Final[Callable[[Facts], tuple[Record | None, ...]]] = attrgetter(*PARTS)  # type: ignore[assignment]
_OPTIONAL: Final[Callable[[Facts], tuple[Record | None, ...]]] = attrgetter(*OPTIONAL)  # type: ignore[assignment]
