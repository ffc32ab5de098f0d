"""Writing bank instructions: the intent that is committed before anybody calls."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from django.db.models import Max

from bridge.kernel import ids
from bridge.kernel.gateway import InstructionKind
from transfers.models import BankInstruction, Transfer
from transfers.policy import policy
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
    rows = (
        BankInstruction.objects.filter(transfer__in=[row.id for row in transfers], kind=kind)
        .values_list("transfer_id")
        .annotate(Max("attempt"))
        .order_by()
    )
    return dict(rows)


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
    instruction = BankInstruction(
        id=new_id,
        transfer_id=transfer.id,
        kind=kind.value,
        attempt=attempt,
        account_id=None if at_fund else transfer.source_account_id,
        institution=transfer.fund.institution if at_fund else batch.accounts[transfer.source_account_id].institution,
        key=f"bridge-{ids.encode('instruction', new_id)}",
        amount=transfer.amount if amount is None else amount,
        currency=transfer.currency,
        state=InstructionState.SUBMITTED,
        recalls=recalls,
        reference=f"BR{_LETTER[kind]}{attempt}{tail}",
        submitted_at=batch.at,
        last_sent_at=batch.at,
        key_expires_at=policy().after(batch.at, "key_lifetime"),
        created_at=batch.at,
    )
    batch.instruct(instruction)
    return instruction
