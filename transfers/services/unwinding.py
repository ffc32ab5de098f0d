"""Giving the investor's money back, and what people decide about money that waits in clearing."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from accounts.ledger import rows
from bridge.kernel import idempotency
from bridge.kernel.errors import BridgeError, NotAllowed, WrongState
from bridge.kernel.gateway import InstructionKind, Report
from bridge.kernel.results import Actor, Change, Done, Refused, Result, Role
from bridge.kernel.transactions import unit_of_work
from transfers.models import BankInstruction, Transfer
from transfers.policy import policy
from transfers.services import deciding, orders, outcomes
from transfers.services.batch import Batch
from transfers.services.requesting import Render
from transfers.states import ENGINE_FAULT, RESUMES_AT, NextStep, State, Step

OPERATIONS = (Role.MAKER, Role.CHECKER, Role.COMPLIANCE, Role.SERVICE)


class NothingWaits(BridgeError):
    code = "nothing_waits"
    status = 409
    title = "It moves by itself"
    message = "This transfer is on its way ({next_step} next); there is nothing for people to decide."


def begin_refunds(*, transfer_ids: Sequence[uuid.UUID], actor: Actor) -> list[Result]:
    """Send the money back: the place is released, R1 posted, the instruction committed as submitted.

    Refused: `WrongState` for what is not in `withdrawn` with the refund next. Locks transfers, accounts, capacity
    and allocations, then ledger accounts.
    """
    with unit_of_work() as moment:
        batch = Batch(actor=actor, at=moment)
        found = batch.lock_transfers(transfer_ids)
        ready = [row for row in found.values() if _may_begin(row)]
        batch.lock_accounts({row.source_account_id for row in ready})
        places = batch.lock_places_of(ready)
        before = orders.attempts(ready, InstructionKind.REFUND)
        results: list[Result] = []
        for transfer_id in transfer_ids:
            row = found.get(transfer_id)
            if row is None or not _may_begin(row):
                results.append(Refused(transfer_id, WrongState(state=row.state if row else "unknown", verb="refunded")))
                continue
            order = orders.instruct(batch, row, InstructionKind.REFUND, attempt=before.get(row.id, 0) + 1)
            places.release(row.id)
            row.begin_refund(at=moment)
            batch.note(row, "transfer.refunding", instruction=order.id, attempt=order.attempt)
            batch.post(rows.refund_submitted(batch.parties(row, order), amount=order.amount))
            batch.schedule(row, Step.ASK_REFUND, policy().after(moment, "answer"))
            results.append(Done(row.id, str(row.state), row.version, {"sent": True}))
        batch.save()
    return results


def settle_refunds(*, reports: Sequence[Report], actor: Actor) -> list[Result]:
    """Take what institutions say about refunds. See `outcomes.apply`."""
    return outcomes.apply(leg=LEG, reports=reports, actor=actor)


def refund_transfers(
    *, changes: Sequence[Change], actor: Actor, key: idempotency.Key | None = None, render: Render | None = None
) -> list[Result] | idempotency.Answer:
    """People decide that blocked money goes back to the investor. Refused: `NotFound`, `StaleVersion`,
    `WrongState`, `NotAllowed`, `NothingWaits` for what moves by itself."""
    return _directed(changes, actor, NextStep.REFUND, Step.REFUND, "refunded", key, render)


def retry_transfers(
    *, changes: Sequence[Change], actor: Actor, key: idempotency.Key | None = None, render: Render | None = None
) -> list[Result] | idempotency.Answer:
    """People decide that the deposit is tried again, with a new instruction. Refused as in `refund_transfers`.

    A transfer on which the engine itself failed goes on where it stood, in every state.
    """
    return _directed(changes, actor, NextStep.DEPOSIT, Step.DEPOSIT, "retried", key, render)


def turn_back(batch: Batch, transfer: Transfer, reasons: list[dict[str, str]]) -> None:
    """In clearing, and the fund will not have it: the refund comes next."""
    transfer.next_step = NextStep.REFUND
    transfer.unblock()
    batch.note(transfer, "transfer.refund_due", reasons=reasons)
    batch.schedule(transfer, Step.REFUND, batch.at)


def wait_for_people(batch: Batch, transfer: Transfer, code: str, message: str) -> None:
    """In clearing, and nothing may happen until somebody decides."""
    transfer.next_step = NextStep.NONE
    transfer.block(code, message, at=batch.at)
    batch.note(transfer, "transfer.blocked", code=code, message=message)
    batch.schedule(transfer, Step.BLOCKED, None)


def _directed(
    changes: Sequence[Change],
    actor: Actor,
    next_step: NextStep,
    step: Step,
    verb: str,
    key: idempotency.Key | None,
    render: Render | None,
) -> list[Result] | idempotency.Answer:
    with unit_of_work() as moment:
        if key is not None:
            stored = idempotency.replay(key)
            if stored is not None:
                return stored
        batch = Batch(actor=actor, at=moment)
        found = batch.lock_transfers(change.id for change in changes)
        results: list[Result] = []
        for change in changes:
            row = found.get(change.id)
            stuck = row is not None and row.blocker_code == ENGINE_FAULT
            states = (State.WITHDRAWN, *RESUMES_AT) if stuck and step == Step.DEPOSIT else (State.WITHDRAWN,)
            error = deciding.refusal(change, row, actor, states, verb, False)
            if error is None and actor.role not in OPERATIONS:
                error = NotAllowed()
            if error is not None or row is None:
                results.append(Refused(change.id, error or WrongState(state="unknown", verb=verb)))
            elif stuck and step == Step.DEPOSIT and row.next_step != NextStep.NONE:
                results.append(_resume(batch, row, change))
            elif row.next_step != NextStep.NONE and not stuck:
                results.append(Refused(change.id, NothingWaits(next_step=row.get_next_step_display())))
            else:
                code = row.blocker_code
                row.next_step = next_step
                row.unblock()
                batch.note(row, "transfer.unblocked", code=code, next_step=next_step, reason=change.reason)
                batch.schedule(row, step, moment)
                results.append(Done(row.id, str(row.state), row.version))
        batch.save()
        if key is None or render is None:
            return results
        answer = render(results)
        idempotency.keep(key, answer, at=moment)
        return answer


def _resume(batch: Batch, row: Transfer, change: Change) -> Result:
    """Back into the engine's hands, at the step of its state; what waits for its time keeps it."""
    row.unblock()
    batch.note(row, "transfer.unblocked", code=ENGINE_FAULT, reason=change.reason)
    state = State(row.state)
    if state == State.WITHDRAWN:
        step = Step.REFUND if row.next_step == NextStep.REFUND else Step.DEPOSIT
    else:
        step = RESUMES_AT[state]
    batch.schedule(row, step, row.expires_at if step in (Step.DECIDE, Step.PROMOTE) else batch.at)
    return Done(row.id, str(row.state), row.version)


