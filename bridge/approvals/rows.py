"""The rows of approvals: opened, locked, closed and told, inside somebody's unit of work."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection

from bridge.approvals.handlers import Handler, handler_for
from bridge.approvals.models import Approval
from bridge.events import services as events
from bridge.kernel import bulk, ids, together
from bridge.kernel.errors import BridgeError, NotAllowed, NotFound, StaleVersion
from bridge.kernel.results import Actor, Change
from bridge.kernel.transactions import require_atomic, retried, unit_of_work

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
    message = "What was to be approved has changed since{what}. The approval is void; ask for it anew."


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


def open_requests(*, proposals: Sequence[Proposal], actor: Actor, at: datetime) -> list[Approval]:
    """Open approvals inside somebody's unit of work, which has validated them. Raises `AlreadyOpen`."""
    require_atomic()
    if not proposals:
        return []
    rows = []
    for proposal in proposals:
        handler = handler_for(proposal.kind)
        seen = plain(handler.look(proposal.subject_id) if proposal.seen is None else proposal.seen)
        payload = plain(proposal.payload)
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
    try:
        bulk.insert(Approval, rows)
        together.send()  # where it waits with others, this is where its refusal belongs
    except IntegrityError as error:  # somebody else asked between our look and our insert
        if getattr(getattr(error.__cause__, "diag", None), "constraint_name", "") == "approval_one_open":
            raise AlreadyOpen() from error
        raise
    _tell(rows, "approval.requested", actor, at)
    return rows


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


@retried
def refuse(handler: Handler, subject_id: uuid.UUID, actor: Actor, verb: str, why: str = "not_allowed") -> None:
    """Record an attempt that was refused, in a transaction of its own, on a chain beside the subject's."""
    with unit_of_work() as moment:
        data = {"kind": handler.kind, "subject_type": handler.subject_type, "verb": verb, "code": why}
        fact = events.Fact("refusal", subject_id, "approval.refused", data=data)
        _one_at_a_time(subject_id)
        events.append(facts=[fact], actor=actor, at=moment)


def closed(change: Change, row: Approval | None) -> BridgeError | None:
    """Why this change is not possible, if it is not."""
    if row is None:
        return NotFound(what="approval")
    if change.expected_version not in (None, row.version):
        return StaleVersion(expected=change.expected_version, actual=row.version)
    if row.state != S.OPEN:
        return ApprovalClosed(state=row.get_state_display())
    return None


def locked(numbers: Iterable[uuid.UUID]) -> dict[uuid.UUID, Approval]:
    """Lock these, in the order of their keys."""
    require_atomic()
    rows = Approval.objects.select_for_update(no_key=True).filter(pk__in=list(numbers)).order_by("pk")
    return {row.id: row for row in rows}


def _one_at_a_time(subject_id: uuid.UUID) -> None:
    """Two refusals about one subject must not meet at its next event: an advisory lock stands for a row's."""
    number = int.from_bytes(subject_id.bytes[8:], "big", signed=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])


def plain(value: Any) -> Any:
    """As JSON gives it back."""
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
