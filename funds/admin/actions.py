"""What people may do to a fund besides editing its description: its status and its limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminBigIntegerFieldWidget, UnfoldAdminIntegerFieldWidget

from bridge.console.acting import ReasonForm, Run, Verb
from bridge.kernel.money import MAX_AMOUNT
from bridge.kernel.results import Actor, Change, Result, Role
from funds import services
from funds.models import Fund

PEOPLE = frozenset({Role.MAKER, Role.CHECKER})
S = Fund.Status


class LimitsForm(ReasonForm):
    """A fund's limits. Empty means: no limit."""

    seat_limit = forms.IntegerField(
        min_value=0,
        max_value=2**31 - 1,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="How many investors. Empty for no limit.",
    )
    hard_cap = forms.IntegerField(
        min_value=0,
        max_value=MAX_AMOUNT,
        required=False,
        widget=UnfoldAdminBigIntegerFieldWidget,
        help_text="In minor units (cents). Empty for no cap.",
    )
    field_order = ("seat_limit", "hard_cap", "reason")


def _limits(row: Any) -> dict[str, Any]:
    capacity = getattr(row, "capacity", None)
    if capacity is None:
        return {}
    return {"seat_limit": capacity.seat_limit, "hard_cap": capacity.hard_cap}


def _set(status: str) -> Run:
    def run(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
        return services.set_fund_status(changes=changes, status=status, actor=actor)

    return run


def _change_limits(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    (change,) = changes
    return [
        services.change_limits(change=change, seat_limit=data["seat_limit"], hard_cap=data["hard_cap"], actor=actor)
    ]


VERBS = (
    Verb(
        name="open",
        label="Open",
        done="opened",
        question="The fund takes transfers from its opening time on.",
        run=_set(S.OPEN),
        fits=lambda fund: fund.status in (S.DRAFT, S.PAUSED, S.CLOSING),
        roles=PEOPLE,
        icon="play_arrow",
    ),
    Verb(
        name="pause",
        label="Pause",
        done="paused",
        question="New transfers are refused until it is opened again. Money on its way is checked before each leg.",
        run=_set(S.PAUSED),
        fits=lambda fund: fund.status in (S.OPEN, S.CLOSING),
        roles=PEOPLE,
        icon="pause",
        needs_reason=True,
    ),
    Verb(
        name="closing",
        label="Start closing",
        done="closing",
        question="New requests are refused. What is open is listed under Closing, with the plans to end it.",
        run=_set(S.CLOSING),
        fits=lambda fund: fund.status == S.OPEN,
        roles=PEOPLE,
        icon="hourglass_bottom",
    ),
    Verb(
        name="close",
        label="Close",
        done="closed",
        question="The fund takes no more money. Transfers already withdrawn will wait for a decision.",
        run=_set(S.CLOSED),
        fits=lambda fund: fund.status in (S.OPEN, S.PAUSED, S.CLOSING),
        roles=PEOPLE,
        icon="lock",
        danger=True,
        needs_reason=True,
    ),
    Verb(
        name="limits",
        label="Change limits",
        done="limits changed",
        question="Seats and hard cap cannot go below what is taken already.",
        run=_change_limits,
        fits=lambda fund: fund.status != S.CLOSED,
        roles=PEOPLE,
        icon="tune",
        form=LimitsForm,
        several=False,
        initial=_limits,
    ),
)
