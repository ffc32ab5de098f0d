"""Values of rules in words: what each sets, in money where it is money, and what it takes the place of."""

from __future__ import annotations

from typing import Any

from bridge.kernel.money import display, is_currency
from funds.rules.registry import TRANSFER, Rule, Values
from funds.rules.wording import value_words


def changed_values(*, rule: Rule, new: Values, old: Values | None, currency: str = "") -> list[tuple[str, str]]:
    """Each value that is set or that goes back to its default, as (name, words). `old` None: not known any more.

    `currency` is the fund's, empty for all funds.
    """
    after, before = _whole(rule, new), _whole(rule, old) if old is not None else None
    lines = []
    for name, parameter in rule.parameters.items():
        same = before is None or before[name] == after[name]
        if name not in new and same:
            continue
        value = _words(rule, name, after, currency)
        if before is not None:
            unchanged = f"{value}, as before"
            value = unchanged if same else f"{_words(rule, name, before, currency)} → {value}"
        note = "" if name in new else " (the default, because it is left out)"
        about = parameter.help.partition(";")[0].rstrip(".").replace(", in minor units", "")  # `value` is money by now
        lines.append((name.replace("_", " "), f"{value}{note}: {about[:1].lower()}{about[1:]}"))
    return lines or [("values", "the defaults, as before" if old is not None else "the defaults")]


def _whole(rule: Rule, values: Values) -> Values:
    """With the defaults, and without what only an earlier version of the rule knew."""
    return rule.values({name: value for name, value in values.items() if name in rule.parameters})


def _words(rule: Rule, name: str, values: Values, currency: str) -> str:
    """One value for the eye. An amount in the currency of each transfer is in the fund's, where there is one."""
    value: Any = values[name]
    if isinstance(value, bool) or not isinstance(value, int) or rule.parameters[name].currency != TRANSFER:
        return value_words(rule, name, values)
    if is_currency(currency):
        return display(value, currency)
    return f"{value_words(rule, name, values)} (as {display(value, 'USD')})"
