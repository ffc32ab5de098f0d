"""The tables of the Controls page."""

from __future__ import annotations

from django.utils.html import format_html

from bridge.console.display import badge, bar, link, money_text, rows_url, when
from bridge.console.pages import Table
from bridge.kernel import clock
from transfers.admin.parameters import change_url, choices, in_words, name_of, scope_of
from transfers.controls import exposure
from transfers.models import Circuit, Parameters
from transfers.parameters import Scope
from transfers.policy import in_force


def limits() -> Table:
    """Money on the bridge against every limit in force."""
    rows = []
    for limit, used in exposure.standing(at=clock.now()):
        text = f"{money_text(used, limit.currency)} of {money_text(limit.amount, limit.currency)}"
        level = limit.reading(used).level(0)
        rows.append(
            (
                limit.institution or "all institutions",
                limit.currency,
                bar(used, limit.amount, text),
                badge(("free", "near", "reached")[level], colour=("green", "amber", "red")[level]),
                f"told from {limit.alert} %, stops at {limit.stop} %",
            )
        )
    return Table(
        title="Money on the bridge",
        headers=("from", "currency", "used", "state", "lines"),
        rows=rows,
        empty="No limit is set. Set exposure limit for an institution, or exposure limit total for the house.",
        note="A limit stops new withdrawals, never deposits.",
    )


def institutions_table() -> Table:
    """Who answers and who does not."""
    rows = []
    for row in Circuit.objects.order_by("institution"):
        state = badge("does not answer", colour="red") if row.opened_at else badge("answers", colour="green")
        rows.append((row.institution, state, row.failures, when(row.opened_at), when(row.retry_at)))
    return Table(
        title="Institutions",
        headers=("institution", "state", "calls in a row without an answer", "since", "tried again"),
        rows=rows,
        empty="Every institution has answered every call.",
        note="Who does not answer gets no new instructions. Bridge tries again by itself.",
        numeric=frozenset({2}),
    )


def parameter_tables(*, may: bool) -> list[Table]:
    """What each scope sets now, and what is to come."""
    now = clock.now()
    layers = in_force(now)
    scopes = [scope for _, scope in choices()]
    scopes += [scope for key in layers if (scope := Scope(*key)) not in scopes]
    rows = []
    for scope in scopes:
        own = layers.get((scope.institution, scope.rail, scope.fund_id), {})
        change = format_html('<a class="bridge-link" href="{}">Change</a>', change_url(scope)) if may else ""
        rows.append((name_of(scope), in_words(dict(own)), change))
    coming = Parameters.objects.filter(effective_from__gt=now).select_related("fund").order_by("effective_from")
    later = [
        (
            name_of(scope_of(row)),
            when(row.effective_from),
            link("transfers.parameters", row.pk, in_words(row.values)),
            row.why,
        )
        for row in coming[:50]
    ]
    tables = [
        Table(
            title="Parameters in force",
            headers=("for", "sets", ""),
            rows=rows,
            more=rows_url("transfers.parameters"),
            more_text="History",
            note="The narrower decides: fund, institution by rail, institution, rail, house. A fund's are on its page.",
        )
    ]
    if later:
        tables.append(Table(title="Coming", headers=("for", "from", "will set", "why"), rows=later))
    return tables
