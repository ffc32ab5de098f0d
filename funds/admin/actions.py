"""What people may do to a fund besides editing its description: its status and its limits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldBooleanWidget

from bridge.console import inputs
from bridge.console.acting import ReasonForm, Run, Verb
from bridge.console.display import money_text
from bridge.kernel.results import Actor, Change, Result, Role
from funds import limits, services
from funds.models import Fund

PEOPLE = frozenset({Role.MAKER, Role.CHECKER})
LIMITS = ("seat_limit", "hard_cap")
S = Fund.Status


class LimitsForm(ReasonForm):
    """A fund's limits. Having none is ticked: an empty field says nothing."""

    seat_limit = forms.IntegerField(
        min_value=0, max_value=2**31 - 1, required=False, widget=UnfoldAdminIntegerFieldWidget
    )
    no_seat_limit = forms.BooleanField(
        required=False, widget=UnfoldBooleanWidget, help_text="Any number of investors. Leave the seat limit empty."
    )
    hard_cap = inputs.Amount(required=False)
    no_hard_cap = forms.BooleanField(
        required=False, widget=UnfoldBooleanWidget, help_text="Any amount. Leave the hard cap empty."
    )
    field_order = ("seat_limit", "no_seat_limit", "hard_cap", "no_hard_cap", "reason")

    def __init__(self, fund: Fund, data: Any = None) -> None:
        capacity = fund.capacity
        now = {name: getattr(capacity, name) for name in LIMITS}
        super().__init__(data, initial={**now, **{f"no_{name}": value is None for name, value in now.items()}})
        seats = "no limit" if capacity.seat_limit is None else f"{capacity.seat_limit:,}"
        cap = "no cap" if capacity.hard_cap is None else money_text(capacity.hard_cap, fund.currency)
        taken = money_text(capacity.reserved + capacity.confirmed, fund.currency)
        says = f"How many investors. Now {seats}; {capacity.seats_taken:,} taken."
        self.fields["seat_limit"].help_text = says
        inputs.amount_in(fund.currency, self, "hard_cap", says=f"Now {cap}; {taken} taken.")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name in LIMITS:
            given, without = cleaned.get(name), cleaned.get(f"no_{name}")
            if name in self.errors or (given is None) == bool(without):
                continue
            words = name.replace("_", " ")
            wrong = f"Enter a number, or tick 'no {words}'" if given is None else f"A number, or 'no {words}'; not both"
            self.add_error(name, f"{wrong}.")
        return cleaned


def _set(status: str) -> Run:
    def run(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
        return services.set_fund_status(changes=changes, status=status, actor=actor)

    return run


def _change_limits(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    (change,) = changes
    return [limits.change_limits(change=change, seat_limit=data["seat_limit"], hard_cap=data["hard_cap"], actor=actor)]


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
        needs_reason=True,
        build=LimitsForm,
        several=False,
    ),
)