def _may_begin(row: Transfer) -> bool:
    return row.state == State.WITHDRAWN and row.next_step == NextStep.REFUND


def _settled(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report) -> None:
    """R2. The whole amount left us; what the investor was not credited with was kept on the way."""
    credited = min(report.settled_amount, order.amount)
    order.settled_amount, order.fee = credited, order.amount - credited
    batch.post(rows.refund_settled(batch.parties(transfer, order, report.at), amount=order.amount, fee=order.fee))
    transfer.settle_refund(at=batch.at)
    batch.note(transfer, "transfer.refunded", instruction=order.id, settled_amount=credited, fee=order.fee)
    batch.finish(transfer)


def _rejected(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report) -> None:
    """R3: back in clearing, and people look for another way to pay the investor."""
    batch.post(rows.refund_rejected(batch.parties(transfer, order, report.at), amount=order.amount))
    transfer.reject_refund(at=batch.at, next_step=NextStep.NONE)
    why = (
        f"The investor's bank rejected the refund: {order.reason or order.return_code}. Check the account, then retry."
    )
    transfer.block("refund_rejected", why[:400], at=batch.at)
    batch.schedule(transfer, Step.BLOCKED, None)
    batch.note(
        transfer,
        "transfer.refund_rejected",
        instruction=order.id,
        code=order.return_code,
        reason=order.reason,
        next_step=NextStep.NONE,
    )


def _returned(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report) -> None:
    """R4: the refund came back; less a fee where the bank kept one."""
    back = report.returned_amount - order.returned_amount
    fee = order.settled_amount - back
    if transfer.state != State.REFUNDED or fee < 0 or order.returned_amount:
        raise outcomes.UnexpectedEvidence(reported="returned", state=order.get_state_display())
    batch.post(rows.refund_returned(batch.parties(transfer, order, report.at), amount=order.settled_amount, fee=fee))
    transfer.amount = back
    transfer.reopen(at=batch.at, next_step=NextStep.NONE)
    why = f"The refund came back: {report.reason or report.code}. Find another account of the investor, then refund."
    transfer.block("refund_returned", why[:400], at=batch.at)
    batch.schedule(transfer, Step.BLOCKED, None)
    batch.note(transfer, "transfer.reopened", instruction=order.id, amount_returned=back, code=report.code)


LEG = outcomes.Leg(
    kind=InstructionKind.REFUND,
    ask=Step.ASK_REFUND,
    settle=Step.SETTLE_REFUND,
    settled=_settled,
    rejected=_rejected,
    returned=_returned,
    needs_places=outcomes.never_places,
)
