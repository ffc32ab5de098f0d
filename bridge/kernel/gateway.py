"""What Bridge asks of an institution, and what an institution can answer.

`InstitutionGateway` is the whole contract: another bank is one adapter that satisfies it. Amounts are integers in
minor units of `currency` (ISO 4217). Times are aware datetimes in UTC, taken from the institution's own record.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class InstructionKind(StrEnum):
    WITHDRAWAL = "withdrawal"  # investor's account → settlement account
    DEPOSIT = "deposit"  # settlement account → fund's account
    REFUND = "refund"  # settlement account → investor's account
    RECALL = "recall"  # asks the receiving bank to send a deposit back; posts nothing by itself


class Outcome(StrEnum):
    """What we know after a call. `UNKNOWN` is never a failure: the bank may have acted."""

    ACKNOWLEDGED = "acknowledged"  # accepted, not settled; `available` at the institution is net of it from now on
    SETTLED = "settled"
    REJECTED = "rejected"
    RETURNED = "returned"
    UNKNOWN = "unknown"
    NOT_FOUND = "not_found"  # answer to `find` only


@dataclass(frozen=True, slots=True)
class Order:
    """One instruction as the institution sees it. `key` is permanent: a resend carries the same one."""

    key: str
    kind: InstructionKind
    institution: str
    account_number: str
    routing_number: str
    amount: int
    currency: str
    reference: str
    rail: str = ""  # of `bridge.kernel.rails`; empty: the institution's usual one


KEPT = {"key": 200, "institution_reference": 64, "code": 20, "reason": 300}  # characters of a report's texts


@dataclass(frozen=True, slots=True)
class Report:
    """What an institution says about one instruction, by reply, by query or by callback.

    All amounts are cumulative. `settled_amount` is what has been credited under this key so far, `fee` what the
    institution kept on the way. `returned_amount` is what has reached us, or the investor, again; `interest` on top
    is in it, and `return_fee`, kept on the way back, is not. Institutions that do not itemise leave the two 0.

    Texts are the institution's own. They are cut to what we keep of them (`KEPT`), and characters that PostgreSQL has
    not become others: a long reference or a NUL is no reason not to believe what was said about the money.
    """

    key: str
    outcome: Outcome
    institution_reference: str = ""
    settled_amount: int = 0
    returned_amount: int = 0
    fee: int = 0
    code: str = ""
    reason: str = ""
    at: datetime | None = None
    return_fee: int = 0
    interest: int = 0

    def __post_init__(self) -> None:
        for name, most in KEPT.items():
            text = getattr(self, name)
            if len(text) > most or not text.isprintable():
                object.__setattr__(self, name, _storable(text)[:most])


def _storable(text: str) -> str:
    """Without NUL and halves of surrogate pairs."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


@dataclass(frozen=True, slots=True)
class Balance:
    """`available` is by contract net of every instruction that the institution has acknowledged."""

    available: int
    current: int
    currency: str
    at: datetime


@dataclass(frozen=True, slots=True)
class AccountRef:
    """An account at an institution, as its owner writes it on a form."""

    institution: str
    account_number: str
    routing_number: str
    currency: str


@dataclass(frozen=True, slots=True)
class Activity:
    """One line of an institution's own record. `amount` is positive; `direction` is seen from the customer's
    account at that institution: `debit` took money out of it, `credit` put money into it. `kind` is an
    `InstructionKind` or `return`, `fee`, `other`. `key` is empty where the institution does not know ours. `sender`
    and `reference` are what the line says of who paid and why, for people to read."""

    id: str
    key: str
    kind: str
    direction: str
    amount: int
    currency: str
    account_last4: str
    institution_reference: str
    code: str
    at: datetime
    sender: str = ""
    reference: str = ""


class InstitutionGateway(Protocol):
    """Adapters raise nothing for what a bank may do: a lost reply or a 5xx comes back as `Outcome.UNKNOWN`.

    `balance` and `activity` are reads and raise `GatewayUnavailable` after their retries are spent.
    """

    def submit(self, order: Order) -> Report:
        """Send once. Never retried inside the adapter."""
        ...

    def find(self, key: str) -> Report:
        """What the institution knows under our key; `NOT_FOUND` where it knows nothing."""
        ...

    def balance(self, account: AccountRef) -> Balance: ...

    def activity(self, since: datetime) -> Iterable[Activity]: ...

    def reading(self, payload: Mapping[str, Any]) -> Report:
        """The JSON of a callback that was verified when it came, as a report. Raises `InvalidCallback`."""
        ...


class CallsBack(Protocol):
    """An adapter that can verify its institution's messages itself. Bridge does not ask for it: it verifies callbacks
    where they arrive, and has them read by `reading`."""

    def callback(self, headers: Mapping[str, str], body: bytes) -> tuple[str, Report]:
        """A received callback as its stable message id and a report. Raises `InvalidCallback`."""
        ...


class InvalidCallback(Exception):
    """A callback that is not from this institution, is too old, or makes no sense. Answer it with a 4xx."""


class GatewayUnavailable(Exception):
    """A read that the institution did not answer after the adapter's retries; `answered` where it did, with a no."""

    def __init__(self, institution: str, why: str, *, answered: bool = False) -> None:
        super().__init__(f"{institution} did not answer: {why}")
        self.institution = institution
        self.why = why
        self.answered = answered
