"""The first leg: from the investor's account into clearing."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import Min

from accounts import holds
from accounts.ledger import rows
from bridge.kernel import bulk
from bridge.kernel.errors import BridgeError, WrongState
from bridge.kernel.gateway import InstructionKind, Report
from bridge.kernel.results import Actor, Done, Refused, Result
from bridge.kernel.transactions import retried, unit_of_work
from funds.models import Verification
from funds.rules.outcomes import Outcome as Verdict
from transfers.controls.gates import Gates
from transfers.facts import Facts
from transfers.models import BankInstruction, Transfer, Work
from transfers.policy import policy
from transfers.services import family, holding, orders, outcomes, requesting, short_pay, splitting, verifying
from transfers.services.batch import Batch, beginning
from transfers.services.causes import Cause, Why
from transfers.services.following import follow
from transfers.services.verifying import Subject
from transfers.states import UNANSWERED, NextStep, State, Step


class WaitingForEarlier(BridgeError):
    code = "waiting_for_earlier"
    status = 409
    title = "An earlier transfer of this account goes first"
    message = "An earlier withdrawal from this account is not answered yet."


class BalanceNotKnown(BridgeError):
    code = "balance_not_known"
    status = 503
    title = "The balance is not known"
    message = "The institution has not told us a balance that is new enough."


@retried
def begin_withdrawals(*, transfer_ids: Sequence[uuid.UUID], facts: Facts, actor: Actor) -> list[Result]:
    """Begin those that may: rules again, hold consumed, W1 posted, instruction committed as submitted.

    Only the first approved transfer of each account in the account's order, and only while no withdrawal of that
    account is unanswered: others are refused with `WaitingForEarlier`. One whose reservation has run out expires, one
    that the rules now fail is rejected, one they want held goes to review: `Done.state` says so; what is to be sent is
    `Done.data["sent"]`. What a stop, an open
    circuit, a limit or an uncovered advance holds back keeps its state and says so (`holding`). Refused too:
    `BalanceNotKnown`, `WrongState`.

    Takes the locks of stops (shared) and of limits in force (alone), then locks transfers, accounts, capacity and
    allocations where one ends here, then ledger accounts.
    """
    with unit_of_work(beginning) as moment:
        gates = Gates.of(InstructionKind.WITHDRAWAL, transfer_ids, at=moment)
        batch = Batch(actor=actor, at=moment)
        found = batch.lock_transfers(transfer_ids)
        ready = [row for row in found.values() if row.state == State.APPROVED]
        batch.lock_accounts({row.source_account_id for row in ready})
        batch.watch_places_of(ready)
        firsts = _firsts({row.source_account_id for row in ready})
        judge = verifying.Judge.of(
            stage=Verification.Stage.WITHDRAWAL,
            at=moment,
            funds=[row.fund for row in ready],
            accounts=batch.accounts.values(),
            transfer_ids=[row.id for row in ready],
        )
        results: list[Result] = []
        for transfer_id in transfer_ids:
            row = found.get(transfer_id)
            if row is None or row.state != State.APPROVED:
                results.append(Refused(transfer_id, WrongState(state=row.state if row else "unknown", verb="begun")))
            elif row.expires_at is not None and row.expires_at <= moment:
                results.append(_expire(batch, row))
            elif firsts.get(row.source_account_id) != row.account_seq:
                results.append(Refused(transfer_id, WaitingForEarlier()))
            else:
                results.append(_begin(batch, row, facts, judge, gates))
        gates.close()
        batch.save()
    return results


def settle_withdrawals(*, reports: Sequence[Report], actor: Actor) -> list[Result]:
    """Take what institutions say about withdrawals. See `outcomes.apply`."""
    return outcomes.apply(leg=LEG, reports=reports, actor=actor)


def _firsts(account_ids: set[uuid.UUID]) -> dict[uuid.UUID, int]:
    """The lowest approved place in the order of each account that has no unanswered withdrawal."""
    busy = set(
        BankInstruction.objects.filter(
            bulk.Among("account_id", account_ids),
            kind=InstructionKind.WITHDRAWAL,
            state__in=[str(s) for s in UNANSWERED],
        ).values_list("account_id", flat=True)
    )
    rows = (
        Work.objects.filter(bulk.Among("account_id", account_ids - busy), step=Step.WITHDRAW)
        .values_list("account_id")
        .annotate(Min("account_seq"))
        .order_by()
    )
    return dict(rows)


def _begin(batch: Batch, transfer: Transfer, facts: Facts, judge: verifying.Judge, gates: Gates) -> Result:
    institution = transfer.source_account.institution
    barrier = gates.against(transfer, institution=institution)
    if barrier is not None:
        return holding.hold_back(batch, transfer, Step.WITHDRAW, barrier)
    observation = facts.observations.get(transfer.source_account_id)
    if observation is None or observation.fetched_at < _oldest(batch):
        return Refused(transfer.id, BalanceNotKnown())
    verdict, seen = judge(_subject(batch, transfer), observation=observation)
    batch.verified(verifying.kept(transfer.id, transfer.fund_id, Verification.Stage.WITHDRAWAL, verdict, seen))
    if verdict.outcome == Verdict.FAIL:
        requesting.give_back(batch, transfer)
        transfer.reject(at=batch.at)
        batch.note(transfer, "transfer.rejected", reasons=verifying.reasons(verdict, at_least=Verdict.FAIL))
        batch.finish(transfer)
    elif verdict.outcome != Verdict.PASS:
        assert batch.places is not None
        requesting.review(batch, transfer, verdict)
        batch.places.postpone(transfer.id, orders.waits(batch, transfer).after(batch.at, "review"))
    else:
        order = _send(batch, transfer)
        gates.begun(transfer, institution=institution)
        return Done(transfer.id, str(transfer.state), transfer.version, {"sent": order})
    return Done(transfer.id, str(transfer.state), transfer.version)


def _send(batch: Batch, transfer: Transfer) -> BankInstruction:
    assert batch.places is not None
    order = orders.instruct(batch, transfer, InstructionKind.WITHDRAWAL)
    transfer.begin_withdrawal(at=batch.at)
    batch.note(transfer, "transfer.withdrawing", instruction=order.id, attempt=order.attempt)
    batch.move(holds.begun(transfer.source_account_id, transfer.amount))
    batch.places.keep(transfer.id)
    batch.post(rows.withdrawal_submitted(batch.parties(transfer, order), amount=order.amount))
    batch.schedule(transfer, Step.ASK_WITHDRAWAL, orders.terms(order, transfer).after(batch.at, "answer"))
    return order


def _oldest(batch: Batch) -> datetime:
    return batch.at - timedelta(seconds=policy().balance_age_withdrawal)


def _subject(batch: Batch, transfer: Transfer) -> Subject:
    assert batch.places is not None
    capacity, already, reserved = batch.places.seen_from(transfer.id, transfer.fund_id, transfer.investor_id)
    return Subject(
        account=transfer.source_account,
        fund=transfer.fund,
        capacity=capacity,
        already=already,
        amount=transfer.amount,
        currency=transfer.currency,
        own_reserved=reserved,
        own_held=transfer.amount,
        transfer_id=transfer.id,
        cut_from=requesting.cut_from(transfer),
    )


def _expire(batch: Batch, transfer: Transfer) -> Result:
    requesting.give_back(batch, transfer)
    transfer.expire(at=batch.at)
    batch.note(transfer, "transfer.expired")
    batch.finish(transfer)
    return Done(transfer.id, str(transfer.state), transfer.version)


def _settled(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report) -> None:
    """W2. What was credited counts: a surplus goes on as a child that is refunded, a short pay as the fund wishes."""
    credited = report.settled_amount
    batch.post(
        rows.withdrawal_settled(
            batch.parties(transfer, order, report.at), amount=order.amount, credited=credited, fee=report.fee
        )
    )
    if not credited:
        _fail(batch, transfer, order, "The bank kept all of it on the way.")
        return
    transfer.settle_withdrawal(at=batch.at, next_step=NextStep.DEPOSIT)
    if credited < transfer.amount:
        short_pay.take(batch, transfer, credited)
    else:
        batch.schedule(transfer, Step.DEPOSIT, batch.at)
    batch.note(
        transfer,
        "transfer.withdrawn",
        instruction=order.id,
        settled_amount=credited,
        fee=report.fee,
        next_step=transfer.next_step,
    )
    if credited > transfer.amount:
        surplus = credited - transfer.amount
        splitting.split_off(batch, transfer, amount=surplus, reason="The investor's bank sent more than was asked for.")


def _settled_again(
    batch: Batch, transfer: Transfer, order: BankInstruction, report: Report, credited: int, fee: int
) -> None:
    """W5: after we took it for rejected, or a second time."""
    batch.post(rows.withdrawal_settled_again(batch.parties(transfer, order, report.at), credited=credited, fee=fee))
    follow(batch, transfer, Cause(Why.WITHDRAWAL_SETTLED_AGAIN, order, report))


def _rejected(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report) -> None:
    """W3, also for a withdrawal that was never received: the investor keeps the money, the place is free again."""
    assert order.account_id is not None
    batch.post(rows.withdrawal_rejected(batch.parties(transfer, order, report.at), amount=order.amount))
    batch.move(holds.undone(order.account_id, order.amount, was_acknowledged=order.acknowledged_at is not None))
    _fail(batch, transfer, order, order.reason)


def _fail(batch: Batch, transfer: Transfer, order: BankInstruction, reason: str) -> None:
    assert batch.places is not None
    batch.places.release(transfer.id)
    transfer.fail(at=batch.at)
    batch.note(transfer, "transfer.failed", instruction=order.id, code=order.return_code, reason=reason)
    batch.finish(transfer)


def _returned(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report, amount: int, fee: int) -> None:
    """W4, in every state: out of what is in clearing, else the firm advances it."""
    kin = batch.family_of(transfer)
    who = batch.parties(transfer, order, report.at)
    lines = family.taken(batch.load_books(kin), who, kin, amount)
    batch.post(rows.withdrawal_returned(who, amount=amount, taken=lines))
    follow(batch, transfer, Cause(Why.WITHDRAWAL_RETURNED, order, report))


LEG = outcomes.Leg(
    kind=InstructionKind.WITHDRAWAL,
    ask=Step.ASK_WITHDRAWAL,
    settle=Step.SETTLE_WITHDRAWAL,
    settled=_settled,
    settled_again=_settled_again,
    rejected=_rejected,
    returned=_returned,
    needs_places=outcomes.unplanned,
)
