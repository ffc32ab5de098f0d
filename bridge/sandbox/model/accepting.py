"""Is an order good, and what will become of it? Decided once, when it arrives, and written on the instruction.

Codes are NACHA return reason codes (R01, R02, …) and, where NACHA has none, ISO 20022 external codes (AM03, …).
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.kernel.gateway import InstructionKind
from bridge.sandbox.model import sequels, settling
from bridge.sandbox.model.books import Books
from bridge.sandbox.model.calendar import due, zone
from bridge.sandbox.model.faults import Call, Fault, FaultRule, Target
from bridge.sandbox.model.records import Instruction, Owner, Sequel, Status, Terms
from bridge.sandbox.model.settings import Rail
from bridge.sandbox.model.views import instruction_view

Kind = InstructionKind
OWNER_OF = {
    Kind.WITHDRAWAL: Owner.INVESTOR,
    Kind.REFUND: Owner.INVESTOR,
    Kind.DEPOSIT: Owner.FUND,
    Kind.RECALL: Owner.FUND,
}
REASONS = {
    "R01": "Insufficient funds",
    "R02": "Account closed",
    "R03": "No account, or unable to locate it",
    "R10": "Customer advises that the payment was not authorized",
    "R13": "Invalid routing number",
    "R16": "Account frozen",
    "R20": "Not an account for this kind of payment",
    "R23": "Credit refused by the receiver",
    "R29": "Payment not authorized",
    "AM03": "Currency not allowed on this account",
    "NOOR": "No original payment found to recall",
    "FOCR": "Returned following a recall",
    "CUST": "The receiver does not agree to give it back",
    "LEGL": "A legal decision forbids to give it back",
    "ARDT": "It was returned before",
}
RETURN_TIME = timedelta(days=2)


def accept(books: Books, *, institution: str, terms: Terms, target: Target, now: datetime) -> Instruction:
    """Write the order down: rejected at once, settled at once, or acknowledged with a time to settle."""
    number = books.next_id()
    instruction = Instruction(
        id=number,
        institution=institution,
        terms=terms,
        institution_reference=f"{institution[:3].upper()}{books.meta.epoch.upper()}{number:09d}",
        status=Status.ACKNOWLEDGED,
        created_at=now,
        at=now,
        key_expires_at=_key_expiry(books, target, now),
    )
    books.instructions[number] = instruction
    books.keys[institution, terms.key] = instruction
    bad = _objection(books, institution, terms)
    injected = None if bad else _injected_rejection(books, target)
    if injected is not None:
        code = injected.code or _default_code(injected.fault, terms.kind)
        bad = code, injected.reason or REASONS.get(code, "Rejected")
    if bad is not None and not (injected and injected.at_settlement):
        settling.reject(books, instruction, code=bad[0], reason=bad[1], at=now)
    elif terms.kind is Kind.RECALL:
        _mark_recalled(books, instruction, target, now)
    else:
        settling.reserve(books, instruction)
        _plan_outcome(books, instruction, target, now)
        if bad is not None:
            instruction.reject_code, instruction.reject_reason = bad
    if injected is not None and injected.fault is Fault.SETTLED_AFTER_REJECTION:
        at = (instruction.settle_at or now) + injected.wait(default=sequels.SOON)
        sequels.plan(books, instruction, Sequel.SETTLE, at=at, amount=injected.amount, rule=injected)
    if instruction.settle_at is not None and instruction.settle_at <= now and not instruction.reject_code:
        credited, fee = instruction.settle_amount, instruction.settle_fee
        settling.settle(books, instruction, credited=credited, fee=fee, at=now)
        if instruction.return_at is not None and instruction.return_at <= now:
            settling.send_back_planned(books, instruction, at=now)
    elif instruction.settle_at is not None:
        books.schedule(instruction.settle_at, "settle", number)
    instruction.first_answer = instruction_view(instruction)
    books.touch(instruction)
    return instruction


def _objection(books: Books, institution: str, terms: Terms) -> tuple[str, str] | None:
    """What an honest bank says against an order: `(code, reason)`."""
    account = books.accounts.get((institution, terms.account_number))
    code = ""
    if account is None:
        code = "R03"
    elif account.routing != terms.routing_number:
        code = "R13"
    elif not account.is_open:
        code = "R02"
    elif account.owner is not OWNER_OF[terms.kind]:
        code = "R20"
    elif account.currency != terms.currency:
        code = "AM03"
    elif (terms.kind is Kind.WITHDRAWAL and account.available < terms.amount) or (
        terms.kind in (Kind.DEPOSIT, Kind.REFUND)
        and not books.settings.settlement_overdraft
        and books.settlement(terms.currency).available < terms.amount
    ):
        code = "R01"
    elif terms.kind is Kind.RECALL and _recalled(books, institution, terms) is None:
        code = "NOOR"
    return (code, REASONS[code]) if code else None


def _injected_rejection(books: Books, target: Target) -> FaultRule | None:
    for fault in (Fault.INSUFFICIENT_FUNDS, Fault.REJECT, Fault.SETTLED_AFTER_REJECTION):
        if fault is Fault.SETTLED_AFTER_REJECTION and target.kind == Kind.RECALL:
            continue  # it moves no money that could settle
        if rule := _take(books, fault, target):
            return rule
    return None


def _default_code(fault: Fault, kind: InstructionKind) -> str:
    if fault is Fault.INSUFFICIENT_FUNDS:
        return "R01"
    return "R29" if kind is Kind.WITHDRAWAL else "R23"


def _plan_outcome(books: Books, instruction: Instruction, target: Target, now: datetime) -> None:
    settings = books.settings
    house = settings.institutions[instruction.institution]
    rail = rail_of(books, instruction.institution, instruction.terms.rail)
    fee = min(house.fee, instruction.terms.amount)
    instruction.settle_at = due(now, rail, zone(settings.timezone))
    instruction.settle_amount, instruction.settle_fee = instruction.terms.amount - fee, fee
    if rule := _take(books, Fault.WRONG_AMOUNT, target):
        instruction.settle_amount = max(0, instruction.settle_amount + (rule.delta or -1))
    if rule := _take(books, Fault.RETURN_LATER, target):
        wait = timedelta(0) if rule.at_settlement else rule.wait(default=RETURN_TIME)
        _plan_return(books, instruction, rule, at=instruction.settle_at + wait, code=rule.code or "R10")


def _plan_return(books: Books, instruction: Instruction, rule: FaultRule | None, *, at: datetime, code: str) -> None:
    instruction.return_at, instruction.return_code = at, code
    if rule is not None:
        instruction.return_amount = rule.amount
        instruction.return_keeps, instruction.return_adds = rule.fee, rule.interest
    books.schedule(at, "return", instruction.id)


def rail_of(books: Books, institution: str, name: str) -> Rail:
    house = books.settings.institutions[institution]
    return house.rails.get(name) or house.rails[house.default_rail]


def _recalled(books: Books, institution: str, terms: Terms) -> Instruction | None:
    """The settled or travelling deposit that a recall names by its key, in `reference`."""
    deposit = books.keys.get((institution, terms.reference))
    if deposit is None or deposit.terms.kind is not Kind.DEPOSIT:
        return None
    left = deposit.kept if deposit.settled_amount else deposit.terms.amount
    same = deposit.terms.account_number == terms.account_number and terms.amount <= left
    return deposit if same and deposit.status is not Status.REJECTED else None


def _mark_recalled(books: Books, recall: Instruction, target: Target, now: datetime) -> None:
    """Refused or accepted where a rule or the settings say so; else the receiving bank stays silent."""
    deposit = _recalled(books, recall.institution, recall.terms)
    assert deposit is not None  # checked as an objection
    deposit.recalled_by = recall.terms.key
    rail, where = rail_of(books, recall.institution, recall.terms.rail), zone(books.settings.timezone)
    if refused := _take(books, Fault.RECALL_REFUSED, target):
        recall.settle_at = now + refused.wait(default=due(now, rail, where) - now)
        recall.reject_code = refused.code or "CUST"
        recall.reject_reason = refused.reason or REASONS.get(recall.reject_code, "The recall is refused")
    elif (accepted := _take(books, Fault.RECALL_ACCEPTED, target)) or books.settings.recall_honoured:
        start = max(now, deposit.settle_at or now)
        asked_before = deposit.return_amount if deposit.return_at is not None else 0
        wait = due(start, rail, where) - start
        at = start + (accepted.wait(default=wait) if accepted else wait)
        _plan_return(books, deposit, accepted, at=at, code=(accepted and accepted.code) or "FOCR")
        deposit.return_amount = asked_before + ((accepted and accepted.amount) or recall.terms.amount)
    books.touch(deposit)


def _key_expiry(books: Books, target: Target, now: datetime) -> datetime:
    rule = _take(books, Fault.FORGET_KEY, target)
    seconds = rule.seconds if rule else books.settings.key_lifetime_seconds
    return now + timedelta(seconds=seconds)


def _take(books: Books, fault: Fault, target: Target) -> FaultRule | None:
    rule = books.faults.take(fault, Call.SUBMIT, target)
    if rule is not None:
        books.touch(rule)
    return rule
