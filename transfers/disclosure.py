"""What investors are told of why. Pure.

An investor must not learn from Bridge that somebody was screened, or what the screening found: that could warn a person
whom the law forbids to warn. So the decisions of the confidential rules become one, `compliance`, which keeps their
worst outcome and says nothing else; a freeze looks like a review; words that staff wrote for staff stay with staff.
Everything that shows transfers to investors, or sends them something, goes through here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from funds.rules.outcomes import Outcome
from transfers.event_types import EventType
from transfers.states import State

CONFIDENTIAL = frozenset({"sanctions", "kyc", "velocity"})
COMPLIANCE = "compliance"
NEEDS_REVIEW = "This transfer needs a review."
NOT_POSSIBLE = "This transfer cannot be carried out."
NOTHING = "Nothing stands in the way."
HIDDEN_EVENTS = frozenset(
    {str(kind) for kind in (EventType.FROZEN, EventType.UNFROZEN, EventType.WRITTEN_OFF, EventType.CORRECTED)}
)
_SAID = {Outcome.PASS: NOTHING, Outcome.FAIL: NOT_POSSIBLE}
_SILENT_BLOCKERS = frozenset({"held_by_operations", "frozen", "released"})
_RULES_BLOCKERS = frozenset({"in_review", "criteria_on_hold", "fund_closed_after_withdrawal"})
_FOR_STAFF = frozenset(  # their free text is written for staff
    {
        str(kind)
        for kind in (
            EventType.HELD,
            EventType.UNBLOCKED,
            EventType.IDENTIFIED,
            EventType.REDIRECTED,
            EventType.REFUND_REDIRECTED,
        )
    }
)


def state(real: str) -> str:
    """A freeze looks like money that waits with us."""
    return str(State.WITHDRAWN) if real == State.FROZEN else str(real)


def decisions(made: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The same decisions, the confidential ones as one, in the place of the first of them."""
    shown: list[dict[str, Any]] = []
    merged: dict[str, Any] | None = None
    for decision in made:
        if decision["rule"] not in CONFIDENTIAL:
            shown.append(dict(decision))
            continue
        outcome = Outcome(decision["outcome"])
        if merged is None:
            merged = {"rule": COMPLIANCE, "version": 1, "outcome": Outcome.PASS.value, "reason": NOTHING}
            shown.append(merged)
        if outcome > Outcome(merged["outcome"]):
            merged |= {"outcome": outcome.value, "reason": _SAID.get(outcome, NEEDS_REVIEW)}
    return shown


def reasons(given: Iterable[Mapping[str, str]], *, event_type: str = "") -> list[dict[str, str]]:
    """The same reasons; what a confidential rule said, or staff to staff, in one neutral sentence."""
    neutral = NOT_POSSIBLE if event_type in (EventType.REJECTED, EventType.REFUND_DUE) else NEEDS_REVIEW
    shown: list[dict[str, str]] = []
    for item in given:
        secret = item["rule"] in CONFIDENTIAL
        told = {"rule": COMPLIANCE if secret else item["rule"], "reason": item["reason"]}
        if secret or (event_type in _FOR_STAFF and item["rule"] == "review"):
            told["reason"] = neutral
        if told not in shown:
            shown.append(told)
    return shown


def blocker(code: str, message: str, made: Sequence[Mapping[str, Any]]) -> tuple[str, str]:
    """Code and message; `made` are the decisions of the latest verification, as `decisions` shows them."""
    if code in _SILENT_BLOCKERS:
        return "in_review", NEEDS_REVIEW
    if code in _RULES_BLOCKERS:
        against = " ".join(item["reason"] for item in made if item["outcome"] != Outcome.PASS.value)
        return code, against or NEEDS_REVIEW
    return code, message


def event_data(event_type: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """An event's data. Events in `HIDDEN_EVENTS` are not shown at all."""
    shown = dict(data)
    if "previous_state" in shown:
        shown["previous_state"] = state(shown["previous_state"])
    if "reasons" in shown:
        shown["reasons"] = reasons(shown["reasons"], event_type=event_type)
    if event_type in _FOR_STAFF and "reason" in shown:
        shown["reason"] = ""
    if "code" in shown and shown["code"] in _SILENT_BLOCKERS | _RULES_BLOCKERS:
        shown["code"] = "in_review"
        if "message" in shown:
            shown["message"] = NEEDS_REVIEW
    return shown
