"""Giving the investor's money back, and what people decide about money that waits in clearing."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from accounts.ledger import rows
from bridge.kernel import idempotency
from bridge.kernel.errors import WrongState
from bridge.kernel.gateway import InstructionKind, Outcome, Report
from bridge.kernel.results import Actor, Change, Done, Refused, Result
from bridge.kernel.transactions import retried, unit_of_work
from transfers.blockers import Deed
from transfers.controls.gates import Gates
from transfers.models import BankInstruction, Transfer
from transfers.services import deciding, family, freezing, holding, orders, outcomes, permitting
from transfers.services.batch import Batch
from transfers.services.causes import Cause, Why
from transfers.services.following import follow
from transfers.services.requesting import Render
from transfers.states import ENGINE_FAULT, RESUMES_AT, NextStep, State, Step


@retried
def begin_refunds(*, transfer_ids: Sequence[uuid.UUID], actor: Actor) -> list[Result]:
    """Send the money back: the place is released, R1 posted, the instruction committed as submitted.

    What the law blocks is frozen instead, whatever was decided (31 CFR § 501.603): see `freezing.blocked`. A bank that
    does not answer holds the others back, a stop never does. Refused: `WrongState` for what is not in `withdrawn`
    with the refund next. Locks transfers, accounts, capacity
    and allocations, then ledger accounts.
    """
    with unit_of_work() as moment:
        gates = Gates.of(InstructionKind.REFUND, transfer_ids, at=moment)
        batch = Batch(actor=actor, at=moment)
        found = batch.lock_transfers(transfer_ids)
        ready = [row for row in found.values() if _may_begin(row)]
        batch.lock_accounts({row.refund_account_id or row.source_account_id for row in ready})
        places = batch.lock_places_of(ready)
        before = orders.attempts(ready, InstructionKind.REFUND)
        blocked = freezing.blocked([row.id for row in ready])
        results: list[Result] = []
        for transfer_id in transfer_ids:
            row = found.get(transfer_id)
            if row is None or not _may_begin(row):
                results.append(Refused(transfer_id, WrongState(state=row.state if row else "unknown", verb="refunded")))
                continue
            if row.id in blocked:
                freezing.freeze(batch, row, blocked[row.id])
                results.append(Done(row.id, str(row.state), row.version))
                continue
            payee = batch.accounts[row.refund_account_id or row.source_account_id]
            barrier = gates.against(row, institution=payee.institution)
            if barrier is not None:
                results.append(holding.hold_back(batch, row, Step.REFUND, barrier))
                continue
            order = orders.instruct(batch, row, InstructionKind.REFUND, attempt=before.get(row.id, 0) + 1)
            places.release(row.id)
            row.begin_refund(at=moment)
            batch.note(row, "transfer.refunding", instruction=order.id, attempt=order.attempt)
            batch.post(rows.refund_submitted(batch.parties(row, order), amount=order.amount))
            batch.schedule(row, Step.ASK_REFUND, orders.terms(order, row).after(moment, "answer"))
            results.append(Done(row.id, str(row.state), row.version, {"sent": order}))
        batch.save()
    return results


def settle_refunds(*, reports: Sequence[Report], actor: Actor) -> list[Result]:
    """Take what institutions say about refunds. See `outcomes.apply`."""
    return outcomes.apply(leg=LEG, reports=reports, actor=actor)


def refund_transfers(
    *, changes: Sequence[Change], actor: Actor, key: idempotency.Key | None = None, render: Render | None = None
) -> list[Result] | idempotency.Answer:
    """People decide that blocked money goes back to the investor. Refused: `NotFound`, `StaleVersion`,
    `WrongState`, `NotAllowed`, `NothingWaits` for what moves by itself, `NotSafe` where the blocker forbids it."""
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


@retried
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
            deed = Deed.REFUND if step == Step.REFUND else Deed.RESUME if stuck else Deed.RETRY
            error = deciding.refusal(change, row, actor, states, verb, False)
            if error is None and row is not None:
                error = permitting.refusal(row, actor, deed)
            if error is not None or row is None:
                results.append(Refused(change.id, error or WrongState(state="unknown", verb=verb)))
            elif stuck and step == Step.DEPOSIT and row.next_step != NextStep.NONE:
                results.append(_resume(batch, row, change))
            else:
                code = row.blocker_code
                row.next_step, row.refund_account = next_step, None  # a refund goes where the money came from
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
    """R2. What was credited and what was kept on the way has left us; what is neither never did (R3), and what left
    beyond the order is a second settlement (R5)."""
    who = batch.parties(transfer, order, report.at)
    out = min(report.settled_amount + report.fee, order.amount)
    kept = min(report.fee, out)
    batch.post(rows.refund_settled(who, amount=out, fee=kept, paid_to=order.account_id))
    if out < order.amount:
        batch.post(rows.refund_rejected(who, amount=order.amount - out))
    extra = report.settled_amount - (out - kept)
    if extra:
        _post_again(batch, transfer, order, report, extra, 0)
    follow(batch, transfer, Cause(Why.REFUND_SETTLED, order, report))


def _settled_again(
    batch: Batch, transfer: Transfer, order: BankInstruction, report: Report, credited: int, fee: int
) -> None:
    """R5: after we took it for rejected, or a second time."""
    _post_again(batch, transfer, order, report, credited, fee)
    follow(batch, transfer, Cause(Why.REFUND_SETTLED_AGAIN, order, report))


def _post_again(
    batch: Batch, transfer: Transfer, order: BankInstruction, report: Report, credited: int, fee: int
) -> None:
    kin = batch.family_of(transfer)
    who = batch.parties(transfer, order, report.at)
    lines = family.taken(batch.load_books(kin), who, kin, credited + fee)
    batch.post(rows.refund_settled_again(who, credited=credited, fee=fee, taken=lines, paid_to=order.account_id))


def _rejected(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report) -> None:
    """R3: back in clearing, and people look for another way to pay the investor."""
    batch.post(rows.refund_rejected(batch.parties(transfer, order, report.at), amount=order.amount))
    follow(batch, transfer, Cause(Why.REFUND_REJECTED, order, report))


def _returned(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report, back: int, fee: int) -> None:
    """R4: the refund came back; less a fee where the bank kept one."""
    who = batch.parties(transfer, order, report.at)
    batch.post(rows.refund_returned(who, amount=back + fee, fee=fee, paid_to=order.account_id))
    follow(batch, transfer, Cause(Why.REFUND_RETURNED, order, report))


def _needs_places(report: Report, order: BankInstruction, transfer: Transfer) -> bool:
    return report.outcome == Outcome.SETTLED or outcomes.unplanned(report, order, transfer)


LEG = outcomes.Leg(
    kind=InstructionKind.REFUND,
    ask=Step.ASK_REFUND,
    settle=Step.SETTLE_REFUND,
    settled=_settled,
    settled_again=_settled_again,
    rejected=_rejected,
    returned=_returned,
    needs_places=_needs_places,
)
