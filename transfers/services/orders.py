"""Writing bank instructions: the intent that is committed before anybody calls."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from django.db.models import Max

from bridge.kernel import bulk, ids, rows
from bridge.kernel.gateway import InstructionKind
from transfers.models import BankInstruction, Transfer
from transfers.policy import Policy, policy
from transfers.services.batch import Batch
from transfers.states import InstructionState

_LETTER = {
    InstructionKind.WITHDRAWAL: "W",
    InstructionKind.DEPOSIT: "D",
    InstructionKind.REFUND: "R",
    InstructionKind.RECALL: "C",
}
AT_THE_FUND = (InstructionKind.DEPOSIT, InstructionKind.RECALL)


def attempts(transfers: Sequence[Transfer], kind: InstructionKind) -> dict[uuid.UUID, int]:
    """How many instructions of this kind each transfer has had; those with none are left out."""
    found = (
        BankInstruction.objects.filter(bulk.Among("transfer_id", [row.id for row in transfers]), kind=kind)
        .values_list("transfer_id")
        .annotate(Max("attempt"))
        .order_by()
    )
    return dict(found)


def terms(order: BankInstruction, transfer: Transfer) -> Policy:
    """What is in force for this instruction: of its institution, its rail and the transfer's fund."""
    return policy(institution=order.institution, rail=order.rail, fund_id=order.fund_id or transfer.fund_id)


def waits(batch: Batch, transfer: Transfer) -> Policy:
    """What is in force for a transfer before any instruction: of its account's institution and rail, and its fund."""
    account = batch.accounts.get(transfer.source_account_id)
    if account is None:
        return policy(fund_id=transfer.fund_id)
    return policy(institution=account.institution, rail=account.rail, fund_id=transfer.fund_id)


def instruct(
    batch: Batch,
    transfer: Transfer,
    kind: InstructionKind,
    *,
    attempt: int = 1,
    amount: int | None = None,
    recalls: BankInstruction | None = None,
) -> BankInstruction:
    """A new instruction for the transfer's whole amount, or `amount`, submitted from this commit on."""
    new_id = ids.new_id()
    tail = ids.encode("transfer", transfer.id)[-26:].upper()
    at_fund = kind in AT_THE_FUND
    elsewhere = transfer.refund_account_id if kind == InstructionKind.REFUND else None
    account_id = elsewhere or transfer.source_account_id
    owner = transfer.fund if at_fund else batch.accounts[account_id]
    end = recalls or owner
    instruction = rows.new(
        BankInstruction,
        {
            "id": new_id,
            "transfer_id": transfer.id,
            "kind": kind.value,
            "attempt": attempt,
            "account_id": None if at_fund else account_id,
            "fund_id": (recalls.fund_id if recalls else transfer.fund_id) if at_fund else None,
            "institution": end.institution,
            "rail": end.rail,
            "key": f"bridge-{ids.encode('instruction', new_id)}",
            "amount": transfer.amount if amount is None else amount,
            "currency": transfer.currency,
            "state": InstructionState.SUBMITTED,
            "recalls_id": recalls.id if recalls else None,
            "reference": f"BR{_LETTER[kind]}{attempt}{tail}",
            "submitted_at": batch.at,
            "last_sent_at": batch.at,
            "created_at": batch.at,
        },
    )
    instruction.key_expires_at = terms(instruction, transfer).after(batch.at, "key_lifetime")
    if recalls is not None:
        instruction._state.fields_cache["recalls"] = recalls
    else:  # who sends it need not look for whom it is about
        instruction._state.fields_cache["fund" if at_fund else "account"] = owner
    batch.instruct(instruction)
    return instruction


def open_recalls(transfer_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """The recalls of these transfers that were not refused and have brought nothing back yet."""
    found = BankInstruction.objects.filter(
        bulk.Among("transfer_id", transfer_ids), kind=InstructionKind.RECALL, returned_amount=0
    )
    return set(found.exclude(state=InstructionState.REJECTED).values_list("id", flat=True))
