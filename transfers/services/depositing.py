"""The second leg: from clearing to the fund."""

from __future__ import annotations

import uuid
from collections.abc import Sequence

from accounts.ledger import rows
from bridge.kernel.errors import WrongState
from bridge.kernel.gateway import InstructionKind, Outcome, Report
from bridge.kernel.results import Actor, Done, Refused, Result
from bridge.kernel.transactions import unit_of_work
from funds.models import Fund, Verification
from funds.rules.engine import Verdict
from funds.rules.outcomes import Outcome as Verdicts
from transfers.models import BankInstruction, Transfer
from transfers.policy import policy
from transfers.services import freezing, orders, outcomes, recalling, returning, unwinding, verifying
from transfers.services.batch import Batch
from transfers.services.verifying import Subject
from transfers.states import NextStep, State, Step

# Rules whose hold passes with time, and the blocker that says so.
WAITS = {"escrow_minimum": "waiting_for_escrow", "minimum_reached": "waiting_for_minimum"}


def begin_deposits(*, transfer_ids: Sequence[uuid.UUID], actor: Actor) -> list[Result]:
    """Begin those that may: rules again, D1 posted, instruction committed as submitted (`Done.data["sent"]`).

    What the rules now fail follows the fund's policy: refund, or hold for operations. What they want held waits with
    a blocker. Refused: `WrongState` for what is not in `withdrawn` with the deposit next.

    Locks transfers, accounts, capacity and allocations, then ledger accounts.
    """
    with unit_of_work() as moment:
        batch = Batch(actor=actor, at=moment)
        found = batch.lock_transfers(transfer_ids)
        ready = [row for row in found.values() if _may_begin(row)]
        batch.lock_accounts({row.source_account_id for row in ready})
        batch.lock_places_of(ready)
        before = orders.attempts(ready, InstructionKind.DEPOSIT)
        judge = verifying.Judge.of(
            stage=Verification.Stage.DEPOSIT,
            at=moment,
            funds=[row.fund for row in ready],
            accounts=batch.accounts.values(),
            transfer_ids=[row.id for row in ready],
        )
        results: list[Result] = []
        for transfer_id in transfer_ids:
            row = found.get(transfer_id)
            if row is None or not _may_begin(row):
                results.append(
                    Refused(transfer_id, WrongState(state=row.state if row else "unknown", verb="deposited"))
                )
            else:
                results.append(_begin(batch, row, before.get(row.id, 0) + 1, judge))
        batch.save()
    return results


def settle_deposits(*, reports: Sequence[Report], actor: Actor) -> list[Result]:
    """Take what institutions say about deposits. See `outcomes.apply`."""
    return outcomes.apply(leg=LEG, reports=reports, actor=actor)


def _may_begin(row: Transfer) -> bool:
    return row.state == State.WITHDRAWN and row.next_step == NextStep.DEPOSIT


def _begin(batch: Batch, transfer: Transfer, attempt: int, judge: verifying.Judge) -> Result:
    assert batch.places is not None
    reserved = batch.places.reserved_for(transfer.id)
    subject = Subject(
        account=batch.accounts[transfer.source_account_id],
        fund=transfer.fund,
        capacity=batch.places.capacity(transfer.fund_id),
        already=batch.places.already(transfer.fund_id, transfer.investor_id) - reserved,
        amount=transfer.amount,
        currency=transfer.currency,
        own_reserved=reserved,
        cut_from=transfer.requested_amount if transfer.requested_amount > transfer.amount else 0,
        transfer_id=transfer.id,
    )
    verdict, seen = judge(subject, observation=None)
    batch.verified(verifying.kept(transfer.id, transfer.fund_id, Verification.Stage.DEPOSIT, verdict, seen))
    if verdict.outcome != Verdicts.PASS:
        _stop(batch, transfer, verdict)
        return Done(transfer.id, str(transfer.state), transfer.version)
    if not reserved:
        unwinding.wait_for_people(
            batch, transfer, "no_place", "Its place in the fund was given back. Refund it, or free a place and retry."
        )
        return Done(transfer.id, str(transfer.state), transfer.version)
    order = orders.instruct(batch, transfer, InstructionKind.DEPOSIT, attempt=attempt)
    transfer.begin_deposit(at=batch.at)
    batch.note(transfer, "transfer.depositing", instruction=order.id, attempt=attempt)
    batch.post(rows.deposit_submitted(batch.parties(transfer, order), amount=order.amount))
    batch.schedule(transfer, Step.ASK_DEPOSIT, policy().after(batch.at, "answer"))
    return Done(transfer.id, str(transfer.state), transfer.version, {"sent": True})


