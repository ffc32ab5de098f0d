"""How a rule is written and registered.

A rule is one pure function: facts and parameters in, a finding out (outcome, reason in plain words, the inputs it
saw). Its `version` goes up whenever the same facts and parameters could give another answer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import time
from types import MappingProxyType
from typing import Any

from funds.rules.facts import STAGES, Facts, Stage
from funds.rules.outcomes import Outcome

Values = Mapping[str, Any]
Finding = tuple[Outcome, str, dict[str, Any]]
Function = Callable[[Facts, Values], Finding]

VERSION = "version"  # the key under which a set of values carries the version of its row
REQUIRED = "required"  # parameter of every rule over optional facts
TRANSFER = "transfer"  # `Parameter.currency` of an amount in whatever currency the transfer has


@dataclass(frozen=True, slots=True)
class Parameter:
    """One value that compliance may set. A default of None means: no limit. `kind` checks what is entered.

    `currency` makes it an amount of minor units. It is a code of ISO 4217, the parameter of the same rule that holds
    the code, or `TRANSFER`; `wording.currency_of` tells which.
    """

    default: Any
    kind: type
    help: str
    currency: str = ""

    def refuses(self, value: object) -> str:
        """Why the value cannot be used; empty when it can."""
        if value is None and self.default is None:
            return ""
        if self.kind is time:
            try:
                time.fromisoformat(value)  # type: ignore[arg-type]  # what is no text is refused here too
            except (TypeError, ValueError):
                return "must be a time as HH:MM"
            return ""
        if not isinstance(value, self.kind) or (self.kind is int and isinstance(value, bool)):
            return f"must be of kind {self.kind.__name__}"
        if isinstance(value, int) and value < 0:
            return "must not be negative"
        return ""


@dataclass(frozen=True, slots=True)
class Rule:
    """A registered rule.

    `needs` names the optional facts without which it does not run. `overridable` is the worst outcome of it that
    people may set aside: `pass` means none at all.
    """

    id: str
    version: int
    stages: tuple[Stage, ...]
    asks: str
    function: Function
    parameters: Mapping[str, Parameter]
    needs: tuple[str, ...] = ()
    source: str = ""
    overridable: Outcome = Outcome.HOLD
    defaults: Values = field(init=False)

    def __post_init__(self) -> None:
        defaults = {name: parameter.default for name, parameter in self.parameters.items()}
        object.__setattr__(self, "defaults", MappingProxyType(defaults))

    def values(self, given: Values | None) -> Values:
        """The defaults, under what is given. Raises `KeyError` for a name that the rule does not know.

        A misspelt limit must not silently leave the default in force.
        """
        if given is None:
            return self.defaults
        merged = {**self.defaults, **given}
        if len(merged) > len(self.defaults) + (VERSION in given):
            raise KeyError(", ".join(sorted(merged.keys() - self.defaults.keys() - {VERSION})))
        return merged


REGISTRY: dict[str, Rule] = {}
REQUIRED_PARAMETER = Parameter(False, bool, "Hold the transfer when these facts are missing, instead of not asking.")


def rule(
    *,
    id: str,
    version: int,
    stages: tuple[Stage, ...],
    asks: str,
    parameters: Mapping[str, Parameter] | None = None,
    needs: tuple[str, ...] = (),
    source: str = "",
    overridable: Outcome = Outcome.HOLD,
) -> Callable[[Function], Function]:
    """Register the function below as a rule. `funds.rules.catalogue` fixes the order in which rules run.

    Raises `ValueError` at import for an id used twice or an unknown stage.
    """
    if id in REGISTRY:
        raise ValueError(f"two rules with the id {id!r}")
    if not stages or set(stages) - set(STAGES):
        raise ValueError(f"rule {id!r}: stages must be some of {STAGES}")
    wanted = dict(parameters or {})
    if needs:
        wanted[REQUIRED] = REQUIRED_PARAMETER

    def register(function: Function) -> Function:
        REGISTRY[id] = Rule(id, version, stages, asks, function, wanted, needs, source, overridable)
        return function

    return register


def refusals(*, rule: str, values: Values) -> dict[str, str]:
    """What is wrong with values that somebody enters for a rule: parameter → why. Empty when all can be used.

    Raises `KeyError` for an unknown rule.
    """
    known = REGISTRY[rule].parameters
    found = {name: "is not a parameter of this rule" for name in values if name not in known and name != VERSION}
    for name, parameter in known.items():
        if name in values and (why := parameter.refuses(values[name])):
            found[name] = why
    return found
