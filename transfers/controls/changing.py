"""Putting parameters in force: one asks, another agrees (approval kind `parameters.change`), rows are permanent.

The payload is the scope (`institution`, `rail`, `fund`), all `values` that the scope sets from then on, `why`, and
`effective_from` (null: from the second person's yes on; a moment that has passed by then counts as that yes).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from typing import Any

from django.conf import settings

from bridge.approvals.handlers import Handler
from bridge.approvals.models import Approval
from bridge.events import services as events
from bridge.kernel import clock, ids, locking
from bridge.kernel.errors import BridgeError, NotFound
from bridge.kernel.money import display
from bridge.kernel.rails import Rail
from bridge.kernel.results import Actor, Role
from bridge.kernel.transactions import require_atomic
from funds.models import Fund
from transfers import parameters
from transfers.models import Parameters
from transfers.parameters import BadScope, Scope
from transfers.policy import Layers, Policy, in_force, resolved

CHANGE = "parameters.change"
SUBJECT = "parameters"
MAKERS = frozenset({Role.MAKER, Role.CHECKER, Role.COMPLIANCE})
CHECKERS = frozenset({Role.CHECKER, Role.COMPLIANCE})


class MomentPassed(BridgeError):
    code = "moment_passed"
    status = 422
    title = "Parameters cannot change the past"
    message = "They would count from {moment} on, which is over. Leave the moment empty, or name a later one."


class MomentTaken(BridgeError):
    code = "moment_taken"
    status = 409
    title = "Something begins at that moment already"
    message = "Other parameters of the same scope begin at {moment}. Choose another moment."


class NoReason(BridgeError):
    code = "reason_missing"
    status = 422
    title = "The reason is missing"
    message = "Say why, in a sentence: it is kept for ever."


def payload_of(
    *, scope: Scope, values: Mapping[str, Any], why: str, effective_from: datetime | None = None
) -> dict[str, Any]:
    """What a proposal carries."""
    return {
        **scope.as_json(),
        "values": {name: parameters.kept(value) for name, value in values.items()},
        "effective_from": effective_from and effective_from.isoformat(),
        "why": why,
    }


def values_of(scope: Scope, *, at: datetime) -> dict[str, Any]:
    """What this scope itself sets at a moment, as it is kept."""
    return dict(in_force(at).get((scope.institution, scope.rail, scope.fund_id), {}))


def _lock(scope_id: uuid.UUID) -> None:
    locking.alone(f"parameters:{scope_id}")


def _look(scope_id: uuid.UUID) -> dict[str, Any]:
    newest = Parameters.objects.filter(scope_id=scope_id).order_by("-created_at", "-id").first()
    return {"newest": newest and str(newest.id)}


def _validate(scope_id: uuid.UUID, payload: dict[str, Any]) -> None:
    scope, values = _scope(scope_id, payload), payload.get("values", {})
    moment, now = _moment(payload), clock.now()
    if moment is not None and moment < now:
        raise MomentPassed(moment=f"{moment:%Y-%m-%d %H:%M %Z}")
    if moment is not None and Parameters.objects.filter(scope_id=scope_id, effective_from=moment).exists():
        raise MomentTaken(moment=f"{moment:%Y-%m-%d %H:%M %Z}")
    if not str(payload.get("why", "")).strip():
        raise NoReason()
    parameters.checked(values, scope=scope)
    _fits({**in_force(moment or now), (scope.institution, scope.rail, scope.fund_id): values})


def _scope(scope_id: uuid.UUID, payload: Mapping[str, Any]) -> Scope:
    """Raises `BadScope`, `NotFound` for a fund."""
    scope = Scope.of({name: payload.get(name) or "" for name in ("institution", "rail", "fund")})
    if scope.id != scope_id or not isinstance(payload.get("values"), dict):
        raise BadScope()
    if scope.institution and scope.institution not in settings.BRIDGE_GATEWAYS:
        raise BadScope(f"There is no institution '{scope.institution}'.")
    if scope.fund_id is not None and not Fund.objects.filter(pk=scope.fund_id).exists():
        raise NotFound(what="fund")
    return scope


def _moment(payload: Mapping[str, Any]) -> datetime | None:
    given = payload.get("effective_from")
    if given is None:
        return None
    try:
        moment = datetime.fromisoformat(given)
    except (TypeError, ValueError) as error:
        raise MomentPassed("The moment must be a date and time with an offset from UTC.") from error
    if moment.tzinfo is None:
        raise MomentPassed("The moment needs an offset from UTC.")
    return moment


def _fits(layers: Layers) -> None:
    """No scope gets a policy whose parts contradict each other. Raises `BadParameter`."""
    for institution, rail, fund_id in layers:
        for way in {rail, *(Rail.values if not rail else ())}:
            found = resolved(layers, institution=institution, rail=way, fund_id=fund_id)
            parameters.coherent({item.name: getattr(found, item.name) for item in fields(Policy)})


def _summarize(scope_id: uuid.UUID, payload: dict[str, Any]) -> str:
    scope = _scope(scope_id, payload)
    name = Fund.objects.get(pk=scope.fund_id).name if scope.fund_id else scope.label
    before, after = values_of(scope, at=clock.now()), payload["values"]
    changed = [
        f"{key.replace('_', ' ')} {_shown(before.get(key))} → {_shown(after.get(key))}"
        for key in sorted(before.keys() | after.keys())
        if before.get(key) != after.get(key)
    ]
    moment = _moment(payload)
    begins = f" from {moment:%Y-%m-%d %H:%M %Z}" if moment else ""
    return f"Parameters of {name}{begins}: {'; '.join(changed) or 'nothing changes'}"


def _shown(value: Any) -> str:
    if value is None:
        return "not set"
    if isinstance(value, dict):
        return ", ".join(display(amount, currency) for currency, amount in sorted(value.items())) or "none"
    return str(value)


def _carry_out(approval: Approval, actor: Actor, at: datetime) -> None:
    """Write the row and its event. Raises `BadParameter`, `MomentTaken`."""
    require_atomic()
    payload, scope_id = approval.payload, approval.subject_id
    scope = _scope(scope_id, payload)
    moment = max(_moment(payload) or at, at)
    if Parameters.objects.filter(scope_id=scope_id, effective_from=moment).exists():
        raise MomentTaken(moment=f"{moment:%Y-%m-%d %H:%M %Z}")
    parameters.checked(payload["values"], scope=scope)
    _fits({**in_force(moment), (scope.institution, scope.rail, scope.fund_id): payload["values"]})
    row = Parameters.objects.create(
        id=ids.new_id(),
        scope_id=scope_id,
        institution=scope.institution,
        rail=scope.rail,
        fund_id=scope.fund_id,
        values=payload["values"],
        effective_from=moment,
        why=str(payload["why"])[:400],
        made_by=approval.maker,
        approved_by=actor.id,
        approval_id=approval.id,
        created_at=at,
    )
    data = {**scope.as_json(), "values": row.values, "effective_from": moment, "why": row.why, "made_by": row.made_by}
    number = Parameters.objects.filter(scope_id=scope_id).count()
    fact = events.Fact(SUBJECT, scope_id, "parameters.changed", "", number, data)
    events.append(facts=[fact], actor=actor, at=at)


HANDLER = Handler(
    kind=CHANGE,
    subject_type=SUBJECT,
    makers=MAKERS,
    checkers=CHECKERS,
    lock=_lock,
    look=_look,
    summarize=_summarize,
    validate=_validate,
    carry_out=_carry_out,
)
