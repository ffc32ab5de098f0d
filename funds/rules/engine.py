"""The verification engine: runs all rules of a stage over the same facts; the worst outcome wins.

Pure and deterministic: no clock, no database, no randomness. It runs for thousands of transfers per second, so
findings are tuples, a pass has a constant reason, and nothing is turned into text before somebody asks for it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

from funds.rules.catalogue import RULES
from funds.rules.facts import STAGES, Facts, Stage
from funds.rules.outcomes import Outcome
from funds.rules.record import render
from funds.rules.registry import REQUIRED, VERSION, Rule, Values

PASS: Final = Outcome.PASS
HOLD: Final = Outcome.HOLD


class Override(NamedTuple):
    """That people set a rule's outcome aside, up to `lifts`. `reference` names the row that says who and why."""

    reference: str
    lifts: Outcome = HOLD


class Decision(NamedTuple):
    """What one rule decided. `parameters` is the version of the values it used; None: the rule's own defaults.

    An overridden decision keeps its outcome and names the override; the verdict then leaves it aside.
    """

    rule: str
    version: int
    outcome: Outcome
    reason: str
    inputs: dict[str, Any]
    parameters: int | None = None
    override: str = ""

    def as_json(self) -> dict[str, Any]:
        """What the verification row keeps."""
        kept = _kept(self)
        kept["inputs"] = {
            name: value.isoformat() if value.__class__ is datetime else value for name, value in self.inputs.items()
        }
        return kept

    def brief(self) -> dict[str, Any]:
        """What the API shows."""
        return {
            "rule": self.rule,
            "version": self.version,
            "outcome": self.outcome._value_,
            "reason": self.reason,
        }


def _kept(decision: Decision) -> dict[str, Any]:
    """The decision without its inputs made JSON."""
    rule, version, outcome, reason, inputs, parameters, override = decision
    kept: dict[str, Any] = {
        "rule": rule,
        "version": version,
        "outcome": outcome._value_,
        "reason": reason,
        "inputs": inputs,
    }
    if parameters is not None:
        kept["parameters"] = parameters
    if override:
        kept["override"] = override
    return kept


class Verdict(NamedTuple):
    """The worst outcome, and every decision in the order of the catalogue.

    `not_run` names the rules of the stage whose facts this firm does not track.
    """

    outcome: Outcome
    decisions: tuple[Decision, ...]
    not_run: tuple[str, ...] = ()

    def as_json(self) -> list[dict[str, Any]]:
        return [decision.as_json() for decision in self.decisions]

    def rendered(self) -> str:
        """The same as the text that a JSON column takes, without the steps between: times are told as they are met."""
        return render([_kept(decision) for decision in self.decisions])

    @property
    def against(self) -> tuple[Decision, ...]:
        """The decisions that stand in the way, the worst first; overridden ones do not."""
        found = [decision for decision in self.decisions if decision.outcome is not PASS and not decision.override]
        return tuple(sorted(found, key=lambda decision: -decision.outcome.rank))

    @property
    def must_freeze(self) -> bool:
        """The law forbids to move the money, back to the investor too. Goes before `outcome`: ask it first."""
        return any(decision.inputs.get("freeze") for decision in self.decisions)

    def reasons(self) -> list[dict[str, str]]:
        """`[{rule, reason}]` of what stands in the way, the worst first."""
        return [{"rule": decision.rule, "reason": decision.reason} for decision in self.against]


_BY_STAGE: Final[Mapping[str, tuple[Rule, ...]]] = {
    stage: tuple(rule for rule in RULES if stage in rule.stages) for stage in STAGES
}
_NONE: Final[Mapping[str, Any]] = {}


def rules_of(*, stage: str) -> tuple[Rule, ...]:
    """The rules of a stage in the order in which they run. Raises `KeyError` for an unknown stage."""
    return _BY_STAGE[stage]


def verify(
    *,
    facts: Facts,
    parameters: Mapping[str, Values] | None = None,
    only: Collection[str] | None = None,
    overrides: Mapping[str, Override] | None = None,
    rules: Collection[Rule] | None = None,
) -> Verdict:
    """Run the rules of `facts.request.stage` and return every decision with the worst outcome.

    `parameters` maps a rule's id to its values (and `"version"`); what is not given has its default. `only` narrows
    the run to some rule ids and `rules` replaces the catalogue: both for replays. `overrides` maps a rule's id to
    what people set aside. A rule that raises, or whose parameters it does not know, gives `hold`, never `pass`.
    Raises `KeyError` for an unknown stage.
    """
    given = parameters or _NONE
    lifted = overrides or _NONE
    outcome = PASS
    decisions: list[Decision] = []
    not_run: list[str] = []
    absent = facts.absent()
    if only is None and rules is None and not given:
        wanted, left_out = _asked(facts.request.stage, absent)
        not_run += left_out
    else:
        wanted = _BY_STAGE[facts.request.stage] if rules is None else tuple(rules)
    for rule in wanted:
        if only is not None and rule.id not in only:
            continue
        own = given.get(rule.id) if given else None
        if rule.needs and not absent.isdisjoint(rule.needs):
            if own is None or not own.get(REQUIRED):
                not_run.append(rule.id)
                continue
            decision = Decision(rule.id, rule.version, HOLD, _ABSENT.format(rule.id), {}, own.get(VERSION))
        else:
            decision = _decide(rule, facts, own)
        if decision.outcome is not PASS:
            if lifted and _lifts(rule, decision, lifted.get(rule.id)):
                decision = decision._replace(override=lifted[rule.id].reference)
            elif decision.outcome > outcome:
                outcome = decision.outcome
        decisions.append(decision)
    return Verdict(outcome, tuple(decisions), tuple(not_run))


_ERROR = "The rule “{}” could not be evaluated; a person must look."
_ABSENT = "What the rule “{}” must know is missing; a person must look."


def _decide(rule: Rule, facts: Facts, own: Values | None) -> Decision:
    version = None if own is None else own.get(VERSION)
    try:
        values = rule.defaults if own is None else rule.values(own)
        outcome, reason, inputs = rule.function(facts, values)
        if outcome.__class__ is not Outcome:
            raise TypeError(f"rule {rule.id!r} returned {outcome!r}")
    except Exception as error:  # whatever a rule does, money waits for a person
        return Decision(rule.id, rule.version, HOLD, _ERROR.format(rule.id), {"error": type(error).__name__}, version)
    return Decision(rule.id, rule.version, outcome, reason, inputs, version)


@cache
def _asked(stage: Stage, absent: frozenset[str]) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    """The rules of a stage that run without these facts and without values of compliance, and the ids of the others."""
    runs = tuple(rule for rule in _BY_STAGE[stage] if absent.isdisjoint(rule.needs))
    return runs, tuple(rule.id for rule in _BY_STAGE[stage] if rule not in runs)


def _lifts(rule: Rule, decision: Decision, override: Override | None) -> bool:
    return override is not None and decision.outcome <= override.lifts and decision.outcome <= rule.overridable
