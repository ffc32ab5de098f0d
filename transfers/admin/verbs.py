"""What people may do to transfers and breaks, for whom and when. Services decide again, under their locks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget

from bridge.console.acting import Verb
from bridge.kernel.results import Actor, Change, Result, Role
from transfers import facts, services
from transfers.models import Transfer
from transfers.policy import policy
from transfers.reconciliation.services import LONGEST_RESOLUTION, MAY_RESOLVE, resolve_breaks
from transfers.states import CANCELLABLE, ENGINE_FAULT, RECALL_DUE, RECALL_OPEN, RECALL_REJECTED, NextStep, State

OPERATIONS = frozenset({Role.MAKER, Role.CHECKER, Role.COMPLIANCE})
DECIDERS = frozenset({Role.CHECKER, Role.COMPLIANCE})
MOVERS = frozenset({Role.MAKER})


def _waits_for_people(transfer: Any) -> bool:
    return transfer.state == State.WITHDRAWN and transfer.next_step == NextStep.NONE


def _in(*states: State) -> Callable[[Any], bool]:
    return lambda transfer: transfer.state in states


def _cancel(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    return services.cancel_transfers(changes=changes, actor=actor)  # type: ignore[return-value]


def _approve(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    """The rules run again at an approval, so balances are asked for first, outside any transaction."""
    accounts = Transfer.objects.filter(pk__in=[change.id for change in changes]).values_list(
        "source_account_id", flat=True
    )
    seen = facts.gather(account_ids=accounts, max_age=policy().balance_age_create)
    return services.approve_transfers(changes=changes, actor=actor, facts=seen)  # type: ignore[return-value]


def _reject(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    return services.reject_transfers(changes=changes, actor=actor)  # type: ignore[return-value]


def _hold(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    return services.hold_transfers(changes=changes, actor=actor)  # type: ignore[return-value]


def _refund(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    return services.refund_transfers(changes=changes, actor=actor)  # type: ignore[return-value]


def _recall(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    return services.recall_transfers(changes=changes, actor=actor)


def _leave(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    return services.give_up_recalls(changes=changes, actor=actor)


def _may_be_recalled(transfer: Any) -> bool:
    return transfer.state == State.COMPLETED and transfer.blocker_code not in (RECALL_DUE, RECALL_OPEN)


def _retry(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    return services.retry_transfers(changes=changes, actor=actor)  # type: ignore[return-value]


def _was_set_aside(transfer: Any) -> bool:
    return transfer.blocker_code == ENGINE_FAULT


TRANSFER_VERBS = (
    Verb(
        name="approve",
        label="Approve",
        done="approved",
        question="The rules run once more. If none of them fails, the withdrawal goes out next.",
        run=_approve,
        fits=_in(State.IN_REVIEW),
        roles=DECIDERS,
        icon="check",
    ),
    Verb(
        name="reject",
        label="Reject",
        done="rejected",
        question="The transfer ends here. No money moved; hold and place are given back.",
        run=_reject,
        fits=_in(State.IN_REVIEW, State.WAITLISTED),
        roles=DECIDERS,
        icon="block",
        danger=True,
        needs_reason=True,
    ),
    Verb(
        name="hold",
        label="Hold for review",
        done="held",
        question="The transfer stops before its money moves and waits for a second person. Hold and place stay.",
        run=_hold,
        fits=_in(State.APPROVED),
        roles=OPERATIONS,
        icon="front_hand",
        needs_reason=True,
    ),
    Verb(
        name="retry",
        label="Retry the deposit",
        done="sent on",
        question="A new deposit goes to the fund, with a new key. The last one must be rejected or returned.",
        run=_retry,
        fits=_waits_for_people,
        roles=OPERATIONS,
        icon="replay",
    ),
    Verb(
        name="resume",
        label="Go on",
        done="back in the engine's hands",
        question="The engine failed on it. It goes on where it stood; nothing is sent twice.",
        run=_retry,
        fits=_was_set_aside,
        roles=OPERATIONS,
        icon="play_arrow",
    ),
    Verb(
        name="refund",
        label="Refund the investor",
        done="turned to a refund",
        question="The money in the settlement account goes back to the investor's account.",
        run=_refund,
        fits=_waits_for_people,
        roles=OPERATIONS,
        icon="undo",
        needs_reason=True,
    ),
    Verb(
        name="recall",
        label="Recall the deposit",
        done="to be recalled",
        question="The fund's bank is asked to send the deposit back. When it does, the investor is refunded.",
        run=_recall,
        fits=_may_be_recalled,
        roles=DECIDERS,
        icon="assignment_return",
        danger=True,
        needs_reason=True,
    ),
    Verb(
        name="leave",
        label="Leave it at the fund",
        done="left at the fund",
        question="The fund's bank refused the recall. You accept that; the transfer stays completed.",
        run=_leave,
        fits=lambda transfer: transfer.blocker_code == RECALL_REJECTED,
        roles=DECIDERS,
        icon="check_circle",
        needs_reason=True,
    ),
    Verb(
        name="cancel",
        label="Cancel",
        done="cancelled",
        question="The transfer ends here. No money moved; hold and place are given back.",
        run=_cancel,
        fits=_in(*CANCELLABLE),
        roles=MOVERS,
        icon="close",
        danger=True,
    ),
)


class ResolutionForm(forms.Form):
    """What explains the difference."""

    resolution = forms.CharField(
        max_length=LONGEST_RESOLUTION,
        strip=True,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3, "maxlength": LONGEST_RESOLUTION}),
        help_text="What explains this difference, and where that can be seen. It moves no money.",
    )


def _resolve(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    return resolve_breaks(changes=changes, actor=actor, resolution=data["resolution"])


BREAK_VERBS = (
    Verb(
        name="resolve",
        label="Resolve",
        done="resolved",
        question="You explain the difference. The books stay as they are; the explanation is kept for ever.",
        run=_resolve,
        fits=lambda row: row.resolved_at is None,
        roles=frozenset(MAY_RESOLVE),
        icon="task_alt",
        form=ResolutionForm,
    ),
)
