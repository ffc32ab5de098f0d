"""What two people decide about transfers."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from bridge.approvals.handlers import Handler
from bridge.approvals.handlers import register as register_handler
from bridge.approvals.models import Approval
from bridge.kernel import idempotency, ids
from bridge.kernel.errors import BridgeError, NotFound, WrongState
from bridge.kernel.money import display
from bridge.kernel.results import Actor, Change, Result, Role
from funds.models import RuleOverride
from funds.rules.catalogue import BY_ID
from funds.rules.outcomes import Outcome
from transfers import asked, facts
from transfers.models import Transfer
from transfers.policy import policy
from transfers.services import deciding, freezing, requesting
from transfers.services.batch import REVIEW
from transfers.states import ENDED, State

OVERRIDE = "transfer.override"
UNFREEZE = "transfer.unfreeze"
OVERRIDE_DAYS = 30
_CHECKERS = frozenset({Role.CHECKER, Role.COMPLIANCE})
_ANYBODY = frozenset(Role) - {Role.AUDITOR}
_PARTIES = frozenset({"source_account", "fund"})


class NotOverridable(BridgeError):
    code = "not_overridable"
    status = 422
    title = "This rule cannot be set aside"
    message = "'{rule}' is no rule that people may set aside."


class WhyMissing(BridgeError):
    code = "why_missing"
    status = 422
    title = "A reason is needed"
    message = "Say why ('why'), and on what evidence where there is some."


def _transfer(subject_id: uuid.UUID) -> Transfer:
    found = Transfer.objects.filter(pk=subject_id).first()
    if found is None:
        raise NotFound(what="transfer")
    return found


def _bound(subject_id: uuid.UUID) -> dict[str, Any]:
    return requesting.bound(_transfer(subject_id))


def _decide_review(
    approval: Approval,
    yes: bool,
    actor: Actor,
    reason: str,
    *,
    key: idempotency.Key | None = None,
    render: requesting.Render | None = None,
) -> Result | idempotency.Answer:
    """A review is decided by the transfer's own services, which run the rules again."""
    change = Change(approval.subject_id, reason=reason)
    if not yes:
        results = deciding.reject_transfers(changes=[change], actor=actor, review=approval.id, key=key, render=render)
    else:
        transfer = _transfer(approval.subject_id)
        known = facts.gather(account_ids=[transfer.source_account_id], max_age=policy().balance_age_create)
        results = deciding.approve_transfers(
            changes=[change], actor=actor, facts=known, review=approval.id, key=key, render=render
        )
    return results if isinstance(results, idempotency.Answer) else results[0]


def _validate_review(subject_id: uuid.UUID, payload: dict[str, Any]) -> None:
    if _transfer(subject_id).state != State.APPROVED:
        raise WrongState(state=_transfer(subject_id).state, verb="sent to review")


def _validate_override(subject_id: uuid.UUID, payload: dict[str, Any]) -> None:
    transfer = _transfer(subject_id)
    if transfer.state in ENDED:
        raise WrongState(state=State(transfer.state).label, verb="exempted from a rule")
    rule = BY_ID.get(str(payload.get("rule", "")))
    if rule is None or rule.overridable == Outcome.PASS:
        raise NotOverridable(rule=payload.get("rule", ""))
    if not str(payload.get("why", "")).strip():
        raise WhyMissing()


def _override(approval: Approval, actor: Actor, at: datetime) -> None:
    payload = approval.payload
    RuleOverride.objects.create(
        id=ids.new_id(),
        transfer_id=approval.subject_id,
        rule=payload["rule"],
        lifts=BY_ID[payload["rule"]].overridable.value,
        why=str(payload["why"])[:400],
        evidence=str(payload.get("evidence", ""))[:400],
        made_by=approval.maker,
        maker_role=approval.maker_role,
        approved_by=actor.id,
        checker_role=actor.role,
        approval_id=approval.id,
        until=at + timedelta(days=int(payload.get("days", OVERRIDE_DAYS))),
        at=at,
    )


def _validate_unfreeze(subject_id: uuid.UUID, payload: dict[str, Any]) -> None:
    transfer = _transfer(subject_id)
    if transfer.state != State.FROZEN:
        raise WrongState(state=State(transfer.state).label, verb="released")
    if not str(payload.get("why", "")).strip():
        raise WhyMissing()


def _unfreeze(approval: Approval, actor: Actor, at: datetime) -> None:
    freezing.unfreeze(transfer_id=approval.subject_id, reason=str(approval.payload["why"]), actor=actor, at=at)


def _summary(verb: str) -> Any:
    def summarize(subject_id: uuid.UUID, payload: dict[str, Any]) -> str:
        transfer = _transfer(subject_id)
        what = payload.get("rule", "")
        return f"{verb} {what} {display(transfer.amount, transfer.currency)} ({transfer.public_id})".replace("  ", " ")

    return summarize


def register() -> None:
    """Called when the app is ready."""
    register_handler(
        Handler(
            kind=REVIEW,
            subject_type="transfer",
            makers=_ANYBODY,
            checkers=_CHECKERS,
            look=_bound,
            summarize=_summary("Review"),
            validate=_validate_review,
            decide=_decide_review,
            words=asked.parties,
            told=_PARTIES,
            together=True,
        )
    )
    register_handler(
        Handler(
            kind=OVERRIDE,
            subject_type="transfer_rule",
            id_kind="transfer",
            makers=frozenset({Role.MAKER, Role.CHECKER, Role.COMPLIANCE}),
            checkers=frozenset({Role.COMPLIANCE}),
            lock=asked.lock_family,
            look=_bound,
            summarize=_summary("Set aside the rule"),
            validate=_validate_override,
            carry_out=_override,
            words=asked.parties,
            told=_PARTIES,
        )
    )
    register_handler(
        Handler(
            kind=UNFREEZE,
            subject_type="transfer_freeze",
            id_kind="transfer",
            makers=frozenset({Role.COMPLIANCE}),
            checkers=frozenset({Role.COMPLIANCE}),
            lock=asked.lock_family,
            look=_bound,
            summarize=_summary("Release from the freeze"),
            validate=_validate_unfreeze,
            carry_out=_unfreeze,
            words=asked.parties,
            told=_PARTIES,
        )
    )
