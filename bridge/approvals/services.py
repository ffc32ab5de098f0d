"""Asking for a second person, and being one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from bridge.approvals import wording
from bridge.approvals.handlers import Handler, Render, handler_for, kinds
from bridge.approvals.models import Approval
from bridge.approvals.rows import (
    AlreadyOpen,
    ApprovalClosed,
    ApprovalVoid,
    MakerIsChecker,
    NotWithdrawable,
    Proposal,
    bound_hash,
    close,
    closed,
    locked,
    open_of,
    open_requests,
    plain,
    refuse,
)
from bridge.kernel import idempotency
from bridge.kernel.errors import (
    BridgeError,
    IdempotencyKeyReused,
    NotAllowed,
    NotFound,
    RequestInFlight,
    StaleVersion,
)
from bridge.kernel.idempotency import Answer, Key
from bridge.kernel.results import Actor, Change, Done, Refused, Result, only
from bridge.kernel.transactions import retried, unit_of_work

__all__ = [
    "AlreadyOpen",
    "ApprovalClosed",
    "ApprovalVoid",
    "MakerIsChecker",
    "NotWithdrawable",
    "Proposal",
    "approve",
    "bound_hash",
    "close",
    "decide_once",
    "expire_approvals",
    "open_of",
    "open_requests",
    "propose",
    "propose_once",
    "refuse",
    "reject",
    "withdraw",
]
S = Approval.State


@retried
def propose(*, proposal: Proposal, actor: Actor) -> Approval:
    """Ask for a second person. Raises what the handler's `validate` raises, `NotAllowed`, `AlreadyOpen`, `NotFound`."""
    handler = handler_for(proposal.kind)
    _only_makers(handler, proposal, actor)
    with unit_of_work() as moment:
        return _open_one(handler, proposal, actor, moment)


@retried
def propose_once(
    *, proposal: Proposal, actor: Actor, key: Key, render: Render, refusal: BridgeError | None = None
) -> Answer:
    """`propose` under a key: the answer is kept with the request, or the kept one returned.

    `refusal`: what speaks against a new request, such as a stale version. Raises it, and as `propose`, and
    `RequestInFlight`, `IdempotencyKeyReused`.
    """
    handler = handler_for(proposal.kind)
    _only_makers(handler, proposal, actor)
    with unit_of_work() as moment:
        stored = idempotency.replay(key)
        if stored is not None:
            return stored
        if refusal is not None:
            raise refusal
        row = _open_one(handler, proposal, actor, moment)
        answer = render([Done(row.id, row.state, row.version)])
        idempotency.keep(key, answer, at=moment)
        return answer


def _only_makers(handler: Handler, proposal: Proposal, actor: Actor) -> None:
    if actor.role not in handler.makers:
        refuse(handler, proposal.subject_id, actor, "propose")
        raise NotAllowed(only(handler.makers))


def _open_one(handler: Handler, proposal: Proposal, actor: Actor, at: datetime) -> Approval:
    handler.validate(proposal.subject_id, proposal.payload)
    (approval,) = open_requests(proposals=[proposal], actor=actor, at=at)
    return approval


def approve(*, changes: Sequence[Change], actor: Actor) -> list[Result]:
    """Decide yes, each in a unit of work of its own: check that it is still what was asked for, then carry it out.

    Refused: `NotFound`, `StaleVersion`, `ApprovalClosed`, `NotAllowed`, `MakerIsChecker`, `ApprovalVoid`, and what
    the handler refuses. Every refused attempt is recorded.
    """
    return [_result(_decide(change, actor, yes=True)) for change in changes]


def reject(*, changes: Sequence[Change], actor: Actor) -> list[Result]:
    """Decide no. Refused as in `approve`."""
    return [_result(_decide(change, actor, yes=False)) for change in changes]


def decide_once(*, change: Change, yes: bool, actor: Actor, key: Key, render: Render) -> Answer:
    """`approve` or `reject` one under a key: the answer is kept in the decision's own transaction, or the kept one
    returned. Raises what they refuse, and `RequestInFlight`, `IdempotencyKeyReused`; then nothing is kept."""
    answer = _decide(change, actor, yes=yes, key=key, render=render)
    if isinstance(answer, Refused):
        raise answer.error
    assert isinstance(answer, Answer)
    return answer


