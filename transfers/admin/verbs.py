"""What people may do to transfers and breaks, for whom and when. Services decide again, under their locks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminTextareaWidget

from bridge.console.acting import Verb
from bridge.kernel.results import Actor, Change, Result
from transfers import facts, services
from transfers.blockers import DEEDS, Deed, allowed
from transfers.models import Transfer
from transfers.policy import policy
from transfers.reconciliation.services import LONGEST_RESOLUTION, MAY_RESOLVE, resolve_breaks


def safe(deed: Deed) -> Callable[[Any], bool]:
    """Whether the registry of blockers allows this now. Services ask it again, under their locks."""

    def fits(transfer: Any) -> bool:
        return deed in allowed(state=transfer.state, next_step=transfer.next_step, blocker_code=transfer.blocker_code)

    return fits


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


def _retry(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    return services.retry_transfers(changes=changes, actor=actor)  # type: ignore[return-value]


TRANSFER_VERBS = (
    Verb(
        name=Deed.APPROVE,
        label=DEEDS[Deed.APPROVE].label,
        done="approved",
        question="The rules run once more. If none of them fails, the withdrawal goes out next.",
        run=_approve,
        fits=safe(Deed.APPROVE),
        roles=DEEDS[Deed.APPROVE].roles,
        icon="check",
    ),
    Verb(
        name=Deed.REJECT,
        label=DEEDS[Deed.REJECT].label,
        done="rejected",
        question="The transfer ends here. No money moved; hold and place are given back.",
        run=_reject,
        fits=safe(Deed.REJECT),
        roles=DEEDS[Deed.REJECT].roles,
        icon="block",
        danger=True,
        needs_reason=True,
    ),
    Verb(
        name=Deed.HOLD,
        label=DEEDS[Deed.HOLD].label,
        done="held",
        question="The transfer stops before its money moves and waits for a second person. Hold and place stay.",
        run=_hold,
        fits=safe(Deed.HOLD),
        roles=DEEDS[Deed.HOLD].roles,
        icon="front_hand",
        needs_reason=True,
    ),
    Verb(
        name=Deed.RETRY,
        label=DEEDS[Deed.RETRY].label,
        done="sent on",
        question="A new deposit goes to the fund, with a new key. The last one must be rejected or returned.",
        run=_retry,
        fits=safe(Deed.RETRY),
        roles=DEEDS[Deed.RETRY].roles,
        icon="replay",
    ),
    Verb(
        name=Deed.RESUME,
        label=DEEDS[Deed.RESUME].label,
        done="back in the engine's hands",
        question="The engine failed on it. It goes on where it stood; nothing is sent twice.",
        run=_retry,
        fits=safe(Deed.RESUME),
        roles=DEEDS[Deed.RESUME].roles,
        icon="play_arrow",
    ),
    Verb(
        name=Deed.REFUND,
        label=DEEDS[Deed.REFUND].label,
        done="turned to a refund",
        question="The money in the settlement account goes back to the investor's account.",
        run=_refund,
        fits=safe(Deed.REFUND),
        roles=DEEDS[Deed.REFUND].roles,
        icon="undo",
        needs_reason=True,
    ),
    Verb(
        name=Deed.RECALL,
        label=DEEDS[Deed.RECALL].label,
        done="to be recalled",
        question="The fund's bank is asked to send the deposit back. When it does, the investor is refunded.",
        run=_recall,
        fits=safe(Deed.RECALL),
        roles=DEEDS[Deed.RECALL].roles,
        icon="assignment_return",
        danger=True,
        needs_reason=True,
    ),
    Verb(
        name=Deed.LEAVE,
        label=DEEDS[Deed.LEAVE].label,
        done="left at the fund",
        question="The fund's bank refused the recall. You accept that; the transfer stays completed.",
        run=_leave,
        fits=safe(Deed.LEAVE),
        roles=DEEDS[Deed.LEAVE].roles,
        icon="check_circle",
        needs_reason=True,
    ),
    Verb(
        name=Deed.CANCEL,
        label=DEEDS[Deed.CANCEL].label,
        done="cancelled",
        question="The transfer ends here. No money moved; hold and place are given back.",
        run=_cancel,
        fits=safe(Deed.CANCEL),
        roles=DEEDS[Deed.CANCEL].roles,
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
