"""What an approval holds, in words: for those who decide, and for the refusal that says what changed since."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from bridge.approvals.handlers import Handler
from bridge.approvals.models import Approval
from bridge.kernel import money
from bridge.kernel.api.naming import outside

AMOUNTS = frozenset({"amount", "target", "settled_amount", "fee", "missing", "advanced"})  # minor units
SECRET = frozenset({"number_sealed", "number_index", "number"})  # readable for nobody, not even as a hash
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}(\.[0-9]+)?(Z|\+00:00)")  # as a payload keeps it
NAMES = {
    "sends": "times sent",
    "number": "account number",
    "number_last4": "new account number",
    "number_index": "new account number",
    "number_sealed": "new account number",
}


def name_of(name: str) -> str:
    """`settled_amount` → settled amount."""
    return NAMES.get(name, name.replace("_", " "))


def currency_of(handler: Handler | None, row: Approval) -> str:
    """In what the amounts are: as asked for, as seen, or as the subject has it. Empty where nobody knows."""
    for values in (row.payload, row.seen):
        if money.is_currency(values.get("currency")):
            return str(values["currency"])
    return handler.currency(row.subject_id) if handler is not None and handler.currency is not None else ""


def money_in(amount: int, currency: str) -> str:
    """Money with its currency; what has none is said to be in minor units."""
    return money.display(amount, currency) if money.is_currency(currency) else f"{amount:,} minor units"


def text_of(name: str, value: Any, currency: str = "") -> str:
    """One value for the eye. Ids are those that are used outside."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(_part(key, item, currency) for key, item in value.items()) or "the defaults"
    if isinstance(value, int):
        return money_in(value, currency) if name in AMOUNTS else f"{value:,}"
    if isinstance(value, str) and _MOMENT.fullmatch(value):
        return f"{datetime.fromisoformat(value):%d %b %Y %H:%M} UTC"
    return str(outside(name, value))


def _part(key: str, value: Any, currency: str) -> str:
    if money.is_currency(key) and type(value) is int:
        return money.display(value, key)  # an amount for each currency
    return f"{name_of(key)} = {text_of(key, value, currency)}"


def changes(then: Mapping[str, Any], now: Mapping[str, Any], currency: str = "") -> str:
    """What differs: `times sent was 1 and is 2; state was unknown and is settled`. Empty where nothing does."""
    said = []
    for name in sorted(then.keys() | now.keys()):
        before, after = then.get(name), now.get(name)
        if before == after:
            continue
        if name in SECRET:
            said.append(f"{name_of(name)} is another")
            continue
        said.append(f"{name_of(name)} was {text_of(name, before, currency)} and is {text_of(name, after, currency)}")
    return "; ".join(said)