def _stop(batch: Batch, transfer: Transfer, verdict: Verdict) -> None:
    """The criteria are no longer met, after the money has left the investor."""
    why = verifying.sentence(verdict, at_least=Verdicts.HOLD)
    if verdict.must_freeze:
        freezing.freeze(batch, transfer, why)
        return
    against = {decision.rule for decision in verdict.against}
    if verdict.outcome == Verdicts.HOLD and against <= WAITS.keys():
        _wait(batch, transfer, next(code for rule, code in WAITS.items() if rule in against), why)
        return
    if verdict.outcome == Verdicts.FAIL and transfer.fund.on_deposit_failure == Fund.OnDepositFailure.REFUND:
        unwinding.turn_back(batch, transfer, verifying.reasons(verdict, at_least=Verdicts.FAIL))
        return
    code = "fund_closed_after_withdrawal" if verdict.outcome == Verdicts.FAIL else "criteria_on_hold"
    unwinding.wait_for_people(batch, transfer, code, f"{why} Refund it, or retry the deposit."[:400])


def _wait(batch: Batch, transfer: Transfer, code: str, why: str) -> None:
    """Nothing is wrong, it is only too early: shown once, looked at again by itself."""
    if transfer.blocker_code != code:
        transfer.block(code, why, at=batch.at)
        batch.note(transfer, "transfer.blocked", code=code, message=why)
    batch.schedule(transfer, Step.DEPOSIT, policy().after(batch.at, "escrow_poll"))


def _settled(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report) -> None:
    """D2. The whole amount left us; what the fund was not credited with was kept on the way."""
    assert batch.places is not None
    credited = min(report.settled_amount, order.amount)
    order.settled_amount, order.fee = credited, order.amount - credited
    batch.post(rows.deposit_settled(batch.parties(transfer, order, report.at), amount=order.amount, credited=credited))
    batch.places.confirm(transfer.id)
    transfer.complete(at=batch.at, final_at=policy().after(batch.at, "return_window"))
    batch.note(transfer, "transfer.completed", instruction=order.id, settled_amount=credited, fee=order.fee)
    batch.finish(transfer)


def _rejected(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report) -> None:
    """D3: back in clearing; the fund's policy says what then."""
    batch.post(rows.deposit_rejected(batch.parties(transfer, order, report.at), amount=order.amount))
    next_step = returning.after_failure(transfer)
    transfer.reject_deposit(at=batch.at, next_step=next_step)
    why = f"The fund's bank rejected the deposit: {order.reason or order.return_code}."
    returning.go_on(batch, transfer, next_step, why)
    batch.note(
        transfer,
        "transfer.deposit_rejected",
        instruction=order.id,
        code=order.return_code,
        reason=order.reason,
        next_step=next_step,
    )


def _needs_places(report: Report, order: BankInstruction) -> bool:
    return report.outcome in (Outcome.SETTLED, Outcome.RETURNED)


LEG = outcomes.Leg(
    kind=InstructionKind.DEPOSIT,
    ask=Step.ASK_DEPOSIT,
    settle=Step.SETTLE_DEPOSIT,
    settled=_settled,
    rejected=_rejected,
    returned=returning.returned,
    needs_places=_needs_places,
    kin=recalling.kin_of,
)
