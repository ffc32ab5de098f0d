"""Values of rules in words: what each sets, in money where it is money, and what it takes the place of."""

from __future__ import annotations

from typing import Any

from bridge.kernel.money import display, is_currency
from funds.rules.registry import Rule, Values

OF_THE_TRANSFER = "the transfer's own currency"


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
        value = value_words(rule, name, after, currency)
        if before is not None:
            unchanged = f"{value}, as before"
            value = unchanged if same else f"{value_words(rule, name, before, currency)} → {value}"
        note = "" if name in new else " (the default, because it is left out)"
        about = parameter.help.partition(";")[0].rstrip(".").replace("Minor units", "Sum")
        about = about.replace(" in minor units of USD", "").replace(", in minor units", "")
        lines.append((name.replace("_", " "), f"{value}{note}: {about[:1].lower()}{about[1:]}"))
    return lines or [("values", "the defaults, as before" if old is not None else "the defaults")]


def _whole(rule: Rule, values: Values) -> Values:
    """With the defaults, and without what only an earlier version of the rule knew."""
    return rule.values({name: value for name, value in values.items() if name in rule.parameters})


def value_words(rule: Rule, name: str, values: Values, currency: str = "") -> str:
    """One value for the eye; `currency` is the fund's."""
    value: Any = values[name]
    if value is None:
        return "no limit"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if not isinstance(value, int):
        return str(value)
    if "minor units" not in rule.parameters[name].help.lower():
        return f"{value:,}"
    known = _currency_of(rule, name, values) or currency
    if is_currency(known):
        return display(value, known)
    return f"{value:,} minor units of {OF_THE_TRANSFER} (as {display(value, 'USD')})"


def _currency_of(rule: Rule, name: str, values: Values) -> str:
    """Of an amount that says its own currency."""
    return "USD" if rule.id == "rail_limit" else str(values.get(f"{name}_currency", ""))
