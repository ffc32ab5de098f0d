"""Asking for a second person, and being one."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from bridge.approvals.handlers import Handler, Render, handler_for
from bridge.approvals.models import Approval
from bridge.events import services as events
from bridge.kernel import bulk, idempotency, ids
from bridge.kernel.errors import (
    BridgeError,
    IdempotencyKeyReused,
    NotAllowed,
    NotFound,
    RequestInFlight,
    StaleVersion,
)
from bridge.kernel.idempotency import Answer, Key
from bridge.kernel.results import Actor, Change, Done, Refused, Result
from bridge.kernel.transactions import require_atomic, unit_of_work

VALID_FOR = timedelta(days=5)
S = Approval.State


class AlreadyOpen(BridgeError):
    code = "approval_already_open"
    status = 409
    title = "Somebody asked for this already"
    message = "There is an open approval for it: decide that one, or withdraw it first."


class MakerIsChecker(NotAllowed):
    code = "maker_is_checker"
    title = "A second person is needed"
    message = "You asked for this yourself: somebody else must decide about it."


class ApprovalClosed(BridgeError):
    code = "approval_closed"
    status = 409
    title = "Already decided"
    message = "This approval is {state}."


class NotWithdrawable(BridgeError):
    code = "not_withdrawable"
    status = 409
    title = "It cannot be taken back here"
    message = "This decision belongs to its subject: cancel that, and the request for a decision ends with it."


class ApprovalVoid(BridgeError):
    code = "approval_void"
    status = 409
    title = "It changed after it was asked for"
    message = "What was to be approved has changed since. The approval is void; ask for it anew."


@dataclass(frozen=True, slots=True)
class Proposal:
    """What a maker wants done to one subject.

    `seen`, `summary` and `maker` are for services that open approvals in bulk beside their own rows: what the
    handler would look up, and who stands behind it where that is not the actor.
    """

    kind: str
    subject_id: uuid.UUID
    payload: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    seen: dict[str, Any] | None = None
    summary: str = ""
    maker: str = ""


def propose(*, proposal: Proposal, actor: Actor) -> Approval:
    """Ask for a second person. Raises what the handler's `validate` raises, `NotAllowed`, `AlreadyOpen`, `NotFound`."""
    handler = handler_for(proposal.kind)
    _only_makers(handler, proposal, actor)
    with unit_of_work() as moment:
        return _open_one(handler, proposal, actor, moment)


def propose_once(
    *, proposal: Proposal, actor: Actor, key: Key, render: Render, refusal: BridgeError | None = None
) -> Answer:
    """`propose` under a key: the answer is kept with the request, or the kept one returned.

    `refusal`: what speaks against a new request, such as a stale version. Raises it, as `propose`, and `RequestInFlight`, `IdempotencyKeyReused`.
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
        raise NotAllowed()


def _open_one(handler: Handler, proposal: Proposal, actor: Actor, at: datetime) -> Approval:
    handler.validate(proposal.subject_id, proposal.payload)
    (approval,) = open_requests(proposals=[proposal], actor=actor, at=at)
    return approval


def open_requests(*, proposals: Sequence[Proposal], actor: Actor, at: datetime) -> list[Approval]:
    """Open approvals inside somebody's unit of work, which has validated them. Raises `AlreadyOpen`."""
    require_atomic()
    if not proposals:
        return []
    rows = []
    for proposal in proposals:
        handler = handler_for(proposal.kind)
        seen = _plain(handler.look(proposal.subject_id) if proposal.seen is None else proposal.seen)
        payload = _plain(proposal.payload)
        rows.append(
            Approval(
                id=ids.new_id(),
                kind=proposal.kind,
                subject_type=handler.subject_type,
                subject_id=proposal.subject_id,
                summary=(proposal.summary or handler.summarize(proposal.subject_id, payload))[:300],
                payload=payload,
                seen=seen,
                bound_hash=bound_hash(proposal.kind, proposal.subject_id, payload, seen),
                reason=proposal.reason[:400],
                maker=proposal.maker or actor.id,
                maker_role=actor.role,
                created_at=at,
                expires_at=at + VALID_FOR,
            )
        )
    subjects = {(row.subject_type, row.subject_id) for row in rows}
    taken = Approval.objects.filter(state=S.OPEN, subject_id__in={subject for _, subject in subjects})
    if any((row.subject_type, row.subject_id) in subjects for row in taken):
        raise AlreadyOpen()
    bulk.insert(Approval, rows)
    _tell(rows, "approval.requested", actor, at)
    return rows


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


def withdraw(
    *, changes: Sequence[Change], actor: Actor, key: Key | None = None, render: Render | None = None
) -> list[Result] | Answer:
    """The maker takes the request back. Refused: `NotFound`, `StaleVersion`, `ApprovalClosed`, `NotAllowed` for
    anybody else, `NotWithdrawable` where the subject's own services decide."""
    results: list[Result] = []
    with unit_of_work() as moment:
        if key is not None and (stored := idempotency.replay(key)) is not None:
            return stored
        rows = _locked(change.id for change in changes)
        for change in changes:
            row = rows.get(change.id)
            error = _closed(change, row)
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


