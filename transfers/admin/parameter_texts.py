"""Parameters as people write them: "15 minutes", "2 business days", "USD 250,000.00"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from bridge.kernel import money
from bridge.kernel.waits import BusinessDays
from transfers.parameters import Parameter, Unit

SIZES = {"day": 86_400, "hour": 3_600, "minute": 60, "second": 1}
_SPAN = re.compile(r"([0-9]{1,9}) ?(day|hour|minute|second)?s?")
_AMOUNT = re.compile(r"([A-Z]{3}) ?([0-9].*)")


def shown(parameter: Parameter, value: Any) -> str:
    """A value of a policy, or one that is kept, for people."""
    if parameter.unit == Unit.AMOUNTS:
        return "; ".join(money.display(amount, currency) for currency, amount in sorted(value.items())) or "none"
    if isinstance(value, BusinessDays | str):
        return str(value)
    if parameter.unit in (Unit.SECONDS, Unit.WAIT):
        return _span(value)
    return f"{value} %" if parameter.unit == Unit.PER_CENT else str(value)


def written(parameter: Parameter, text: str) -> Any:
    """What somebody wrote as it is kept. Raises `ValueError` saying how to write it, and `BadParameter`."""
    value = _READ.get(parameter.unit, _word)(text.strip())
    parameter.read(value)
    return value


def _span(seconds: int) -> str:
    for word, size in SIZES.items():
        if seconds and seconds % size == 0:
            count = seconds // size
            return f"{count} {word}{'' if count == 1 else 's'}"
    return "0 seconds"


def _seconds(text: str) -> int:
    found = _SPAN.fullmatch(text)
    if found is None:
        raise ValueError("Write it as '15 minutes', '5 days' or so.")
    return int(found[1]) * SIZES[found[2] or "second"]


def _wait(text: str) -> int | str:
    return text if "business" in text else _seconds(text)


def _whole(text: str) -> int:
    number = text.removesuffix("%").strip()
    if not number.isascii() or not number.isdigit():
        raise ValueError("Write a whole number.")
    return int(number)


def _amounts(text: str) -> Mapping[str, int]:
    found: dict[str, int] = {}
    for part in filter(None, (part.strip() for part in text.split(";"))):
        if part == "none":
            continue
        match = _AMOUNT.fullmatch(part)
        if match is None or not money.is_currency(match[1]):
            raise ValueError("Write it as 'USD 250,000.00', several with a semicolon between, or 'none'.")
        found[match[1]] = money.written(match[2], match[1])
    return found


def _word(text: str) -> str:
    return text


_READ = {
    Unit.SECONDS: _seconds,
    Unit.WAIT: _wait,
    Unit.PER_CENT: _whole,
    Unit.COUNT: _whole,
    Unit.CALLS: _whole,
    Unit.AMOUNTS: _amounts,
}
