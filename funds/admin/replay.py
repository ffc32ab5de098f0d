"""Playing a draft over past transfers, in a page: bounded, since somebody waits for it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import islice
from typing import Any

from django import forms
from django.http import HttpRequest
from django.utils.html import format_html
from unfold.widgets import UnfoldAdminSelectWidget

from bridge.console import inputs
from bridge.console.display import COLOURS, amount, badge, id_link, when
from bridge.console.pages import Table
from bridge.kernel import clock
from bridge.kernel.errors import BridgeError
from funds.models import RuleParameters
from funds.replaying import Row, Totals, play, runs

MOST_RUNS = 20_000
SHOWN = 200
PERIOD = timedelta(days=30)


class ReplayForm(forms.Form):
    draft = forms.ModelChoiceField(
        RuleParameters.objects.filter(state=RuleParameters.State.DRAFT).select_related("fund"),
        widget=UnfoldAdminSelectWidget,
        empty_label=None,
        help_text="A draft for one fund is played over that fund's transfers only.",
    )
    begins = inputs.day("from")
    ends = inputs.day("to", "This day included.")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["draft"].label_from_instance = lambda row: f"{row}, {row.fund or 'all funds'}"  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        begins, ends = cleaned.get("begins"), cleaned.get("ends")
        if begins and ends and ends < begins:
            self.add_error("ends", "It must not end before it begins.")
        return cleaned


def replay_context(request: HttpRequest) -> dict[str, Any]:
    """The form, and once it is filled in, what would have changed. Writes nothing."""
    today = clock.now().date()
    given = request.GET.dict()
    asked = "begins" in given
    form = ReplayForm(given if asked else None, initial={"begins": today - PERIOD, "ends": today, **given})
    context: dict[str, Any] = {"form": form, "most": MOST_RUNS}
    context["none"] = not form.fields["draft"].queryset.exists()  # type: ignore[attr-defined]
    if not asked or not form.is_valid():
        return context
    data = form.cleaned_data
    row: RuleParameters = data["draft"]
    period = {"rule": row.rule, "begins": data["begins"], "ends": data["ends"], "fund_id": row.fund_id}
    totals = Totals()
    try:
        count = runs(**period).order_by()[: MOST_RUNS + 1].count()
        shown, amounts = _changed(play(values=row.values, totals=totals, **period))
    except BridgeError as error:
        form.add_error(None, f"{error.title}. {error.detail}")
        return context
    context |= {
        "draft": row,
        "totals": totals,
        "table": _table(shown, totals, cut=count > MOST_RUNS),
        "moves": _moves(totals),
        "cut": count > MOST_RUNS,
        "amounts": [amount(value, currency) for currency, value in sorted(amounts.items())],
        "command": f"manage.py replay_rules --rule {row.rule} --params draft.json "
        f"--from {data['begins']} --to {data['ends']}",
    }
    return context


def _changed(played: Iterator[Row]) -> tuple[list[Row], dict[str, int]]:
    """The first rows whose outcome changes, and the money of all whose verdict does, by currency."""
    shown: list[Row] = []
    amounts: dict[str, int] = {}
    for row in islice(played, MOST_RUNS):
        result = row.result
        if result.changed and len(shown) < SHOWN:
            shown.append(row)
        if result.verdict_before != result.verdict_after:
            amounts[row.currency] = amounts.get(row.currency, 0) + row.amount
    return shown, amounts


def _table(rows: list[Row], totals: Totals, *, cut: bool) -> Table:
    more = totals.changed - len(rows)
    return Table(
        title="What would change",
        headers=("transfer", "at", "amount", "the rule said", "it would say", "all rules together", "why"),
        rows=[
            (
                id_link("transfer", "transfers.transfer", row.transfer_id),
                format_html('{}<div class="bridge-muted">{}</div>', when(row.at), row.stage.replace("_", " ")),
                amount(row.amount, row.currency),
                badge(row.result.before or "not run"),
                badge(row.result.after or "not run"),
                _verdict(row),
                row.result.reason,
            )
            for row in rows
        ],
        empty=_nothing(totals, cut=cut),
        note=f"The first {SHOWN}; {more:,} more are not shown." if more > 0 else "",
        numeric=frozenset({2}),
    )


def _nothing(totals: Totals, *, cut: bool) -> str:
    """Said where no answer changes: what is not known is not taken for the same."""
    if not totals.seen:
        return "There was no run of this rule's stages in that time."
    if not totals.played:
        return "Nobody can tell: none of the past runs could be played."
    if totals.played < totals.seen:
        return f"No change in the {totals.played:,} that could be played; nobody can tell about the others."
    if cut:
        return f"No change in the first {totals.seen:,}; the others were not played."
    return "Nothing: every past run would have been decided the same way."


def _verdict(row: Row) -> str:
    before, after = row.result.verdict_before, row.result.verdict_after
    return f"stays {after}" if before == after else f"{before} → {after}"


def _moves(totals: Totals) -> list[dict[str, Any]]:
    most = max(totals.moves.values(), default=0)
    return [
        {
            "label": f"{before} → {after}",
            "count": count,
            "width": max(1, round(100 * count / most)),
            "colour": COLOURS.get(after, "grey"),
        }
        for (before, after), count in totals.moves.most_common()
    ]