@retried
def withdraw(
    *, changes: Sequence[Change], actor: Actor, key: Key | None = None, render: Render | None = None
) -> list[Result] | Answer:
    """The maker takes the request back. Refused: `NotFound`, `StaleVersion`, `ApprovalClosed`, `NotAllowed` for
    anybody else, `NotWithdrawable` where the subject's own services decide."""
    results: list[Result] = []
    with unit_of_work() as moment:
        if key is not None and (stored := idempotency.replay(key)) is not None:
            return stored
        rows = locked(change.id for change in changes)
        for change in changes:
            row = rows.get(change.id)
            error = closed(change, row)
            if error is None and row is not None and row.maker != actor.id:
                error = NotAllowed("Only the one who asked can take it back.")
            if error is None and row is not None and handler_for(row.kind).decide is not None:
                error = NotWithdrawable()
            if error is not None or row is None:
                results.append(Refused(change.id, error or NotFound(what="approval")))
                continue
            close(rows=[row], state=S.WITHDRAWN, actor=actor, at=moment, reason=change.reason)
            results.append(Done(row.id, row.state, row.version))
        if key is None or render is None:
            return results
        answer = render(results)
        idempotency.keep(key, answer, at=moment)
        return answer


@retried
def expire_approvals(*, actor: Actor) -> int:
    """End those that nobody decided in time; returns how many. Those whose subject has services of its own, such as a
    transfer in review, end together with it."""
    with unit_of_work() as moment:
        own = [kind for kind in kinds() if handler_for(kind).decide is not None]
        overdue = Approval.objects.filter(state=S.OPEN, expires_at__lte=moment).exclude(kind__in=own)
        due = overdue.values_list("pk", flat=True)
        rows = list(locked(due).values())
        close(rows=[row for row in rows if row.state == S.OPEN], state=S.EXPIRED, actor=actor, at=moment)
        return len(rows)


def _decide(
    change: Change, actor: Actor, *, yes: bool, key: Key | None = None, render: Render | None = None
) -> Result | Answer:
    found = Approval.objects.filter(pk=change.id).first()
    if found is None:
        return Refused(change.id, NotFound(what="approval"))
    handler = handler_for(found.kind)
    try:
        error = _not_his(found, handler, actor)
        if error is not None:
            raise error
        if handler.decide is None or found.state != S.OPEN:
            return _carry_out(change, handler, actor, yes=yes, key=key, render=render)
        if change.expected_version not in (None, found.version):
            raise StaleVersion(expected=change.expected_version, actual=found.version)
        told = None if render is None else _of(found, render)
        answer = handler.decide(found, yes, actor, change.reason, key=key, render=told)
        if isinstance(answer, Refused):
            raise answer.error
        return answer
    except (RequestInFlight, IdempotencyKeyReused) as unused:  # nobody tried to decide anything
        return Refused(change.id, unused)
    except BridgeError as refused:
        refuse(handler, found.subject_id, actor, "approve" if yes else "reject", refused.code)
        return Refused(change.id, refused)


def _of(approval: Approval, render: Render) -> Render:
    """Answer with the approval where the subject's services decided about the subject."""

    def rendered(results: list[Result]) -> Answer:
        (result,) = results
        return render([result if isinstance(result, Refused) else Done(approval.id)])

    return rendered


def _result(answer: Result | Answer) -> Result:
    assert not isinstance(answer, Answer)  # without a renderer there is none
    return answer


@retried
def _carry_out(
    change: Change, handler: Handler, actor: Actor, *, yes: bool, key: Key | None, render: Render | None
) -> Result | Answer:
    too_late: BridgeError | None = None
    with unit_of_work() as moment:
        if key is not None and (stored := idempotency.replay(key)) is not None:
            return stored
        row = locked([change.id])[change.id]
        error = closed(change, row)
        if error is not None:
            raise error
        if handler.lock is not None:
            handler.lock(row.subject_id)
        now_seen = plain(handler.look(row.subject_id))
        if row.expires_at is not None and row.expires_at <= moment:
            close(rows=[row], state=S.EXPIRED, actor=actor, at=moment)
            too_late = ApprovalClosed(state=row.get_state_display())
        elif bound_hash(row.kind, row.subject_id, row.payload, now_seen) != row.bound_hash:
            what = _changes(row, handler, now_seen)
            close(rows=[row], state=S.VOID, actor=actor, at=moment, reason=what and f"Changed since: {what}.")
            too_late = ApprovalVoid(what=what and f": {what}")
        elif yes:
            assert handler.carry_out is not None
            close(rows=[row], state=S.APPROVED, actor=actor, at=moment, reason=change.reason)
            handler.carry_out(row, actor, moment)
        else:
            close(rows=[row], state=S.REJECTED, actor=actor, at=moment, reason=change.reason)
        result = Done(row.id, row.state, row.version)
        if key is not None and render is not None and too_late is None:
            answer = render([result])
            idempotency.keep(key, answer, at=moment)
            return answer
    if too_late is not None:
        raise too_late
    return result


def _changes(row: Approval, handler: Handler, now_seen: dict[str, Any]) -> str:
    """What is no longer as it was when it was asked for, in words."""
    return wording.changes(row.seen, now_seen, wording.currency_of(handler, row))


def _not_his(row: Approval, handler: Handler, actor: Actor) -> BridgeError | None:
    if actor.role not in handler.checkers:
        return NotAllowed(only(handler.checkers))
    if row.maker == actor.id:
        return MakerIsChecker()
    return None
