"""What investors are told of why. Pure.

An investor must not learn from Bridge that somebody was screened, or what the screening found: that could warn a person
whom the law forbids to warn. So the decisions of the confidential rules become one, `compliance`, which keeps their
worst outcome and says nothing else; a freeze looks like a review; what staff typed stays with staff.
Everything that shows transfers to investors, or sends them something, goes through here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from bridge.kernel.results import Role
from funds.rules.outcomes import Outcome
from transfers import sentences
from transfers.event_types import EventType
from transfers.states import ENGINE_FAULT, RECALL_DUE, RECALL_REJECTED, State

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
_ON_HOLD = "Transfers are on hold for now; it goes on by itself."
_DECIDE = "Operations decide what comes next."
_PLAIN = {  # blockers whose message may hold what staff typed, or tells staff what to do
    "stopped": _ON_HOLD,
    "exposure_limit": _ON_HOLD,  # the house's own limits and funds are not theirs to know
    "advance_uncovered": _ON_HOLD,
    "advance_open": f"The firm has advanced money for this transfer, or for one that it belongs to. {_DECIDE}",
    "deposit_rejected": f"The fund's bank did not take the deposit. {_DECIDE}",
    "deposit_returned": f"The fund's bank returned the deposit. {_DECIDE}",
    "refund_rejected": f"The investor's bank did not take the refund. {_DECIDE}",
    "refund_returned": f"The refund came back. {_DECIDE}",
    RECALL_DUE: "The deposit is to be recalled from the fund's bank.",
    RECALL_REJECTED: f"The fund's bank will not send the deposit back. {_DECIDE}",
    ENGINE_FAULT: "Bridge could not work on this transfer. Engineers look into it.",
}
_FOR_STAFF = frozenset(  # their free text is written by staff, or may be
    {
        str(kind)
        for kind in (
            EventType.HELD,
            EventType.REJECTED,
            EventType.CANCELLED,
            EventType.UNBLOCKED,
            EventType.IDENTIFIED,
            EventType.TOPPED_UP,
            EventType.REDUCED,
            EventType.REDIRECTED,
            EventType.REFUND_REDIRECTED,
            EventType.RECALL_DUE,
        )
    }
)
_BY_PEOPLE = "two_people"  # the code of an outcome that staff decided: its reason is theirs


def state(real: str) -> str:
    """A freeze looks like money that waits with us."""
    return str(State.WITHDRAWN) if real == State.FROZEN else str(real)


def place(real: str, *, quiet: bool) -> str:
    """What a freeze gave back quietly stays reserved."""
    return "reserved" if quiet else real


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
        typed = event_type in _FOR_STAFF and item["rule"] == "review" and item["reason"] not in sentences.FOR_EVERYBODY
        if secret or typed:
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
    return code, _PLAIN.get(code, message)


def event_data(event_type: str, data: Mapping[str, Any], *, by: str = "") -> dict[str, Any]:
    """An event's data; `by` is the role of who did it. Events in `HIDDEN_EVENTS` are not shown at all."""
    shown = dict(data)
    if "previous_state" in shown:
        shown["previous_state"] = state(shown["previous_state"])
    if "reasons" in shown:
        shown["reasons"] = reasons(shown["reasons"], event_type=event_type)
    if "reason" in shown and _typed_by_staff(event_type, shown, by):
        shown["reason"] = ""
    if "approved_by" in shown:
        shown["approved_by"] = ""
    if "code" in shown and shown["code"] in _SILENT_BLOCKERS | _RULES_BLOCKERS:
        shown["code"] = "in_review"
        if "message" in shown:
            shown["message"] = NEEDS_REVIEW
    elif "message" in shown:
        shown["message"] = _PLAIN.get(shown.get("code", ""), shown["message"])
    return shown


def _typed_by_staff(event_type: str, data: Mapping[str, Any], by: str) -> bool:
    if data.get("code") == _BY_PEOPLE:
        return True
    return event_type in _FOR_STAFF and by != Role.INVESTOR and data["reason"] not in sentences.FOR_EVERYBODY
