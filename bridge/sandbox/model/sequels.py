"""What an institution does besides what it was asked: planned at the moment when it books something.

Nothing moves here. A plan is a follow-up that the bank carries out when its time comes, or a misprint on a line.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from bridge.sandbox.model.books import Books
from bridge.sandbox.model.faults import Call, Fault, FaultRule, Target
from bridge.sandbox.model.records import FollowUp, Instruction, Sequel, StatementLine

SOON = timedelta(seconds=60)
ONE_DAY = timedelta(days=1)
CHARGE = 2_500  # minor units, where a rule names no amount
MISPRINTS = (Fault.MISSING_LINE, Fault.REPEATED_LINE, Fault.WRONG_LINE, Fault.LATE_LINE)


def target_of(instruction: Instruction) -> Target:
    terms = instruction.terms
    return Target(instruction.institution, terms.account_number, terms.kind, terms.key, terms.reference)


def after_settlement(books: Books, instruction: Instruction, *, credited: int, at: datetime) -> None:
    """The first settlement of an instruction may be booked again, or come with money under no key of ours."""
    for fault, what, amount in (
        (Fault.SETTLED_TWICE, Sequel.SETTLE, credited),
        (Fault.STRAY_CREDIT, Sequel.STRAY_CREDIT, credited),
        (Fault.BANK_CHARGE, Sequel.BANK_CHARGE, CHARGE),
    ):
        if rule := _take(books, fault, instruction):
            plan(books, instruction, what, at=at + rule.wait(default=SOON), amount=rule.amount or amount, rule=rule)


def after_return(books: Books, instruction: Instruction, *, amount: int, at: datetime) -> None:
    """A return may be undone: the same amount is paid again, under the same key."""
    if rule := _take(books, Fault.RETURN_UNDONE, instruction):
        plan(books, instruction, Sequel.SETTLE, at=at + rule.wait(default=ONE_DAY), amount=amount, rule=rule)


def plan(books: Books, instruction: Instruction, what: Sequel, *, at: datetime, amount: int, rule: FaultRule) -> None:
    planned = FollowUp(books.next_id(), at, what, instruction.id, amount, rule.reason)
    books.follow_ups[planned.id] = planned
    books.touch(planned)
    books.schedule(at, "follow_up", planned.id)


def misprint(books: Books, instruction: Instruction, line: StatementLine) -> None:
    """Decide, once and for all, what statements will say about a line. The books keep what is true."""
    for fault in MISPRINTS:
        rule = _take(books, fault, instruction)
        if rule is None:
            continue
        line.misprint, line.printed_amount = fault.value, line.amount
        if fault is Fault.REPEATED_LINE:
            line.copy_id = books.next_id()
        elif fault is Fault.WRONG_LINE:
            line.printed_amount = max(1, line.amount + (rule.delta or 1))
        elif fault is Fault.LATE_LINE:
            line.printed_at = line.at + rule.wait(default=ONE_DAY)
        return


def _take(books: Books, fault: Fault, instruction: Instruction) -> FaultRule | None:
    rule = books.faults.take(fault, Call.BOOKING, target_of(instruction))
    if rule is not None:
        books.touch(rule)
    return rule
