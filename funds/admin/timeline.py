"""What is in force when, as bars: past, now and planned, for all funds and for each fund with values of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bridge.console.display import badge, link, when
from bridge.console.pages import Table
from funds.criteria import as_row
from funds.models import RuleParameters
from funds.rules.catalogue import BY_ID
from funds.rules.parameters import Span, timeline
from funds.rules.wording import value_words

WIDTH = 1000
AHEAD = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Bar:
    """`x` and `width` in thousandths of the whole."""

    x: int
    width: int
    tone: str
    title: str
    url: str


@dataclass(frozen=True, slots=True)
class Lane:
    name: str
    bars: Sequence[Bar]


@dataclass(frozen=True, slots=True)
class Chart:
    lanes: Sequence[Lane]
    now: int
    begins: str
    ends: str
    table: Table


def chart(*, rule: str, rows: Sequence[RuleParameters], at: datetime) -> Chart | None:
    """Of the active rows of one rule, with their funds; nothing where only the defaults ever were in force."""
    if not rows:
        return None
    known = {row.number: row for row in rows}
    plain = [as_row(row) for row in rows]
    scopes = [("", "all funds")]
    scopes += sorted({(str(row.fund_id), row.fund.name) for row in rows if row.fund}, key=lambda scope: scope[1])
    lanes = {name: timeline(rows=plain, rule=rule, fund=fund) for fund, name in scopes}
    spans = [span for found in lanes.values() for span in found]
    first = min(span.begins for span in spans)
    last = max([at + AHEAD, *(moment + AHEAD for span in spans for moment in (span.begins, span.ends) if moment)])
    whole = (last - first).total_seconds()

    def place(moment: datetime) -> int:
        return int(WIDTH * (moment - first).total_seconds() / whole)

    def bar(span: Span) -> Bar:
        x, ends = place(span.begins), WIDTH if span.ends is None else place(span.ends)
        row = known[span.row.version] if span.row else None
        return Bar(
            x=x,
            width=max(2, ends - x - 1),
            tone=phase(span, at) if row else "default",
            title=f"{row or 'defaults'}: {_from_to(span)}",
            url=reverse("admin:funds_ruleparameters_change", args=[row.pk]) if row else "",
        )

    return Chart(
        lanes=[Lane(name, [bar(span) for span in found]) for name, found in lanes.items() if found],
        now=place(at),
        begins=f"{first:%d %b %Y}",
        ends=f"{last:%d %b %Y}",
        table=_table(lanes, known, at),
    )


def phase(span: Span, at: datetime) -> str:
    if span.ends is not None and span.ends <= at:
        return "past"
    return "planned" if span.begins > at else "now"


def _from_to(span: Span) -> str:
    until = f"until {span.ends:%d %b %Y %H:%M}" if span.ends else "on"
    return f"from {span.begins:%d %b %Y %H:%M} {until} UTC"


WORDS = {"now": ("in force", "green"), "past": ("past", "grey"), "planned": ("planned", "blue")}


def _table(lanes: dict[str, list[Span]], known: dict[int, RuleParameters], at: datetime) -> Table:
    lines = []
    for name, spans in lanes.items():
        for span in reversed(spans):
            row = known[span.row.version] if span.row else None
            word, colour = WORDS[phase(span, at)]
            lines.append(
                (
                    name,
                    badge(word, colour=colour),
                    link("funds.ruleparameters", row.pk, f"#{row.number}") if row else "the defaults",
                    values_text(row) if row else "",
                    when(span.begins),
                    when(span.ends) if span.ends else "open",
                )
            )
    return Table(title="Values by period", headers=("for", "is", "set", "values", "from", "until"), rows=lines)


def values_text(row: RuleParameters) -> SafeString | str:
    """`max count day = 3`, one to a line; what is not named has the default."""
    if not row.values:
        return "the defaults"
    rule = BY_ID.get(row.rule)
    lines = [f"{name.replace('_', ' ')} = {value_words(rule, name, row.values)}" for name in row.values]
    return format_html("{}" + "<br>{}" * (len(lines) - 1), *lines)
