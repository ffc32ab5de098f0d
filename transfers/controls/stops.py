"""Stop switches: one person sets one at once, two people lift it (approval kind `stop.lift`).

When `set_stops` has returned, no withdrawal begins any more that it is about: whoever begins one holds the shared side
of a lock whose other side the setting takes. What has begun is not undone; refunds always go on.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings

from accounts.models import Investor
from bridge.approvals.handlers import Handler
from bridge.approvals.models import Approval
from bridge.events.services import Fact
from bridge.kernel import ids, locking
from bridge.kernel.errors import BridgeError, NotAllowed, NotFound
from bridge.kernel.results import Actor, Done, Refused, Result, Role, only
from bridge.kernel.transactions import require_atomic, retried, unit_of_work
from funds.models import Fund
from transfers.controls.telling import tell
from transfers.controls.waking import wake
from transfers.models import Stop

LIFT = "stop.lift"
STOPPED = "stopped"
LOCK = "stops"
SETTERS = frozenset({Role.MAKER, Role.CHECKER, Role.COMPLIANCE})
LIFTERS = frozenset({Role.CHECKER, Role.COMPLIANCE})
S = Stop.Scope


class AlreadyStopped(BridgeError):
    code = "already_stopped"
    status = 409
    title = "Stopped already"
    message = "There is an open stop for this: lift it first, or let it hold back deposits too."


class BadStop(BridgeError):
    code = "bad_stop"
    status = 422
    title = "This cannot be stopped"
    message = "{why}"


class NotStopped(BridgeError):
    code = "not_stopped"
    status = 409
    title = "Lifted already"
    message = "This stop was lifted at {at}."


@dataclass(frozen=True, slots=True)
class NewStop:
    """Of whom, and why. `deposits`: of all or a fund, money withdrawn already does not go on to the fund either."""

    scope: str
    why: str
    institution: str = ""
    fund_id: uuid.UUID | None = None
    investor_id: uuid.UUID | None = None
    deposits: bool = False


@retried
def set_stops(*, stops: Sequence[NewStop], actor: Actor) -> list[Result]:
    """Stop at once; an open stop is widened to deposits where that is asked. One result each, in order.

    Refused: `NotAllowed`, `BadStop`, `NotFound`, `AlreadyStopped`. Takes the lock of stops alone, which waits for
    begun units of work, a fraction of a second.
    """
    with unit_of_work() as moment:
        locking.alone(LOCK)
        return [_set(given, actor, moment) for given in stops]


def subject_of(stop: Stop) -> str:
    """Whom a stop is about, for people."""
    if stop.fund_id is not None:
        return stop.fund.name  # type: ignore[union-attr]
    if stop.investor_id is not None:
        return stop.investor.legal_name  # type: ignore[union-attr]
    return stop.institution or "everything"


def open_stops() -> list[Stop]:
    """In force now, the widest first."""
    rows = Stop.objects.filter(lifted_at__isnull=True).select_related("fund", "investor")
    return sorted(rows, key=lambda row: (list(S.values).index(row.scope), row.set_at))


def _set(given: NewStop, actor: Actor, at: datetime) -> Result:
    error = _refusal(given, actor)
    if error is not None:
        return Refused(None, error)
    found = Stop.objects.filter(
        lifted_at__isnull=True,
        scope=given.scope,
        institution=given.institution,
        fund=given.fund_id,
        investor=given.investor_id,
    ).first()
    if found is not None and (found.deposits or not given.deposits):
        return Refused(found.id, AlreadyStopped())
    if found is not None:
        found.deposits, found.why = True, given.why.strip()[:300]
        found.version += 1
        found.save(update_fields=["deposits", "why", "version"])
        return _told(found, "stop.widened", {"scope": found.scope, "why": found.why}, actor, at)
    stop = Stop(
        id=ids.new_id(),
        scope=given.scope,
        institution=given.institution,
        fund_id=given.fund_id,
        investor_id=given.investor_id,
        deposits=given.deposits,
        why=given.why.strip()[:300],
        set_by=actor.id,
        set_by_name=actor.label[:150],
        set_at=at,
    )
    stop.save(force_insert=True)
    data = {
        "scope": stop.scope,
        "institution": stop.institution,
        "fund": stop.fund_id,
        "investor": stop.investor_id,
        "deposits": stop.deposits,
        "why": stop.why,
    }
    return _told(stop, "stop.set", data, actor, at)


def _told(stop: Stop, type: str, data: dict[str, Any], actor: Actor, at: datetime) -> Result:
    what = "No withdrawal begins and no deposit goes on" if stop.deposits else "No withdrawal begins"
    message = f"{what} for {subject_of(stop)}: {stop.why}"
    fact = Fact("stop", stop.id, type, "set", stop.version, {**data, "message": message})
    tell(facts=[fact], actor=actor, at=at)
    return Done(stop.id, "set", stop.version)


def _refusal(given: NewStop, actor: Actor) -> BridgeError | None:
    if actor.role not in SETTERS:
        return NotAllowed(only(SETTERS))
    if why := _wrong(given):
        return BadStop(why=why)
    if given.fund_id and not Fund.objects.filter(pk=given.fund_id).exists():
        return NotFound(what="fund")
    if given.investor_id and not Investor.objects.filter(pk=given.investor_id).exists():
        return NotFound(what="investor")
    return None


def _wrong(given: NewStop) -> str:
    named = {S.INSTITUTION: bool(given.institution), S.FUND: bool(given.fund_id), S.INVESTOR: bool(given.investor_id)}
    checks = (
        (given.scope not in S.values, f"Stop one of {', '.join(S.values)}."),
        (not given.why.strip(), "Say why, in a sentence: it is kept for ever, and all staff read it on the transfer."),
        (
            any(is_named != (scope == given.scope) for scope, is_named in named.items()),
            "Name exactly what is to be stopped: an institution, a fund, an investor, or nothing for all.",
        ),
        (
            given.deposits and given.scope not in (S.ALL, S.FUND),
            "Deposits are held back for a fund or for everything only.",
        ),
        (
            bool(given.institution) and given.institution not in settings.BRIDGE_GATEWAYS,
            f"There is no institution '{given.institution}'.",
        ),
    )
    return next((why for is_wrong, why in checks if is_wrong), "")


def _stop(stop_id: uuid.UUID) -> Stop:
    found = Stop.objects.select_related("fund", "investor").filter(pk=stop_id).first()
    if found is None:
        raise NotFound(what="stop")
    return found


def _look(stop_id: uuid.UUID) -> dict[str, Any]:
    stop = _stop(stop_id)
    return {"version": stop.version, "open": stop.lifted_at is None}


def _validate(stop_id: uuid.UUID, payload: dict[str, Any]) -> None:
    stop = _stop(stop_id)
    if stop.lifted_at is not None:
        raise NotStopped(at=f"{stop.lifted_at:%Y-%m-%d %H:%M %Z}")
    if not str(payload.get("why", "")).strip():
        raise BadStop(why="Say why it may go on, in a sentence: it is kept for ever.")


def _carry_out(approval: Approval, actor: Actor, at: datetime) -> None:
    """Lift it; what it held back goes on at once. Raises `NotStopped`."""
    require_atomic()
    locking.alone(LOCK)
    _validate(approval.subject_id, approval.payload)
    stop = _stop(approval.subject_id)
    stop.lifted_at, stop.lifted_by, stop.lift_asked_by = at, actor.id, approval.maker
    stop.lifted_why = str(approval.payload["why"])[:400]
    stop.version += 1
    stop.save(update_fields=["lifted_at", "lifted_by", "lift_asked_by", "lifted_why", "version"])
    woken = wake([STOPPED], at=at)
    data = {
        "scope": stop.scope,
        "why": stop.lifted_why,
        "asked_by": approval.maker,
        "woken": woken,
        "message": f"Withdrawals go on for {subject_of(stop)}: {stop.lifted_why}",
    }
    tell(facts=[Fact("stop", stop.id, "stop.lifted", "lifted", stop.version, data)], actor=actor, at=at)


HANDLER = Handler(
    kind=LIFT,
    subject_type="stop",
    makers=SETTERS,
    checkers=LIFTERS,
    look=_look,
    summarize=lambda stop_id, payload: f"Lift the stop of {subject_of(_stop(stop_id))}: {payload.get('why', '')}",
    validate=_validate,
    carry_out=_carry_out,
)
