"""What a draft of a rule's values would change: from which moment on which values differ. Reads only."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from funds.criteria import as_row
from funds.models import RuleParameters
from funds.rules.catalogue import BY_ID
from funds.rules.parameters import ParameterRow, in_force, timeline
from funds.rules.registry import Rule, Values
from funds.rules.wording import value_words


@dataclass(frozen=True, slots=True)
class Difference:
    """One value that differs, in words. `left_empty`: the draft does not name it, so it goes back to the default."""

    name: str
    old: str
    new: str
    left_empty: bool


def changes(row: RuleParameters, *, at: datetime) -> Sequence[Difference]:
    """What differs from the values in force for the draft's scope when it begins, at the earliest at `at`."""
    rule = BY_ID.get(row.rule)
    if rule is None:
        return []
    scope = str(row.fund_id or "")
    before = in_force(rows=_active(row.rule), fund=scope, at=max(row.effective_from, at)).get(row.rule, {})
    return [
        Difference(
            name,
            value_words(rule, name, before),
            value_words(rule, name, row.values),
            left_empty=name not in row.values,
        )
        for name, default in rule.defaults.items()
        if before.get(name, default) != row.values.get(name, default)
    ]


def changes_nothing(
    *,
    rule: str,
    fund_id: uuid.UUID | None,
    values: dict[str, Any],
    begins: datetime,
    ends: datetime | None,
    at: datetime,
) -> bool:
    """Whether with and without it the same values would count for this fund, or for all, at every time from `at` on."""
    if ends is not None and ends <= max(begins, at):
        return False  # it can never be activated, which the activation says
    scope = str(fund_id or "")
    active = _active(rule)
    last = max((row.version for row in active), default=0)
    drafted = ParameterRow(rule, last + 1, values, max(begins, at), ends, str(fund_id) if fund_id else None)
    known = BY_ID[rule]
    return _course(active, known, scope, at) == _course(_activated(active, drafted), known, scope, at)


def _active(rule: str) -> list[ParameterRow]:
    state = RuleParameters.State.ACTIVE
    return [as_row(row) for row in RuleParameters.objects.filter(rule=rule, state=state)]


def _activated(rows: Iterable[ParameterRow], drafted: ParameterRow) -> list[ParameterRow]:
    """The rows after the activation, as `rulebook` carries it out."""
    found, begins = [], drafted.effective_from
    for row in rows:
        if row.fund != drafted.fund or (row.effective_until is not None and row.effective_until <= begins):
            found.append(row)
        elif row.effective_from > begins:
            until = row.effective_from
            if drafted.effective_until is None or until < drafted.effective_until:
                drafted = replace(drafted, effective_until=until)
            found.append(row)
        else:
            found.append(replace(row, effective_until=begins))
    return [*found, drafted]


def _course(rows: Iterable[ParameterRow], rule: Rule, fund: str, since: datetime) -> list[tuple[datetime, Values]]:
    """Which values count from when on; neighbours with the same values are one."""
    found: list[tuple[datetime, Values]] = [(since, dict(rule.defaults))]
    for span in timeline(rows=rows, rule=rule.id, fund=fund):
        if span.ends is not None and span.ends <= since:
            continue
        values = {**rule.defaults, **(span.row.values if span.row else {})}
        if span.begins <= since:
            found = [(since, values)]
        elif values != found[-1][1]:
            found.append((span.begins, values))
    return found
