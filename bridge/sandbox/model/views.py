"""How the bank shows its records to others: plain JSON values. Account numbers go out as their last four only."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bridge.sandbox.model.records import Account, ActivityLine, Instruction, StatementLine


def moment(at: datetime) -> str:
    return at.isoformat().replace("+00:00", "Z")


def instruction_view(instruction: Instruction) -> dict[str, Any]:
    terms = instruction.terms
    return {
        "key": terms.key,
        "institution": instruction.institution,
        "institution_reference": instruction.institution_reference,
        "kind": terms.kind.value,
        "status": instruction.status.value,
        "amount": terms.amount,
        "currency": terms.currency,
        "account_last4": terms.account_number[-4:],
        "reference": terms.reference,
        "settled_amount": instruction.settled_amount,
        "returned_amount": instruction.returned_amount,
        "fee": instruction.fee,
        "return_fee": instruction.return_fee,
        "interest": instruction.interest,
        "code": instruction.code,
        "reason": instruction.reason,
        "recalled_by": instruction.recalled_by,
        "created_at": moment(instruction.created_at),
        "at": moment(instruction.at),
    }


def activity_view(line: ActivityLine) -> dict[str, Any]:
    return {
        "id": f"{line.institution}-{line.id}",
        "key": line.key,
        "kind": line.kind,
        "direction": line.direction,
        "amount": line.amount,
        "currency": line.currency,
        "account_last4": line.account_number[-4:],
        "institution_reference": line.institution_reference,
        "code": line.code,
        "at": moment(line.at),
    }


def statement_line_view(line: StatementLine) -> dict[str, Any]:
    return {
        "id": f"settlement-{line.id}",
        "key": line.key,
        "reference": line.reference,
        "kind": line.kind,
        "direction": line.direction,
        "amount": line.amount,
        "currency": line.currency,
        "institution": line.institution,
        "institution_reference": line.institution_reference,
        "code": line.code,
        "at": moment(line.at),
        "balance": line.balance,
    }


def account_view(account: Account) -> dict[str, Any]:
    return {
        "institution": account.institution,
        "number": account.number,
        "routing": account.routing,
        "currency": account.currency,
        "owner": account.owner.value,
        "current": account.current,
        "available": account.available,
        "is_open": account.is_open,
    }