def expire_approvals(*, actor: Actor) -> int:
    """End those that nobody decided in time; returns how many."""
    with unit_of_work() as moment:
        due = Approval.objects.filter(state=S.OPEN, expires_at__lte=moment).values_list("pk", flat=True)
        rows = list(_locked(due).values())
        close(rows=[row for row in rows if row.state == S.OPEN], state=S.EXPIRED, actor=actor, at=moment)
        return len(rows)


def open_of(subject_ids: Iterable[uuid.UUID], *, kind: str) -> list[Approval]:
    """Lock the open approvals of this kind for these subjects. Needs the subjects' locks."""
    require_atomic()
    return list(
        Approval.objects.select_for_update(no_key=True)
        .filter(state=S.OPEN, kind=kind, subject_id__in=list(subject_ids))
        .order_by("pk")
    )


def close(*, rows: Sequence[Approval], state: str, actor: Actor, at: datetime, reason: str = "") -> None:
    """Write a decision on approvals that the caller has locked. The database refuses a checker who is the maker."""
    require_atomic()
    if not rows:
        return
    for row in rows:
        row.state, row.decided_at, row.decision_reason = state, at, reason[:400]
        row.version += 1
        if state in (S.APPROVED, S.REJECTED):
            row.checker, row.checker_role = actor.id, actor.role
    bulk.update(
        Approval,
        rows,
        fields=["state", "decided_at", "decision_reason", "version", "checker", "checker_role"],
    )
    _tell(rows, f"approval.{state}", actor, at)


def bound_hash(kind: str, subject_id: uuid.UUID, payload: dict[str, Any], seen: dict[str, Any]) -> str:
    """What an approval is bound to: SHA-256 over kind, subject, what will be done and what it rests on."""
    body = json.dumps([kind, str(subject_id), payload, seen], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(body.encode()).hexdigest()


def refuse(handler: Handler, subject_id: uuid.UUID, actor: Actor, verb: str, why: str = "not_allowed") -> None:
    """Record an attempt that was refused, in a transaction of its own, on a chain beside the subject's."""
    with unit_of_work() as moment:
        data = {"kind": handler.kind, "subject_type": handler.subject_type, "verb": verb, "code": why}
        fact = events.Fact("refusal", subject_id, "approval.refused", data=data)
        _one_at_a_time(subject_id)
        events.append(facts=[fact], actor=actor, at=moment)


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


def _carry_out(
    change: Change, handler: Handler, actor: Actor, *, yes: bool, key: Key | None, render: Render | None
) -> Result | Answer:
    voided = False
    with unit_of_work() as moment:
        if key is not None and (stored := idempotency.replay(key)) is not None:
            return stored
        row = _locked([change.id])[change.id]
        error = _closed(change, row)
        if error is not None:
            raise error
        now_seen = _plain(handler.look(row.subject_id))
        if bound_hash(row.kind, row.subject_id, row.payload, now_seen) != row.bound_hash:
            close(rows=[row], state=S.VOID, actor=actor, at=moment)
            voided = True
        elif yes:
            assert handler.carry_out is not None
            close(rows=[row], state=S.APPROVED, actor=actor, at=moment, reason=change.reason)
            handler.carry_out(row, actor, moment)
        else:
            close(rows=[row], state=S.REJECTED, actor=actor, at=moment, reason=change.reason)
        result = Done(row.id, row.state, row.version)
        if key is not None and render is not None and not voided:
            answer = render([result])
            idempotency.keep(key, answer, at=moment)
            return answer
    if voided:
        raise ApprovalVoid()
    return result


def _not_his(row: Approval, handler: Handler, actor: Actor) -> BridgeError | None:
    if actor.role not in handler.checkers:
        return NotAllowed()
    if row.maker == actor.id:
        return MakerIsChecker()
    return None


def _closed(change: Change, row: Approval | None) -> BridgeError | None:
    if row is None:
        return NotFound(what="approval")
    if change.expected_version not in (None, row.version):
        return StaleVersion(expected=change.expected_version, actual=row.version)
    if row.state != S.OPEN:
        return ApprovalClosed(state=row.get_state_display())
    return None


def _locked(numbers: Iterable[uuid.UUID]) -> dict[uuid.UUID, Approval]:
    rows = Approval.objects.select_for_update(no_key=True).filter(pk__in=list(numbers)).order_by("pk")
    return {row.id: row for row in rows}


def _one_at_a_time(subject_id: uuid.UUID) -> None:
    """Two refusals about one subject must not meet at its next event: an advisory lock stands for a row's."""
    number = int.from_bytes(subject_id.bytes[8:], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def _plain(value: Any) -> Any:
    return json.loads(bulk.dumps(value))


def _tell(rows: Sequence[Approval], type: str, actor: Actor, at: datetime) -> None:
    facts = [
        events.Fact(
            "approval",
            row.id,
            type,
            row.state,
            row.version,
            {"kind": row.kind, "subject_type": row.subject_type, "subject": row.subject_id, "hash": row.bound_hash},
        )
        for row in rows
    ]
    events.append(facts=facts, actor=actor, at=at)
