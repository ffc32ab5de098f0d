"""Closing a fund takes two people: `fund.settle`, `fund.cut_back` and `fund.return_all`.

The payload is the plan's parameters and the hash of the plan that the maker saw (`plan`); the checker approves that.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from bridge.approvals.handlers import Handler
from bridge.approvals.handlers import register as register_handler
from bridge.approvals.models import Approval
from bridge.kernel.errors import NotFound
from bridge.kernel.money import display
from bridge.kernel.results import Actor, Role
from funds.models import Closing, Fund
from transfers.closing import PlanKind, Terms
from transfers.services import closing

SUBJECT = "fund_closing"
MAKERS = frozenset({Role.MAKER, Role.CHECKER, Role.COMPLIANCE})
CHECKERS = frozenset({Role.CHECKER, Role.COMPLIANCE})
VERBS = {PlanKind.SETTLE: "Settle", PlanKind.CUT_BACK: "Cut back", PlanKind.RETURN_ALL: "Recall and return all of"}


def kind_of(plan: PlanKind) -> str:
    """The approval kind of a plan."""
    return f"fund.{plan.replace('-', '_')}"


def payload_of(terms: Terms, plan_hash: str) -> dict[str, Any]:
    """What a proposal carries."""
    return {**terms.as_json(), "plan": plan_hash}


def _fund(fund_id: uuid.UUID) -> Fund:
    found = Fund.objects.filter(pk=fund_id).first()
    if found is None:
        raise NotFound(what="fund")
    return found


def _look(fund_id: uuid.UUID) -> dict[str, Any]:
    return {"status": _fund(fund_id).status}


def _validator(kind: PlanKind) -> Callable[[uuid.UUID, dict[str, Any]], None]:
    def validate(fund_id: uuid.UUID, payload: dict[str, Any]) -> None:
        terms = Terms.of({name: value for name, value in payload.items() if name != "plan"}, kind=kind)
        running = Closing.objects.filter(fund_id=fund_id, state=Closing.State.RUNNING).first()
        closing.may_begin(_fund(fund_id), terms, running)
        closing.unchanged_plan(fund_id, terms, payload)

    return validate


def _summarizer(kind: PlanKind) -> Callable[[uuid.UUID, dict[str, Any]], str]:
    def summarize(fund_id: uuid.UUID, payload: dict[str, Any]) -> str:
        fund = _fund(fund_id)
        if kind != PlanKind.CUT_BACK:
            return f"{VERBS[kind]} {fund.name}"
        return f"{VERBS[kind]} {fund.name} to {display(payload['target'], fund.currency)} ({payload['method']})"

    return summarize


def _carry_out(approval: Approval, actor: Actor, at: datetime) -> None:
    """Records the plan; the engine works it off, step by step."""
    closing.begin_closing(approval=approval, actor=actor, at=at)


_HANDLERS = {
    kind_of(kind): Handler(
        kind=kind_of(kind),
        subject_type=SUBJECT,
        id_kind="fund",
        makers=MAKERS,
        checkers=CHECKERS,
        look=_look,
        summarize=_summarizer(kind),
        validate=_validator(kind),
        carry_out=_carry_out,
        told=frozenset({"plan"}),  # its hash tells people nothing, and binds all the same
        currency=lambda fund_id: _fund(fund_id).currency,
    )
    for kind in PlanKind
}


def register() -> None:
    """Called when the app is ready."""
    for handler in _HANDLERS.values():
        register_handler(handler)
