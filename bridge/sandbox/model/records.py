"""What the bank writes down. Amounts are integers in minor units; times are aware datetimes in UTC.

Every record has a `table` and a `pk`, so that a store can keep it as one row and give it back.

Longer than most modules: all records, one after another.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from bridge.kernel.gateway import InstructionKind


class Record(Protocol):
    """One row of a store."""

    table: ClassVar[str]

    @property
    def pk(self) -> str: ...


class Status(StrEnum):
    ACKNOWLEDGED = "acknowledged"
    SETTLED = "settled"
    REJECTED = "rejected"
    RETURNED = "returned"


class Owner(StrEnum):
    INVESTOR = "investor"
    FUND = "fund"
    SETTLEMENT = "settlement"  # the one account of Bridge, per currency
    BANK = "bank"  # the bank's own: fees it earned, and the world outside


@dataclass(frozen=True, slots=True)
class Terms:
    """The body of one order: what must be the same when its key comes again."""

    key: str
    kind: InstructionKind
    account_number: str
    routing_number: str
    amount: int
    currency: str
    reference: str
    rail: str = ""


@dataclass(slots=True)
class Account:
    table: ClassVar[str] = "account"

    institution: str
    number: str
    routing: str
    currency: str
    owner: Owner
    current: int = 0
    reserved: int = 0  # acknowledged orders that will take money out
    is_open: bool = True

    @property
    def pk(self) -> str:
        return f"{self.institution}/{self.number}"

    @property
    def available(self) -> int:
        """Net of everything acknowledged, as the gateway contract demands."""
        return self.current - self.reserved


@dataclass(slots=True)
class Instruction:
    """One order and all that became of it. The amounts are cumulative.

    `returned_amount` is what reached the one who had paid: `interest` on top is in it, `return_fee` is not.
    """

    table: ClassVar[str] = "instruction"

    id: int
    institution: str
    terms: Terms
    institution_reference: str
    status: Status
    created_at: datetime
    at: datetime
    key_expires_at: datetime
    settled_amount: int = 0
    returned_amount: int = 0
    fee: int = 0
    return_fee: int = 0
    interest: int = 0
    code: str = ""
    reason: str = ""
    reserved: int = 0  # what it still holds of the account that pays
    forgotten: bool = False
    settle_at: datetime | None = None
    settle_amount: int = 0  # what will be credited, before the fee is known to be kept
    settle_fee: int = 0
    reject_code: str = ""  # set: it is rejected when it falls due, instead of settling
    reject_reason: str = ""
    return_at: datetime | None = None
    return_code: str = ""
    return_amount: int = 0  # 0: whatever has settled
    return_keeps: int = 0  # the fee of the return to come
    return_adds: int = 0  # the interest on top of it
    recalled_by: str = ""  # key of the recall that asked for it back
    first_answer: dict[str, Any] = field(default_factory=dict)

    @property
    def pk(self) -> str:
        return f"{self.id:012d}"

    @property
    def kept(self) -> int:
        """What the receiver still has of everything that was credited to it."""
        return self.settled_amount - (self.returned_amount + self.return_fee - self.interest)


@dataclass(slots=True)
class Arrival:
    """An order that the network delivers late: its sender saw a timeout and the bank has not seen it yet."""

    table: ClassVar[str] = "arrival"

    id: int
    institution: str
    terms: Terms
    at: datetime

    @property
    def pk(self) -> str:
        return f"{self.id:012d}"


class Sequel(StrEnum):
    """What follows a booking by itself."""

    SETTLE = "settle"  # once more under the same key
    STRAY_CREDIT = "stray_credit"
    BANK_CHARGE = "bank_charge"


@dataclass(slots=True)
class FollowUp:
    """Something that the bank will do about an instruction without being asked. `amount` 0 is the order's own."""

    table: ClassVar[str] = "follow_up"

    id: int
    at: datetime
    what: Sequel
    instruction_id: int
    amount: int = 0
    reason: str = ""

    @property
    def pk(self) -> str:
        return f"{self.id:012d}"


@dataclass(slots=True)
class ActivityLine:
    """One line of an institution's record, seen from its customer's account."""

    table: ClassVar[str] = "activity"

    id: int
    institution: str
    account_number: str
    key: str
    kind: str
    direction: str
    amount: int
    currency: str
    institution_reference: str
    code: str
    at: datetime

    @property
    def pk(self) -> str:
        return f"{self.id:012d}"


@dataclass(slots=True)
class StatementLine:
    """One line of the settlement account. `balance` is the booked balance after it.

    With a `misprint` the statement says something else than the books: nothing (`missing_line`), the line twice (the
    second as `copy_id`), `printed_amount`, or the line at `printed_at` instead.
    """

    table: ClassVar[str] = "statement"

    id: int
    currency: str
    key: str
    reference: str
    kind: str
    direction: str
    amount: int
    institution: str
    institution_reference: str
    code: str
    at: datetime
    balance: int
    misprint: str = ""
    copy_id: int = 0
    printed_amount: int = 0
    printed_at: datetime | None = None

    @property
    def pk(self) -> str:
        return f"{self.id:012d}"


@dataclass(slots=True)
class Callback:
    """A notice that waits to be sent. `id` is stable over all its deliveries."""

    table: ClassVar[str] = "callback"

    seq: int
    id: str
    institution: str
    due_at: datetime
    payload: dict[str, Any]

    @property
    def pk(self) -> str:
        return f"{self.seq:012d}"
