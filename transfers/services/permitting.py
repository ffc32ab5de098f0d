"""Whether people may do a deed to a transfer as it stands: the registry of blockers says, services obey."""

from __future__ import annotations

from bridge.kernel.errors import BridgeError, NotAllowed
from bridge.kernel.results import Actor, only
from transfers.blockers import DEEDS, Deed, allowed, of
from transfers.models import Transfer
from transfers.states import NextStep, State


class NothingWaits(BridgeError):
    code = "nothing_waits"
    status = 409
    title = "It moves by itself"
    message = "This transfer is on its way ({next_step} next); there is nothing for people to decide."


class NotSafe(BridgeError):
    code = "not_safe"
    status = 409
    title = "Not safe now"
    message = "'{deed}' is not safe while the transfer is blocked: {why} Safe is: {safe}."


def refusal(row: Transfer, actor: Actor, deed: Deed) -> BridgeError | None:
    """Why `actor` may not do `deed` now, if so: `NotAllowed`, `NothingWaits` or `NotSafe`. Call with the row locked,
    after the state was found to fit."""
    roles = DEEDS[deed].roles
    return NotAllowed(only(roles)) if actor.role not in roles else unsafe(row, deed)


def unsafe(row: Transfer, deed: Deed) -> BridgeError | None:
    """Why nobody may do this now, if so: `NothingWaits` or `NotSafe`."""
    safe = allowed(state=row.state, next_step=row.next_step, blocker_code=row.blocker_code)
    if deed in safe:
        return None
    if row.state == State.WITHDRAWN and row.next_step != NextStep.NONE:
        return NothingWaits(next_step=row.get_next_step_display())  # type: ignore[attr-defined]
    why = of(row.blocker_code).means if row.blocker_code else "It waits for nobody."
    labels = ", ".join(DEEDS[each].label.lower() for each in safe)
    return NotSafe(deed=DEEDS[deed].label, why=why, safe=labels or "nothing but to wait")
