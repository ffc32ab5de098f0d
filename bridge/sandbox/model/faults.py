"""What can go wrong at a bank, on request: one enum of faults and one plan that says when each happens.

Draws do not come from a running random stream but from a hash of seed, rule, key and how often the rule was asked
about that key. So the same seed and keys give the same faults, in whatever order concurrent calls arrive.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from hashlib import blake2b
from typing import ClassVar


class Fault(StrEnum):
    REJECT = "reject"  # `code`, `reason`; with `at_settlement` only when it falls due
    INSUFFICIENT_FUNDS = "insufficient_funds"
    TIMEOUT_BEFORE = "timeout_before"  # no effect, no reply
    TIMEOUT_AFTER = "timeout_after"  # effect, no reply
    TIMEOUT_LATE = "timeout_late"  # no reply, effect after `seconds`
    ERROR_BEFORE = "error_before"  # 500, no effect
    ERROR_AFTER = "error_after"  # effect, then 500
    SLOW = "slow"  # the reply takes `seconds`
    DUPLICATE_RESPONSE = "duplicate_response"  # the reply is written twice
    STALE_QUERY = "stale_query"  # a query sees the state before the last change, or with `not_found` nothing
    LOST_CALLBACK = "lost_callback"
    DUPLICATED_CALLBACK = "duplicated_callback"
    LATE_CALLBACK = "late_callback"  # `seconds` late
    OUT_OF_ORDER_CALLBACK = "out_of_order_callback"  # after the institution's next one, at most `seconds` late
    RETURN_LATER = "return_later"  # settled, sent back after `days` and `seconds`; `code`, `amount`, `fee`, `interest`
    RETURN_UNDONE = "return_undone"  # what came back is paid again, `days` and `seconds` after the return
    SETTLED_TWICE = "settled_twice"  # booked again under its key, `days` and `seconds` later; `amount` (0: the same)
    SETTLED_AFTER_REJECTION = "settled_after_rejection"  # rejected with `code`, and settled after all
    RECALL_ACCEPTED = "recall_accepted"  # the deposit comes back; `amount`, `fee`, `interest`, `days`, `seconds`
    RECALL_REFUSED = "recall_refused"  # the recall is rejected with `code`; without either rule there is silence
    STRAY_CREDIT = "stray_credit"  # beside a settlement, money of the same sender comes under no key; `amount`
    BANK_CHARGE = "bank_charge"  # beside a settlement, a charge of `amount` under no key
    WRONG_AMOUNT = "wrong_amount"  # settles for amount + `delta`
    PARTIAL_STATEMENT = "partial_statement"  # keeps only the first `keep` (0 … 1) of a day's lines
    TRUNCATED_STATEMENT = "truncated_statement"  # the document ends after `keep` of its text
    REPEATED_STATEMENT = "repeated_statement"  # the statement of `days` before (0: one day), once more
    MISSING_LINE = "missing_line"  # booked, and on no statement
    REPEATED_LINE = "repeated_line"  # on the statement twice, the second time under another id
    WRONG_LINE = "wrong_line"  # on the statement with amount + `delta`
    LATE_LINE = "late_line"  # on the statement of `days` later (0: one day)
    FORGET_KEY = "forget_key"  # the key is forgotten `seconds` after the order


class Call(StrEnum):
    """The moment at which a fault is looked for."""

    SUBMIT = "submit"
    QUERY = "query"
    BALANCE = "balance"
    ACTIVITY = "activity"
    STATEMENT = "statement"
    CALLBACK = "callback"
    BOOKING = "booking"  # money has been booked: what else happens then, and what a statement will say of it


ANYWHERE = frozenset({Fault.TIMEOUT_BEFORE, Fault.ERROR_BEFORE, Fault.SLOW})
OWN_CALL = {
    Fault.STALE_QUERY: Call.QUERY,
    Fault.LOST_CALLBACK: Call.CALLBACK,
    Fault.DUPLICATED_CALLBACK: Call.CALLBACK,
    Fault.LATE_CALLBACK: Call.CALLBACK,
    Fault.OUT_OF_ORDER_CALLBACK: Call.CALLBACK,
    Fault.PARTIAL_STATEMENT: Call.STATEMENT,
    Fault.TRUNCATED_STATEMENT: Call.STATEMENT,
    Fault.REPEATED_STATEMENT: Call.STATEMENT,
    Fault.RETURN_UNDONE: Call.BOOKING,
    Fault.SETTLED_TWICE: Call.BOOKING,
    Fault.STRAY_CREDIT: Call.BOOKING,
    Fault.BANK_CHARGE: Call.BOOKING,
    Fault.MISSING_LINE: Call.BOOKING,
    Fault.REPEATED_LINE: Call.BOOKING,
    Fault.WRONG_LINE: Call.BOOKING,
    Fault.LATE_LINE: Call.BOOKING,
}


@dataclass(slots=True)
class FaultRule:
    """One fault and whom it hits. Empty `institution`, `account`, `kind` or `key` means any; `reference` is what the
    reference of the order must end with. `count` limits how often it strikes in all; `probability` is per call."""

    table: ClassVar[str] = "fault"

    id: int
    fault: Fault
    institution: str = ""
    account: str = ""
    kind: str = ""
    key: str = ""
    reference: str = ""
    call: Call | None = None
    count: int | None = None
    probability: float = 1.0
    code: str = ""
    reason: str = ""
    seconds: float = 0.0
    days: float = 0.0
    delta: int = 0
    amount: int = 0
    fee: int = 0
    interest: int = 0
    keep: float = 0.5
    at_settlement: bool = False
    not_found: bool = False
    used: int = 0

    def __post_init__(self) -> None:
        if self.call is None:
            self.call = OWN_CALL.get(self.fault, Call.SUBMIT)
        elif self.call is not OWN_CALL.get(self.fault, Call.SUBMIT) and self.fault not in ANYWHERE:
            raise ValueError(f"the fault {self.fault} cannot strike at a {self.call} call")

    @property
    def pk(self) -> str:
        return f"{self.id:012d}"

    def wait(self, *, default: timedelta) -> timedelta:
        """`days` and `seconds` together; `default` where neither was given."""
        return timedelta(days=self.days, seconds=self.seconds) or default


@dataclass(frozen=True, slots=True)
class Target:
    """Whom a call is about."""

    institution: str
    account: str = ""
    kind: str = ""
    key: str = ""
    reference: str = ""


class FaultPlan:
    """The rules in force, oldest first. Not thread-safe: the bank's wrapper holds the lock."""

    def __init__(self, *, seed: str = "0", rules: list[FaultRule] | None = None) -> None:
        self.seed = seed
        self.rules: dict[int, FaultRule] = {rule.id: rule for rule in rules or ()}
        self._asked: dict[tuple[int, str], int] = {}
        self._index()

    def _index(self) -> None:
        self._by_moment: dict[tuple[Fault, Call], list[FaultRule]] = {}
        for rule in self.rules.values():
            assert rule.call is not None
            self._by_moment.setdefault((rule.fault, rule.call), []).append(rule)

    def add(self, rule: FaultRule) -> None:
        self.rules[rule.id] = rule
        self._index()

    def remove(self, rule_id: int) -> FaultRule | None:
        rule = self.rules.pop(rule_id, None)
        self._index()
        return rule

    def take(self, fault: Fault, call: Call, target: Target) -> FaultRule | None:
        """The first rule of that fault that strikes now, counted as used; or nothing."""
        for rule in self._by_moment.get((fault, call), ()):
            if self._strikes(rule, target):
                rule.used += 1
                return rule
        return None

    def _strikes(self, rule: FaultRule, target: Target) -> bool:
        wanted = (rule.institution, rule.account, rule.kind, rule.key)
        actual = (target.institution, target.account, target.kind, target.key)
        if any(want and want != got for want, got in zip(wanted, actual, strict=True)):
            return False
        if not target.reference.endswith(rule.reference):
            return False
        if rule.count is not None and rule.used >= rule.count:
            return False
        return rule.probability >= 1 or self._draw(rule, target) < rule.probability

    def _draw(self, rule: FaultRule, target: Target) -> float:
        subject = target.key or target.account or target.institution
        asked = self._asked.get((rule.id, subject), 0)
        self._asked[rule.id, subject] = asked + 1
        text = f"{self.seed}|{rule.id}|{rule.fault}|{subject}|{asked}".encode()
        return int.from_bytes(blake2b(text, digest_size=8).digest(), "big") / 2**64
