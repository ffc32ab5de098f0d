"""The second leg: from clearing to the fund."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import timedelta

from accounts.ledger import rows
from bridge.kernel.errors import WrongState
from bridge.kernel.gateway import InstructionKind, Outcome, Report
from bridge.kernel.results import Actor, Done, Refused, Result
from bridge.kernel.transactions import retried, unit_of_work
from funds.models import Fund, Verification
from funds.places import Places
from funds.rules.engine import Verdict
from funds.rules.outcomes import Outcome as Verdicts
from transfers.controls.gates import Gates
from transfers.models import BankInstruction, Transfer
from transfers.policy import policy
from transfers.services import (
    arriving,
    family,
    freezing,
    holding,
    orders,
    outcomes,
    requesting,
    retrying,
    returning,
    unwinding,
    verifying,
)
from transfers.services.batch import Batch, beginning
from transfers.services.causes import Cause, Why
from transfers.services.following import follow
from transfers.services.verifying import Subject
from transfers.states import NextStep, State, Step

# Rules whose hold passes with time, and the blocker that says so.
_HOUR = timedelta(hours=1)
WAITS = {"escrow_minimum": "waiting_for_escrow", "minimum_reached": "waiting_for_minimum"}


@retried
def begin_deposits(*, transfer_ids: Sequence[uuid.UUID], actor: Actor) -> list[Result]:
    """Begin those that may: rules again, D1 posted, instruction (`Done.data["sent"]`) committed as submitted.

    What the rules now fail follows the fund's policy: refund, or hold for operations. What they want held waits with
    a blocker, and so does what a stop or an open circuit holds back. Refused: `WrongState` for what is not in
    `withdrawn` with the deposit next.

    Locks transfers, accounts, capacity and allocations where a place changes, then ledger accounts.
    """
    with unit_of_work(beginning) as moment:
        gates = Gates.of(InstructionKind.DEPOSIT, transfer_ids, at=moment)
        batch = Batch(actor=actor, at=moment)
        found = batch.lock_transfers(transfer_ids)
        ready = [row for row in found.values() if _may_begin(row)]
        batch.lock_accounts({row.source_account_id for row in ready})
        batch.watch_places_of(ready)
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
                held = _held_back(batch, row, gates)
                results.append(held or _begin(batch, row, before.get(row.id, 0) + 1, judge))
        batch.save()
    return results


def settle_deposits(*, reports: Sequence[Report], actor: Actor) -> list[Result]:
    """Take what institutions say about deposits. See `outcomes.apply`."""
    return outcomes.apply(leg=LEG, reports=reports, actor=actor)


def _may_begin(row: Transfer) -> bool:
    return row.state == State.WITHDRAWN and row.next_step == NextStep.DEPOSIT


def _held_back(batch: Batch, transfer: Transfer, gates: Gates) -> Result | None:
    """By a stop, by a bank that does not answer, or until its withdrawal is unlikely to come back."""
    institution = transfer.source_account.institution
    barrier = gates.against(transfer, institution=institution, at_fund=True)
    if barrier is not None:
        return holding.hold_back(batch, transfer, Step.DEPOSIT, barrier)
    due = orders.waits(batch, transfer).after(transfer.withdrawn_at or batch.at, "deposit_wait")
    if batch.at >= due:
        return None
    # Looked at again within the hour, so that a shorter wait counts for those who wait already.
    batch.schedule(transfer, Step.DEPOSIT, min(due, batch.at + _HOUR))
    return Done(transfer.id, str(transfer.state), transfer.version)


def _begin(batch: Batch, transfer: Transfer, attempt: int, judge: verifying.Judge) -> Result:
    assert batch.places is not None
    capacity, already, reserved = batch.places.seen_from(transfer.id, transfer.fund_id, transfer.investor_id)
    subject = Subject(
        account=transfer.source_account,
        fund=transfer.fund,
        capacity=capacity,
        already=already,
        amount=transfer.amount,
        currency=transfer.currency,
        own_reserved=reserved,
        cut_from=requesting.cut_from(transfer),
        short=max(transfer.requested_amount - transfer.cut_back - transfer.amount, 0),
        transfer_id=transfer.id,
    )
    verdict, seen = judge(subject, observation=None)
    batch.verified(verifying.kept(transfer.id, transfer.fund_id, Verification.Stage.DEPOSIT, verdict, seen))
    if verdict.outcome != Verdicts.PASS:
        _stop(batch, transfer, verdict)
        return Done(transfer.id, str(transfer.state), transfer.version)
    if not has_its_place(batch.places, transfer):
        unwinding.wait_for_people(batch, transfer, "no_place", _NO_PLACE)
        return Done(transfer.id, str(transfer.state), transfer.version)
    order = orders.instruct(batch, transfer, InstructionKind.DEPOSIT, attempt=attempt)
    transfer.begin_deposit(at=batch.at)
    batch.note(transfer, "transfer.depositing", instruction=order.id, attempt=attempt)
    batch.post(rows.deposit_submitted(batch.parties(transfer, order), amount=order.amount))
    batch.schedule(transfer, Step.ASK_DEPOSIT, orders.terms(order, transfer).after(batch.at, "answer"))
    return Done(transfer.id, str(transfer.state), transfer.version, {"sent": order})


_NO_PLACE = "The fund has no place for this amount. Refund it, or free a place and retry."


def has_its_place(places: Places, transfer: Transfer) -> bool:
    """Whether it may be deposited: with a place of exactly its amount, which is brought to that where there is room."""
    reserved = places.reserved_for(transfer.id)
    if not reserved:
        return False
    more = transfer.amount - reserved
    if more > 0 and not places.has_room(transfer.fund_id, transfer.investor_id, more):
        return False
    if more:
        places.resize(transfer.id, transfer.amount)
    return True


def _stop(batch: Batch, transfer: Transfer, verdict: Verdict) -> None:
    """The criteria are no longer met, after the money has left the investor."""
    why = verifying.sentence(verdict, at_least=Verdicts.HOLD)
    if verdict.must_freeze:
        freezing.freeze(batch, transfer, why)
        return
    against = {decision.rule for decision in verdict.against}
    short = any("short" in decision.inputs for decision in verdict.against)
    if verdict.outcome == Verdicts.HOLD and short:
        unwinding.wait_for_people(
            batch, transfer, "short_paid", f"{why} Top it up, set the rule aside, or refund it."[:400]
        )
        return
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
    batch.schedule(transfer, Step.DEPOSIT, policy(fund_id=transfer.fund_id).after(batch.at, "escrow_poll"))


def _settled(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report) -> None:
    """D2. What the fund was credited with and what was kept on the way has left us; what is neither never did (D3),
    and what left beyond the order is a second settlement (D5)."""
    planned = outcomes.is_plain(batch, report, order, transfer)
    who = batch.parties(transfer, order, report.at)
    out = min(report.settled_amount + report.fee, order.amount)
    credited = out - min(report.fee, out)
    batch.post(rows.deposit_settled(who, amount=out, credited=credited))
    if out < order.amount:
        batch.post(rows.deposit_rejected(who, amount=order.amount - out))
    extra = report.settled_amount - credited
    if extra:
        _post_again(batch, transfer, order, report, extra, 0)
    if planned:
        arriving.completed(batch, transfer, order, settled=credited, fee=order.fee)
    else:
        follow(batch, transfer, Cause(Why.DEPOSIT_SETTLED, order, report))


def _settled_again(
    batch: Batch, transfer: Transfer, order: BankInstruction, report: Report, credited: int, fee: int
) -> None:
    """D5: after we took it for rejected, or a second time."""
    _post_again(batch, transfer, order, report, credited, fee)
    follow(batch, transfer, Cause(Why.DEPOSIT_SETTLED_AGAIN, order, report))


def _post_again(
    batch: Batch, transfer: Transfer, order: BankInstruction, report: Report, credited: int, fee: int
) -> None:
    kin = batch.family_of(transfer)
    who = batch.parties(transfer, order, report.at)
    lines = family.taken(batch.load_books(kin), who, kin, credited + fee)
    batch.post(rows.deposit_settled_again(who, credited=credited, fee=fee, taken=lines))


def _rejected(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report) -> None:
    """D3: back in clearing; tried again where that may help, else the fund's policy says what then."""
    batch.post(rows.deposit_rejected(batch.parties(transfer, order, report.at), amount=order.amount))
    follow(batch, transfer, Cause(Why.DEPOSIT_REJECTED, order, report, retrying.next_step(batch, transfer, order)))
    retrying.later(batch, transfer, order)


def _needs_places(report: Report, order: BankInstruction, transfer: Transfer) -> bool:
    return report.outcome == Outcome.SETTLED or outcomes.unplanned(report, order, transfer)


LEG = outcomes.Leg(
    kind=InstructionKind.DEPOSIT,
    ask=Step.ASK_DEPOSIT,
    settle=Step.SETTLE_DEPOSIT,
    settled=_settled,
    settled_again=_settled_again,
    rejected=_rejected,
    returned=returning.returned,
    needs_places=_needs_places,
)
