"""What the engine writes about its own work: later, again, or not without people."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from bridge.kernel import bulk
from bridge.kernel.gateway import InstructionKind
from bridge.kernel.results import Actor, Done, Result
from bridge.kernel.transactions import retried, unit_of_work
from transfers.models import BankInstruction, Work
from transfers.services.batch import Batch
from transfers.states import ENDED, UNANSWERED, InstructionState, Step

ASKS = {
    InstructionKind.WITHDRAWAL: Step.ASK_WITHDRAWAL,
    InstructionKind.DEPOSIT: Step.ASK_DEPOSIT,
    InstructionKind.REFUND: Step.ASK_REFUND,
    InstructionKind.RECALL: Step.ASK_RECALL,
}


@retried
def postpone_work(*, transfer_ids: Sequence[uuid.UUID], seconds: int) -> int:
    """Not now: give the work back and let it be due later. Returns how many rows that were.

    What somebody else is writing at this moment is left to them: this takes no lock on transfers, so it must not
    wait for one who does.
    """
    with unit_of_work() as moment:
        rows = Work.objects.filter(bulk.Among("pk", transfer_ids)).order_by("pk").select_for_update(skip_locked=True)
        return Work.objects.filter(bulk.Among("pk", rows.values_list("pk", flat=True))).update(
            due_at=moment + timedelta(seconds=seconds), lease_until=None
        )


@retried
def resend_instructions(*, instruction_ids: Sequence[uuid.UUID], actor: Actor) -> list[BankInstruction]:
    """Mark instructions as sent once more under their key, before they are. Those answered meanwhile are left out."""
    with unit_of_work() as moment:
        batch = Batch(actor=actor, at=moment)
        owners = BankInstruction.objects.filter(bulk.Among("pk", instruction_ids)).values_list("transfer_id", flat=True)
        batch.lock_transfers(owners)
        again = [row for row in batch.lock_instructions(instruction_ids).values() if row.state in UNANSWERED]
        for row in again:
            row.sends += 1
            row.last_sent_at = moment
            batch.answered(row)
        batch.save()
    return again


@retried
def not_sent(*, instruction_ids: Sequence[uuid.UUID], actor: Actor) -> int:
    """These were committed and then not called, because their bank had fallen silent: `sends` is 0, and they are sent
    for the first time when it answers again. Returns how many. Only who did not call them may say so.
    """
    with unit_of_work() as moment:
        batch = Batch(actor=actor, at=moment)
        owners = BankInstruction.objects.filter(bulk.Among("pk", instruction_ids)).values_list("transfer_id", flat=True)
        transfers = batch.lock_transfers(owners)
        rows = [
            row
            for row in batch.lock_instructions(instruction_ids).values()
            if row.state == InstructionState.SUBMITTED and row.sends == 1
        ]
        for row in rows:
            row.sends, row.last_sent_at = 0, None
            batch.answered(row)
            step = ASKS[InstructionKind(row.kind)]
            batch.schedule(transfers[row.transfer_id], step, moment + timedelta(seconds=1))
        batch.save()
    return len(rows)


@retried
def block_transfers(*, transfer_ids: Sequence[uuid.UUID], code: str, message: str, actor: Actor) -> list[Result]:
    """Take transfers out of the engine's hands and say why; people move them on. Ended ones are left alone."""
    with unit_of_work() as moment:
        batch = Batch(actor=actor, at=moment)
        results: list[Result] = []
        for row in batch.lock_transfers(transfer_ids).values():
            if row.state in ENDED:
                continue
            row.block(code, message[:400], at=moment)
            batch.note(row, "transfer.blocked", code=code, message=message[:400])
            batch.schedule(row, Step.BLOCKED, None)
            results.append(Done(row.id, str(row.state), row.version))
        batch.save()
    return results
