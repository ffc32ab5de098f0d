"""What a changed rule would have decided about a past transfer, from what its verification row kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from funds.rules.engine import verify
from funds.rules.facts import Facts
from funds.rules.outcomes import Outcome, worst
from funds.rules.registry import Values


class Replayed(NamedTuple):
    """One rule over one past run. None: it did not run then, or would not run now.

    `verdict_before` and `verdict_after` are the outcomes of the whole run, the other decisions left as they were.
    """

    before: Outcome | None
    after: Outcome | None
    reason: str
    verdict_before: Outcome
    verdict_after: Outcome

    @property
    def changed(self) -> bool:
        return self.before != self.after


def replay(
    *, facts: Mapping[str, Mapping[str, Any]], decisions: Sequence[Mapping[str, Any]], rule: str, values: Values
) -> Replayed:
    """Play one rule with draft values over the kept facts and decisions of one run. Writes nothing.

    Raises `KeyError`, `TypeError` or `ValueError` for a row of a shape that this code no longer knows.
    """
    now = verify(facts=Facts.from_json(facts), parameters={rule: values}, only={rule}).decisions
    then = next((kept for kept in decisions if kept["rule"] == rule), None)
    others = [kept for kept in decisions if kept["rule"] != rule]
    left = worst(Outcome(kept["outcome"]) for kept in others if not kept.get("override"))
    before = None if then is None else Outcome(then["outcome"])
    after = now[0].outcome if now else None
    counted = [before] if then is not None and before is not None and not then.get("override") else []
    return Replayed(
        before=before,
        after=after,
        reason=now[0].reason if now else "",
        verdict_before=worst([left, *counted]),
        verdict_after=worst([left, *([after] if after is not None else [])]),
    )
