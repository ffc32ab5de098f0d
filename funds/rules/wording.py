"""Values for the eye: a moment in the reasons of rules, and the values of parameters."""

from __future__ import annotations

from datetime import UTC, datetime

from bridge.kernel import money
from funds.rules.registry import TRANSFER, Rule, Values


def moment(at: datetime) -> str:
    """`2026-03-01 14:05 UTC`. Raises `ValueError` for a time without a zone, which `astimezone` would guess at."""
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def currency_of(rule: Rule, name: str, values: Values) -> str:
    """In which currency a parameter is an amount, by these values and the defaults.

    Empty for what is no amount, and for amounts in the currency of each transfer.
    """
    own = rule.parameters[name].currency
    if own in rule.parameters:
        return str(values.get(own, rule.defaults[own]))
    return "" if own == TRANSFER else own


def value_words(rule: Rule | None, name: str, values: Values) -> str:
    """The value of a parameter, or its default where `values` do not name it. Money in words: `USD 1,000,000.00`.

    Also of rows of a rule, or with a name, that this version does not know.
    """
    value = values[name] if rule is None or name in values else rule.defaults.get(name)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return "no limit"
    if not isinstance(value, int):
        return str(value)
    if rule is None or name not in rule.parameters or not rule.parameters[name].currency:
        return f"{value:,}"
    currency = currency_of(rule, name, values)
    if not currency:
        return f"{value:,} minor units of the transfer's currency"
    return money.display(value, currency) if money.is_currency(currency) else f"{value:,} minor units of {currency}"
