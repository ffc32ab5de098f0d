"""What becomes of an instruction after its order: it settles, is rejected or comes back, when due or by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bridge.kernel.gateway import InstructionKind
from bridge.sandbox.model import settling
from bridge.sandbox.model.books import Books
from bridge.sandbox.model.delivery import Problem
from bridge.sandbox.model.notices import Notices
from bridge.sandbox.model.records import Instruction, Sequel, Status


class Aftermath:
    """Moves the money and calls back."""

    def __init__(self, books: Books, notices: Notices) -> None:
        self._books = books
        self._notices = notices

    def settle_due(self, instruction_id: int, at: datetime) -> None:
        instruction = self._books.instructions[instruction_id]
        if instruction.settle_at != at or instruction.status is not Status.ACKNOWLEDGED:
            return  # it was forced meanwhile
        if instruction.reject_code:
            code, reason = instruction.reject_code, instruction.reject_reason
            settling.reject(self._books, instruction, code=code, reason=reason, at=at)
        else:
            credited, fee = instruction.settle_amount, instruction.settle_fee
            settling.settle(self._books, instruction, credited=credited, fee=fee, at=at)
            if instruction.return_at is not None and instruction.return_at <= at:
                settling.send_back_planned(self._books, instruction, at=at)  # the first that anybody hears of it
        self._notices.announce(instruction, at)

    def return_due(self, instruction_id: int, at: datetime) -> None:
        instruction = self._books.instructions[instruction_id]
        if instruction.return_at != at or instruction.status is Status.ACKNOWLEDGED:
            return
        if settling.send_back_planned(self._books, instruction, at=at):
            self._notices.announce(instruction, at)
            self._settle_recall(instruction, at)

    def follow_up(self, planned_id: int, at: datetime) -> None:
        """What was planned when something was booked: once more under its key, or money under no key of ours."""
        planned = self._books.follow_ups.pop(planned_id)
        self._books.forget(planned)
        instruction = self._books.instructions[planned.instruction_id]
        if planned.what is Sequel.SETTLE:
            amount = planned.amount or instruction.terms.amount
            settling.settle(self._books, instruction, credited=amount, fee=0, at=at)
            self._notices.announce(instruction, at)
            return
        charge = planned.what is Sequel.BANK_CHARGE
        settling.book_outside(
            self._books,
            currency=instruction.terms.currency,
            amount=-planned.amount if charge else planned.amount,
            kind="fee" if charge else "other",
            reference=planned.reason or ("Bank charge" if charge else "Credit transfer"),
            institution=instruction.institution,
            at=at,
        )

    def _settle_recall(self, deposit: Instruction, at: datetime) -> None:
        recall = self._books.keys.get((deposit.institution, deposit.recalled_by))
        if recall is not None and recall.status is Status.ACKNOWLEDGED:
            settling.settle(self._books, recall, credited=0, fee=0, at=at)
            self._notices.announce(recall, at)

    def force(self, instruction: Instruction, *, verb: str, given: dict[str, Any], now: datetime) -> Problem | None:
        """`settle`, `reject` or `return` one instruction now. Settling what has settled settles it twice; settling
        what was rejected or returned settles it late. Returns a problem where the verb makes no sense."""
        recall = instruction.terms.kind is InstructionKind.RECALL
        account = self._books.accounts.get((instruction.institution, instruction.terms.account_number))
        if account is None or account.currency != instruction.terms.currency:
            return Problem(409, "no_account", "The account that it names cannot take or give this money.")
        left, amount = instruction.kept, int(given.get("amount") or 0)
        if verb == "settle":
            credited = 0 if recall else amount or instruction.terms.amount
            settling.settle(self._books, instruction, credited=credited, fee=int(given.get("fee") or 0), at=now)
        elif verb == "reject":
            if instruction.status is not Status.ACKNOWLEDGED:
                return Problem(409, "wrong_state", f"An instruction that is {instruction.status} cannot be rejected.")
            code = str(given.get("code") or "R29")
            settling.reject(self._books, instruction, code=code, reason=str(given.get("reason") or "Rejected"), at=now)
        else:
            if recall or left <= 0 or amount > left:
                return Problem(409, "wrong_state", f"Only what has settled can be returned: {left} is left of it.")
            code, reason = str(given.get("code") or "R10"), str(given.get("reason") or "Returned")
            fee, interest = int(given.get("fee") or 0), int(given.get("interest") or 0)
            settling.send_back(
                self._books,
                instruction,
                amount=amount or left,
                code=code,
                reason=reason,
                at=now,
                fee=fee,
                interest=interest,
            )
            self._settle_recall(instruction, now)
        self._notices.announce(instruction, now)
        return None
