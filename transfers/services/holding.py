"""Holding back what may not begin now: shown once, with due work, so that it looks again by itself."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from bridge.kernel import bulk
from bridge.kernel.gateway import InstructionKind
from bridge.kernel.results import Actor, Done, Result
from bridge.kernel.transactions import retried, unit_of_work
from transfers.controls.gates import Barrier, Gates
from transfers.models import Transfer
from transfers.services.batch import Batch
from transfers.states import State, Step


@retried
def hold_back_withdrawals(*, transfer_ids: Sequence[uuid.UUID], actor: Actor) -> list[uuid.UUID]:
    """Set aside those that a stop or an unreachable institution holds back, before anybody asks for their balances;
    returns the others. `begin_withdrawals` looks again. Locks transfers."""
    with unit_of_work() as moment:
        gates = Gates.of(InstructionKind.WITHDRAWAL, transfer_ids, at=moment, limits=False)
        batch = Batch(actor=actor, at=moment)
        found = batch.lock_transfers(transfer_ids)
        houses = dict(
            Transfer.objects.filter(bulk.Among("pk", found)).order_by().values_list("pk", "source_account__institution")
        )
        free = []
        for transfer_id in transfer_ids:
            row = found.get(transfer_id)
            barrier = None
            if row is not None and row.state == State.APPROVED and (row.expires_at is None or row.expires_at > moment):
                barrier = gates.against(row, institution=houses[row.id])
            if row is None or barrier is None:
                free.append(transfer_id)
            else:
                hold_back(batch, row, Step.WITHDRAW, barrier)
        batch.save()
    return free


def hold_back(batch: Batch, row: Transfer, step: Step, barrier: Barrier) -> Result:
    """It does not begin now: the blocker says why, the work says when it is looked at again."""
    if row.blocker_code != barrier.code:
        row.block(barrier.code, barrier.message[:400], at=batch.at)
        batch.note(row, "transfer.blocked", code=barrier.code, message=barrier.message[:400])
    batch.schedule(row, step, barrier.until)
    return Done(row.id, str(row.state), row.version)
