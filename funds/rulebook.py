"""Parameters of rules: drafted by one person, activated by another, in force for a time.

Longer than most modules: drafts and their activation share their checks and their locks.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Max, Q

from bridge.approvals.handlers import Handler
from bridge.approvals.handlers import register as register_handler
from bridge.approvals.models import Approval
from bridge.events import services as events
from bridge.kernel import clock, ids, locking
from bridge.kernel.errors import BridgeError, NotAllowed, NotFound, StaleVersion, WrongState
from bridge.kernel.results import Actor, Change, Role, only
from bridge.kernel.transactions import retried, unit_of_work
from funds.drafted import changes, changes_nothing
from funds.models import Fund, RuleParameters
from funds.rule_words import activation_words
from funds.rules.catalogue import BY_ID
from funds.rules.registry import refusals

ACTIVATE = "rule.activate"
OWNERS = frozenset({Role.MAKER, Role.CHECKER, Role.COMPLIANCE})
S = RuleParameters.State


class UnknownRule(BridgeError):
    code = "unknown_rule"
    status = 422
    title = "Unknown rule"
    message = "'{rule}' is no rule. There are: {known}."


class WrongParameters(BridgeError):
    code = "wrong_parameters"
    status = 422
    title = "The values cannot be used"
    message = "The values cannot be used: {problems}."


class NothingChanges(WrongParameters):
    title = "Nothing would change"
    message = (
        "These values, with the defaults for what is left empty, are in force for {scope} already, or planned. "
        "Name another value or another time."
    )


class NoParameters(WrongParameters):
    title = "There are no values to set"
    message = "The rule '{rule}' has no parameters, so there is nothing to draft."


class BeginsInThePast(BridgeError):
    code = "begins_in_the_past"
    status = 422
    title = "A rule cannot change the past"
    message = "It would begin at {begins}, which is over. Let it begin now or later."


class NotADraft(WrongState):
    code = "not_a_draft"
    message = "These parameters are {state}: only a draft can be changed, activated or discarded."


@dataclass(frozen=True, slots=True)
class Draft:
    """Values of one rule to be, for one fund or all (`fund_id` None). `effective_from` None: from activation on."""

    rule: str
    values: dict[str, Any] = field(default_factory=dict)
    fund_id: uuid.UUID | None = None
    effective_from: datetime | None = None
    effective_to: datetime | None = None
    note: str = ""


@retried
def draft_parameters(*, draft: Draft, actor: Actor) -> RuleParameters:
    """Keep a draft.

    Raises `UnknownRule`, `WrongParameters`, `NoParameters`, `NothingChanges`, `NotFound` for a fund, `NotAllowed`.
    """
    _check(draft, actor)
    with unit_of_work() as moment:
        locking.alone(_lock_of(draft.rule))
        if draft.fund_id is not None and not Fund.objects.filter(pk=draft.fund_id).exists():
            raise NotFound(what="fund")
        _must_change(draft, moment)
        highest = RuleParameters.objects.filter(rule=draft.rule).aggregate(top=Max("number"))["top"] or 0
        row = RuleParameters.objects.create(
            id=ids.new_id(),
            number=highest + 1,
            rule=draft.rule,
            fund_id=draft.fund_id,
            values=draft.values,
            effective_from=draft.effective_from or moment,
            effective_to=draft.effective_to,
            note=draft.note[:300],
            made_by=actor.id,
            created_at=moment,
        )
        _tell(row, "rule.drafted", actor, moment)
    return row


@retried
def edit_draft(*, change: Change, draft: Draft, actor: Actor) -> RuleParameters:
    """Change a draft; an open approval of it is void from then on, because it was bound to the old values.

    Raises as `draft_parameters`, and `StaleVersion`, `NotADraft`.
    """
    _check(draft, actor)
    with unit_of_work() as moment:
        row = _locked(change)
        if row.state != S.DRAFT:
            raise NotADraft(state=row.get_state_display())
        _must_change(draft, moment)
        row.values, row.note = draft.values, draft.note[:300]
        row.effective_from, row.effective_to = draft.effective_from or moment, draft.effective_to
        row.made_by = actor.id
        row.version += 1
        row.save()
        _tell(row, "rule.edited", actor, moment)
    return row


@retried
def discard_draft(*, change: Change, actor: Actor) -> RuleParameters:
    """A draft that nobody wants any more. Raises `NotFound`, `StaleVersion`, `NotADraft`, `NotAllowed`."""
    if actor.role not in OWNERS:
        raise NotAllowed(only(OWNERS))
    with unit_of_work() as moment:
        row = _locked(change)
        if row.state != S.DRAFT:
            raise NotADraft(state=row.get_state_display())
        row.state = S.DISCARDED
        row.version += 1
        row.save(update_fields=["state", "version"])
        _tell(row, "rule.discarded", actor, moment)
    return row


def _check(draft: Draft, actor: Actor) -> None:
    if actor.role not in OWNERS:
        raise NotAllowed(only(OWNERS))
    if draft.rule not in BY_ID:
        raise UnknownRule(rule=draft.rule, known=", ".join(BY_ID))
    if not BY_ID[draft.rule].parameters:
        raise NoParameters(rule=draft.rule)
    problems = refusals(rule=draft.rule, values=draft.values)
    if draft.effective_to and draft.effective_from and draft.effective_to <= draft.effective_from:
        problems["effective_to"] = "must be after effective_from"
    if problems:
        raise WrongParameters(problems="; ".join(f"{name} {why}" for name, why in problems.items()))


def _must_change(draft: Draft, moment: datetime) -> None:
    if changes_nothing(
        rule=draft.rule,
        fund_id=draft.fund_id,
        values=draft.values,
        begins=draft.effective_from or moment,
        ends=draft.effective_to,
        at=moment,
    ):
        raise NothingChanges(scope="this fund" if draft.fund_id else "all funds")


def _lock_of(rule: str) -> str:
    """Who numbers or activates parameters of this rule is alone."""
    return f"rule:{rule}"


def _locked(change: Change) -> RuleParameters:
    row = RuleParameters.objects.select_for_update(no_key=True).filter(pk=change.id).first()
    if row is None:
        raise NotFound(what="set of parameters")
    if change.expected_version not in (None, row.version):
        raise StaleVersion(expected=change.expected_version, actual=row.version)
    return row


def _tell(row: RuleParameters, type: str, actor: Actor, moment: datetime) -> None:
    data = {
        "rule": row.rule,
        "number": row.number,
        "fund": row.fund_id,
        "values": row.values,
        "effective_from": row.effective_from,
        "effective_to": row.effective_to,
    }
    fact = events.Fact("rule_parameters", row.id, type, row.state, row.version, data)
    events.append(facts=[fact], actor=actor, at=moment)


# --- what two people decide


def _lock(subject_id: uuid.UUID) -> None:
    rule = RuleParameters.objects.filter(pk=subject_id).values_list("rule", flat=True).first()
    locking.alone(_lock_of(str(rule)))
    list(RuleParameters.objects.select_for_update(no_key=True).filter(pk=subject_id))


def _look(subject_id: uuid.UUID) -> dict[str, Any]:
    row = RuleParameters.objects.filter(pk=subject_id).first()
    if row is None:
        raise NotFound(what="set of parameters")
    return {
        "rule": row.rule,
        "fund": row.fund_id,
        "values": row.values,
        "effective_from": row.effective_from,
        "effective_to": row.effective_to,
        "state": row.state,
        "version": row.version,
    }


def _summarize(subject_id: uuid.UUID, payload: dict[str, Any]) -> str:
    row = RuleParameters.objects.select_related("fund").get(pk=subject_id)
    where = row.fund.name if row.fund else "all funds"
    text = f"Activate {row.rule} #{row.number} for {where}"
    back = [change for change in changes(row, at=clock.now()) if change.left_empty]
    if not back:
        return text
    return f"{text}; back to the default: " + ", ".join(change.name.replace("_", " ") for change in back)


def _validate(subject_id: uuid.UUID, payload: dict[str, Any]) -> None:
    row = RuleParameters.objects.filter(pk=subject_id).first()
    if row is None:
        raise NotFound(what="set of parameters")
    if row.state != S.DRAFT:
        raise NotADraft(state=row.get_state_display())


def _activate(approval: Approval, actor: Actor, at: datetime) -> None:
    """In force from its beginning, at the earliest now; the row that is in force then ends there."""
    row = RuleParameters.objects.get(pk=approval.subject_id)
    row.effective_from = max(row.effective_from, at)
    if row.effective_to is not None and row.effective_to <= row.effective_from:
        raise BeginsInThePast(begins=row.effective_from.isoformat(timespec="minutes"))
    earlier = RuleParameters.objects.select_for_update(no_key=True).filter(
        Q(effective_to__isnull=True) | Q(effective_to__gt=row.effective_from),
        Q(fund=row.fund),
        rule=row.rule,
        state=S.ACTIVE,
    )
    for other in earlier.order_by("pk"):
        if other.effective_from > row.effective_from:  # planned for later: this row stands until then
            row.effective_to = min(row.effective_to or other.effective_from, other.effective_from)
            continue
        other.effective_to = row.effective_from
        other.version += 1
        other.save(update_fields=["effective_to", "version"])
        _tell(other, "rule.ended", actor, at)
    row.state, row.activated_by = S.ACTIVE, actor.id
    row.made_by = approval.maker
    row.version += 1
    row.save()
    _tell(row, "rule.activated", actor, at)


def register() -> None:
    """Called when the app is ready."""
    register_handler(
        Handler(
            kind=ACTIVATE,
            subject_type="rule_parameters",
            makers=OWNERS,
            checkers=frozenset({Role.CHECKER, Role.COMPLIANCE}),
            lock=_lock,
            look=_look,
            summarize=_summarize,
            validate=_validate,
            carry_out=_activate,
            words=activation_words,
            told=frozenset({"rule", "fund", "values"}),
        )
    )
