"""Money moves here and nowhere else: settle, reject, send back. Each writes its lines; none of them calls back.

What else an institution does when it books something is planned by `sequels`.
"""

from __future__ import annotations

from datetime import datetime

from bridge.kernel.gateway import InstructionKind
from bridge.sandbox.model import sequels
from bridge.sandbox.model.books import Books
from bridge.sandbox.model.records import Account, ActivityLine, Instruction, StatementLine, Status

Kind = InstructionKind


def customer_account(books: Books, instruction: Instruction) -> Account:
    return books.accounts[instruction.institution, instruction.terms.account_number]


def payer(books: Books, instruction: Instruction) -> Account:
    """The account that the money leaves: the investor's for a withdrawal, else the settlement account."""
    if instruction.terms.kind is Kind.WITHDRAWAL:
        return customer_account(books, instruction)
    return books.settlement(instruction.terms.currency)


def reserve(books: Books, instruction: Instruction) -> None:
    if instruction.terms.kind is Kind.RECALL:
        return
    account = payer(books, instruction)
    instruction.reserved = instruction.terms.amount
    account.reserved += instruction.reserved
    books.touch(account)


def release(books: Books, instruction: Instruction) -> None:
    if instruction.reserved:
        account = payer(books, instruction)
        account.reserved -= instruction.reserved
        instruction.reserved = 0
        books.touch(account)


def settle(books: Books, instruction: Instruction, *, credited: int, fee: int, at: datetime) -> None:
    """Credit `credited` to the receiver and keep `fee`; the payer pays both. May happen late, or twice."""
    release(books, instruction)
    terms = instruction.terms
    first = instruction.settled_amount == 0
    if terms.kind is not Kind.RECALL:
        customer, settlement = customer_account(books, instruction), books.settlement(terms.currency)
        source, target = (customer, settlement) if terms.kind is Kind.WITHDRAWAL else (settlement, customer)
        books.move(source, target, credited)
        books.move(source, books.fees(terms.currency), fee)
        if terms.kind is Kind.WITHDRAWAL:
            _activity(books, instruction, terms.kind.value, "debit", credited, at=at)
            _activity(books, instruction, "fee", "debit", fee, at=at)
            _statement(books, instruction, terms.kind.value, "credit", credited, at=at)
        else:
            _activity(books, instruction, terms.kind.value, "credit", credited, at=at)
            _statement(books, instruction, terms.kind.value, "debit", credited + fee, at=at)
        instruction.settled_amount += credited
        instruction.fee += fee
    _state(books, instruction, Status.SETTLED, "", "", at=at)
    if first and credited:
        sequels.after_settlement(books, instruction, credited=credited, at=at)


def reject(books: Books, instruction: Instruction, *, code: str, reason: str, at: datetime) -> None:
    release(books, instruction)
    _state(books, instruction, Status.REJECTED, code, reason, at=at)


def send_back(
    books: Books,
    instruction: Instruction,
    *,
    amount: int,
    code: str,
    reason: str,
    at: datetime,
    fee: int = 0,
    interest: int = 0,
) -> None:
    """Reverse `amount` of what has settled. The receiver pays, even below zero: banks take returns by force.

    Of a deposit or refund the bank may keep `fee` on the way back, and the receiver may add `interest`.
    """
    terms = instruction.terms
    customer, settlement = customer_account(books, instruction), books.settlement(terms.currency)
    if terms.kind is Kind.WITHDRAWAL:
        arrived, fee, interest = amount, 0, 0
        books.move(settlement, customer, arrived)
        _activity(books, instruction, "return", "credit", arrived, at=at, code=code)
        _statement(books, instruction, "return", "debit", arrived, at=at, code=code)
    else:
        fee = min(fee, amount)
        arrived = amount - fee + interest
        books.move(customer, settlement, arrived)
        books.move(customer, books.fees(terms.currency), fee)
        _activity(books, instruction, "return", "debit", arrived, at=at, code=code)
        _activity(books, instruction, "fee", "debit", fee, at=at, code=code)
        _statement(books, instruction, "return", "credit", arrived, at=at, code=code)
    instruction.returned_amount += arrived
    instruction.return_fee += fee
    instruction.interest += interest
    _state(books, instruction, Status.RETURNED, code, reason, at=at)
    sequels.after_return(books, instruction, amount=arrived, at=at)


def send_back_planned(books: Books, instruction: Instruction, *, at: datetime) -> bool:
    """The return that was planned for this instruction, now. False where nothing is left to return."""
    wanted, fee, interest = instruction.return_amount, instruction.return_keeps, instruction.return_adds
    instruction.return_at, instruction.return_keeps, instruction.return_adds = None, 0, 0
    books.touch(instruction)
    amount = min(wanted or instruction.kept, instruction.kept)
    if amount <= 0:
        return False  # it came back already, or was never settled
    code = instruction.return_code
    send_back(books, instruction, amount=amount, code=code, reason="Returned", at=at, fee=fee, interest=interest)
    return True


def book_outside(
    books: Books, *, currency: str, amount: int, kind: str, reference: str, institution: str, at: datetime
) -> StatementLine:
    """Money that enters (+) or leaves (-) the settlement account under none of our keys."""
    books.move(books.outside(currency), books.settlement(currency), amount)
    line = StatementLine(
        id=books.next_id(),
        currency=currency,
        key="",
        reference=reference,
        kind=kind,
        direction="credit" if amount > 0 else "debit",
        amount=abs(amount),
        institution=institution,
        institution_reference="",
        code="",
        at=at,
        balance=books.settlement(currency).current,
    )
    books.add_statement(line)
    return line


def _state(books: Books, instruction: Instruction, status: Status, code: str, reason: str, *, at: datetime) -> None:
    instruction.status, instruction.code, instruction.reason, instruction.at = status, code, reason, at
    instruction.settle_at = None
    books.touch(instruction)


def _activity(
    books: Books, instruction: Instruction, kind: str, direction: str, amount: int, *, at: datetime, code: str = ""
) -> None:
    if amount == 0:
        return
    terms = instruction.terms
    books.add_activity(
        ActivityLine(
            id=books.next_id(),
            institution=instruction.institution,
            account_number=terms.account_number,
            key=terms.key,
            kind=kind,
            direction=direction,
            amount=amount,
            currency=terms.currency,
            institution_reference=instruction.institution_reference,
            code=code,
            at=at,
        )
    )


def _statement(
    books: Books, instruction: Instruction, kind: str, direction: str, amount: int, *, at: datetime, code: str = ""
) -> None:
    if amount == 0:
        return
    terms = instruction.terms
    line = StatementLine(
        id=books.next_id(),
        currency=terms.currency,
        key=terms.key,
        reference=terms.reference,
        kind=kind,
        direction=direction,
        amount=amount,
        institution=instruction.institution,
        institution_reference=instruction.institution_reference,
        code=code,
        at=at,
        balance=books.settlement(terms.currency).current,
    )
    sequels.misprint(books, instruction, line)
    books.add_statement(line)
