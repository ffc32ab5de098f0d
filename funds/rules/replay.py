"""What a changed rule would have decided about a past transfer, from what its verification row kept."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple

from funds.rules.catalogue import BY_ID
from funds.rules.compliance import VelocityFacts
from funds.rules.engine import Decision, verify
from funds.rules.facts import Facts
from funds.rules.outcomes import Outcome, worst
from funds.rules.registry import Values

NOT_RECORDED: Final = "It could not be played: the facts that the rule needs were not recorded."
# Facts that are gathered only while the rule has values, with the least that they can be. More of them never makes the
# answer better: what does not pass even so is certain, what passes is not.
LEAST: Final[Mapping[str, Any]] = {"velocity": VelocityFacts()}
_AT_LEAST: Final = "{} It is so by this transfer alone: those before it were not recorded."


class Replayed(NamedTuple):
    """One rule over one past run. None: it did not run then, or would not run now.

    `verdict_before` and `verdict_after` are the outcomes of the whole run, the other decisions left as they were.
    `played` is false where nobody can tell: the facts that the rule needs were not recorded, then or since.
    """

    before: Outcome | None
    after: Outcome | None
    reason: str
    verdict_before: Outcome
    verdict_after: Outcome
    played: bool = True

    @property
    def changed(self) -> bool:
        return self.before != self.after


def replay(
    *, facts: Mapping[str, Mapping[str, Any]], decisions: Sequence[Mapping[str, Any]], rule: str, values: Values
) -> Replayed:
    """Play one rule with draft values over the kept facts and decisions of one run. Writes nothing.

    Raises `KeyError`, `TypeError` or `ValueError` for a row of a shape that this code no longer knows.
    """
    now = _decided(Facts.from_json(facts), rule, values)
    then = next((kept for kept in decisions if kept["rule"] == rule), None)
    others = [kept for kept in decisions if kept["rule"] != rule]
    left = worst(Outcome(kept["outcome"]) for kept in others if not kept.get("override"))
    before = None if then is None else Outcome(then["outcome"])
    after = None if now is None else now.outcome
    played = before is not None or after is not None
    counted = [before] if then is not None and before is not None and not then.get("override") else []
    return Replayed(
        before=before,
        after=after,
        reason=now.reason if now else "" if played else NOT_RECORDED,
        verdict_before=worst([left, *counted]),
        verdict_after=worst([left, *([after] if after is not None else [])]),
        played=played,
    )


def _decided(facts: Facts, rule: str, values: Values) -> Decision | None:
    """What the rule says; nothing where its facts are missing and the least of them settle nothing."""
    needs = BY_ID[rule].needs
    missing = facts.absent().intersection(needs) if needs else frozenset()
    settled = bool(missing) and missing <= LEAST.keys()
    if settled:
        facts = replace(facts, **{name: LEAST[name] for name in missing})
    found = verify(facts=facts, parameters={rule: values}, only={rule}).decisions
    if not found or (settled and found[0].outcome is Outcome.PASS):
        return None
    return found[0]._replace(reason=_AT_LEAST.format(found[0].reason)) if settled else found[0]
