"""What people decide about transfers whose money has not moved, and what the clock decides for them.

Longer than most modules: all these decisions share one course of locks and refusals.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from bridge.approvals.models import Approval
from bridge.approvals.services import ApprovalClosed
from bridge.kernel import crashpoints, idempotency
from bridge.kernel.crashpoints import Point
from bridge.kernel.errors import BridgeError, NotAllowed, NotFound, StaleVersion, WrongState
from bridge.kernel.results import Actor, Change, Done, Refused, Result, Role, only
from bridge.kernel.transactions import retried, unit_of_work
from funds.models import Verification
from funds.rules.engine import Verdict
from funds.rules.outcomes import Outcome
from transfers import disclosure, sentences
from transfers.blockers import DEEDS, Deed
from transfers.facts import Facts
from transfers.models import Transfer
from transfers.services import orders, permitting, requesting, verifying
from transfers.services.batch import Batch
from transfers.services.requesting import Render
from transfers.services.verifying import Judge, Subject
from transfers.states import CANCELLABLE, ENGINE_FAULT, HELD, State, Step

HELD_BY_OPERATIONS = "held_by_operations"
CHECKERS = (Role.CHECKER, Role.COMPLIANCE)
Decide = Callable[[Batch, Transfer, Change], Result]


class MakerIsChecker(NotAllowed):
    code = "maker_is_checker"
    title = "A second person is needed"
    message = "You asked for this transfer yourself: somebody else must decide about it."


class TimeIsOver(BridgeError):
    code = "time_is_over"
    status = 409
    title = "The time for this decision is over"
    message = "It had to be decided by {until:%Y-%m-%d %H:%M} UTC and expires now. The transfer can be requested anew."


class CriteriaNotMet(BridgeError):
    code = "criteria_not_met"
    status = 409
    title = "The fund's criteria are not met"
    message = "It cannot be approved: {reasons}"


def cancel_transfers(
    *, changes: Sequence[Change], actor: Actor, key: idempotency.Key | None = None, render: Render | None = None
) -> list[Result] | idempotency.Answer:
    """Call transfers off before their money moves: hold and place are given back.

    Refused: `NotFound`, `StaleVersion`, `WrongState` from `withdrawing` on. Locks transfers, accounts, capacity,
    allocations. `key` and `render` as in `request_transfers`.
    """
    return decided(changes, actor, _cancel, deed=Deed.CANCEL, verb="cancelled", key=key, render=render)


def reject_transfers(
    *,
    changes: Sequence[Change],
    actor: Actor,
    review: uuid.UUID | None = None,
    key: idempotency.Key | None = None,
    render: Render | None = None,
) -> list[Result] | idempotency.Answer:
    """A checker says no. Refused as in `cancel_transfers`, and `MakerIsChecker`. `review` as in `approve_transfers`."""
    return decided(changes, actor, _reject, deed=Deed.REJECT, verb="rejected", review=review, key=key, render=render)


def approve_transfers(
    *,
    changes: Sequence[Change],
    actor: Actor,
    facts: Facts,
    review: uuid.UUID | None = None,
    key: idempotency.Key | None = None,
    render: Render | None = None,
) -> list[Result] | idempotency.Answer:
    """A checker lets reviewed transfers go on. The rules run again: what they want held is the checker's to allow,
    what they fail is refused with `CriteriaNotMet`. Also refused: `MakerIsChecker`, `TimeIsOver`, and as in
    `cancel_transfers`. `review`: the approval that the checker saw, of one transfer; where another has taken its place
    since, because the amount was cut, it is refused with `ApprovalClosed`.
    """

    def approve(batch: Batch, transfer: Transfer, change: Change) -> Result:
        return _approve(batch, transfer, facts)

    results = decided(
        changes, actor, approve, deed=Deed.APPROVE, verb="approved", review=review, key=key, render=render
    )
    crashpoints.reach(Point.APPROVE_COMMITTED)
    return results


def release_transfers(
    *,
    changes: Sequence[Change],
    actor: Actor,
    facts: Facts,
    key: idempotency.Key | None = None,
    render: Render | None = None,
) -> list[Result] | idempotency.Answer:
    """Undo what `hold_transfers` did: as `approve_transfers`, and `WrongState` for a review that the rules wanted."""

    def release(batch: Batch, transfer: Transfer, change: Change) -> Result:
        if transfer.blocker_code != HELD_BY_OPERATIONS:
            return Refused(transfer.id, WrongState(state="in review for the fund's criteria", verb="released"))
        return _approve(batch, transfer, facts)

    return decided(changes, actor, release, deed=Deed.APPROVE, verb="released", key=key, render=render)


def hold_transfers(
    *, changes: Sequence[Change], actor: Actor, key: idempotency.Key | None = None, render: Render | None = None
) -> list[Result] | idempotency.Answer:
    """Stop approved transfers for a review before their money moves; hold and place stay."""
    return decided(changes, actor, _hold, deed=Deed.HOLD, verb="held", key=key, render=render)


@retried
def expire_transfers(*, transfer_ids: Sequence[uuid.UUID], actor: Actor) -> list[Result]:
    """End those whose reservation, review or waitlist time is over; the others are left alone."""
    with unit_of_work() as moment:
        batch = Batch(actor=actor, at=moment)
        rows = batch.lock_transfers(transfer_ids)
        due = {
            row.id: row
            for row in rows.values()
            if row.state in CANCELLABLE and row.expires_at is not None and row.expires_at <= moment
        }
        _lock_what_is_held(batch, list(due.values()))
        results: list[Result] = []
        for transfer_id in transfer_ids:
            row = due.get(transfer_id)
            if row is None:
                results.append(Refused(transfer_id, WrongState(state="not due", verb="expired")))
                continue
            _let_go(batch, row, review=Approval.State.EXPIRED)
            row.expire(at=moment)
            batch.note(row, "transfer.expired")
            results.append(Done(row.id, str(row.state), row.version))
        batch.save()
        crashpoints.reach(Point.EXPIRE_WRITTEN)
    return results


@retried
def promote_waitlist(*, transfer_ids: Sequence[uuid.UUID], facts: Facts, actor: Actor) -> list[Result]:
    """Give free places of a fund to these of its waitlist, in the order of requests.

    Its own transaction, woken by a release. Those whom the rules now fail are rejected, those they want reviewed go
    to review; the first that finds no room does not stop a smaller one behind it.
    """
    with unit_of_work() as moment:
        batch = Batch(actor=actor, at=moment)
        rows = batch.lock_transfers(transfer_ids)
        queue = [row for row in rows.values() if row.state == State.WAITLISTED and row.blocker_code != ENGINE_FAULT]
        batch.lock_accounts({row.source_account_id for row in queue})
        batch.lock_places_of(queue)
        judge = _judge_of(batch, queue)
        results: list[Result] = [_promote(batch, row, facts, judge) for row in queue]
        batch.save()
    return results


def _promote(batch: Batch, transfer: Transfer, facts: Facts, judge: Judge) -> Result:
    subject, verdict = _judge_again(batch, transfer, facts, judge)
    assert batch.places is not None
    if verdict.outcome == Outcome.FAIL:
        transfer.reject(at=batch.at)
        batch.note(transfer, "transfer.rejected", reasons=verifying.reasons(verdict, at_least=Outcome.FAIL))
        batch.finish(transfer)
    elif verdict.outcome != Outcome.WAITLIST and batch.places.has_room(
        transfer.fund_id, transfer.investor_id, transfer.amount
    ):
        requesting.take(batch, transfer)
        judge.decided(subject, placed=True)
        if verdict.outcome == Outcome.HOLD:
            requesting.review(batch, transfer, verdict)
        else:
            requesting.approve(batch, transfer)
    return Done(transfer.id, str(transfer.state), transfer.version)


@retried
def decided(
    changes: Sequence[Change],
    actor: Actor,
    decide: Decide,
    *,
    deed: Deed,
    verb: str,
    review: uuid.UUID | None = None,
    key: idempotency.Key | None,
    render: Render | None,
) -> list[Result] | idempotency.Answer:
    """The common course, also of freezes: replay, locks, refusals, one decision per item, one save, one answer.

    In what states, by whom and under which blockers a deed is possible stands in `transfers.blockers`.
    """
    with unit_of_work() as moment:
        if key is not None:
            stored = idempotency.replay(key)
            if stored is not None:
                return stored
        batch = Batch(actor=actor, at=moment)
        rows = batch.lock_transfers(change.id for change in changes)
        refusals = {change.id: _refusal(change, rows.get(change.id), actor, deed, verb) for change in changes}
        if review is not None:
            refusals = {number: error or _replaced(review) for number, error in refusals.items()}
        _lock_what_is_held(batch, [rows[change.id] for change in changes if refusals[change.id] is None])
        results: list[Result] = []
        for change in changes:
            error = refusals[change.id]
            results.append(Refused(change.id, error) if error is not None else decide(batch, rows[change.id], change))
        batch.save()
        if verb == "approved":
            crashpoints.reach(Point.APPROVE_WRITTEN)
        if key is None or render is None:
            return results
        answer = render(results)
        idempotency.keep(key, answer, at=moment)
        return answer


def _refusal(change: Change, row: Transfer | None, actor: Actor, deed: Deed, verb: str) -> BridgeError | None:
    checker = deed in (Deed.APPROVE, Deed.REJECT)
    error = refusal(change, row, actor, DEEDS[deed].states, verb, checker)
    return error if error is not None or row is None else permitting.refusal(row, actor, deed)


def _replaced(review: uuid.UUID) -> BridgeError | None:
    """A review is opened and closed under the lock of its transfer only, and that is held."""
    row = Approval.objects.get(pk=review)
    return None if row.state == Approval.State.OPEN else ApprovalClosed(state=row.get_state_display())


def refusal(
    change: Change, row: Transfer | None, actor: Actor, states: Sequence[State], verb: str, checker: bool
) -> BridgeError | None:
    """Why this change is not possible, if it is not."""
    if row is None:
        return NotFound(what="transfer")
    if change.expected_version not in (None, row.version):
        return StaleVersion(expected=change.expected_version, actual=row.version)
    if row.state not in states:
        seen = disclosure.state(row.state) if actor.role == Role.INVESTOR else row.state
        return WrongState(state=State(seen).label, verb=verb)
    if checker and actor.role not in CHECKERS:
        return NotAllowed(only(CHECKERS))
    if checker and row.requested_by == actor.id:
        return MakerIsChecker()
    return None


def _lock_what_is_held(batch: Batch, rows: Sequence[Transfer]) -> None:
    batch.lock_accounts({row.source_account_id for row in rows})
    batch.lock_places_of(rows)


def _let_go(batch: Batch, transfer: Transfer, *, review: str, reason: str = "") -> None:
    """Give back what this state holds, close its work and its review. Call before the transition."""
    if transfer.state in HELD:
        requesting.give_back(batch, transfer)
    if transfer.state == State.IN_REVIEW:
        batch.decided(transfer, review, reason)
    batch.finish(transfer)


def _cancel(batch: Batch, transfer: Transfer, change: Change) -> Result:
    _let_go(batch, transfer, review=Approval.State.WITHDRAWN, reason=change.reason)
    transfer.cancel(at=batch.at)
    batch.note(transfer, "transfer.cancelled", reason=change.reason)
    return Done(transfer.id, str(transfer.state), transfer.version)


def _reject(batch: Batch, transfer: Transfer, change: Change) -> Result:
    _let_go(batch, transfer, review=Approval.State.REJECTED, reason=change.reason)
    transfer.reject(at=batch.at)
    reason = change.reason or sentences.REVIEWED
    batch.note(transfer, "transfer.rejected", reasons=[{"rule": "review", "reason": reason}])
    return Done(transfer.id, str(transfer.state), transfer.version)


def _hold(batch: Batch, transfer: Transfer, change: Change) -> Result:
    assert batch.places is not None
    expires_at = orders.waits(batch, transfer).after(batch.at, "review")
    reason = change.reason or "Held for a review by operations."
    transfer.hold(at=batch.at, expires_at=expires_at, code=HELD_BY_OPERATIONS, reason=reason[:400])
    batch.note(transfer, "transfer.held", reasons=[{"rule": "review", "reason": reason}])
    batch.places.postpone(transfer.id, expires_at)
    batch.schedule(transfer, Step.DECIDE, expires_at)
    requesting.ask_for_review(batch, transfer)
    return Done(transfer.id, str(transfer.state), transfer.version)


def _approve(batch: Batch, transfer: Transfer, facts: Facts) -> Result:
    if transfer.expires_at is not None and transfer.expires_at <= batch.at:
        return Refused(transfer.id, TimeIsOver(until=transfer.expires_at))
    _, verdict = _judge_again(batch, transfer, facts, _judge_of(batch, [transfer]))
    if verdict.outcome == Outcome.FAIL:
        why = verifying.sentence(verdict, at_least=Outcome.FAIL)
        return Refused(transfer.id, CriteriaNotMet(reasons=why))
    assert batch.places is not None
    batch.places.postpone(transfer.id, orders.waits(batch, transfer).after(batch.at, "reservation"))
    batch.decided(transfer, Approval.State.APPROVED)
    requesting.approve(batch, transfer, by=batch.actor.id)
    return Done(transfer.id, str(transfer.state), transfer.version)


def _judge_of(batch: Batch, transfers: Sequence[Transfer]) -> Judge:
    return verifying.Judge.of(
        stage=Verification.Stage.CREATE,
        at=batch.at,
        funds=[transfer.fund for transfer in transfers],
        accounts=[batch.accounts[transfer.source_account_id] for transfer in transfers],
        transfer_ids=[transfer.id for transfer in transfers],
    )


def _judge_again(batch: Batch, transfer: Transfer, facts: Facts, judge: Judge) -> tuple[Subject, Verdict]:
    """The create rules once more, with what this transfer holds already taken out of what it competes with."""
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
        own_held=transfer.amount if transfer.state in HELD else 0,
        transfer_id=transfer.id,
        cut_from=requesting.cut_from(transfer),
    )
    verdict, seen = judge(subject, observation=facts.observations.get(transfer.source_account_id))
    if verdict.outcome != Outcome.WAITLIST:
        batch.verified(verifying.kept(transfer.id, transfer.fund_id, Verification.Stage.CREATE, verdict, seen))
    return subject, verdict
