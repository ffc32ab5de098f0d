"""Reads values out of requests and says plainly what is wrong with them."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bridge.kernel.money import MAX_AMOUNT, is_currency

TOKEN = re.compile(r"[\x21-\x7e]{1,255}")
NUMBER = re.compile(r"[A-Za-z0-9-]{1,34}")
ROUTING = re.compile(r"[A-Za-z0-9]{0,35}")
CODE = re.compile(r"[a-z0-9]{1,40}")


class Refused(Exception):
    """An answer that is a problem document."""

    def __init__(self, status: int, code: str, reason: str) -> None:
        super().__init__(reason)
        self.status, self.code, self.reason = status, code, reason


def malformed(reason: str) -> Refused:
    return Refused(400, "malformed", reason)


def json_object(body: bytes) -> dict[str, Any]:
    """The body as an object. Numbers beyond JSON (NaN, Infinity) are refused."""
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_no_constant) if body else {}
    except (ValueError, RecursionError) as error:
        raise malformed("The body is no valid JSON.") from error
    if not isinstance(value, dict):
        raise malformed("The body must be a JSON object.")
    return value


def _no_constant(name: str) -> Any:
    raise ValueError(name)


class Fields:
    """The members of one JSON object, each read once by name; what is left over is refused."""

    def __init__(self, data: Mapping[str, Any], known: Iterable[str]) -> None:
        if not isinstance(data, Mapping):
            raise malformed("An object was expected.")
        unknown = sorted(set(data) - set(known))
        if unknown:
            raise malformed(f"Unknown member: {', '.join(name[:40] for name in unknown[:5])!r}.")
        self._data = data

    def has(self, name: str) -> bool:
        return name in self._data

    def text(self, name: str, *, default: str | None = None, most: int = 140) -> str:
        """Printable text without control characters."""
        value = self._data.get(name, default)
        if not isinstance(value, str) or len(value) > most or not value.isprintable():
            raise malformed(f"{name} must be printable text of at most {most} characters.")
        return value

    def match(self, name: str, pattern: re.Pattern[str], what: str, *, default: str | None = None) -> str:
        value = self._data.get(name, default)
        if not isinstance(value, str) or (value != default and not pattern.fullmatch(value)):
            raise malformed(f"{name} must be {what}.")
        return value

    def choice(self, name: str, options: Iterable[str], *, default: str | None = None) -> str:
        value = self._data.get(name, default)
        options = list(options)
        if not isinstance(value, str) or (value not in options and value != default):
            raise malformed(f"{name} must be one of {', '.join(options)}.")
        return value

    def integer(self, name: str, *, least: int, most: int = MAX_AMOUNT, default: int | None = None) -> int:
        value = self._data.get(name, default)
        if type(value) is not int or not least <= value <= most:
            raise malformed(f"{name} must be an integer from {least} to {most}.")
        return value

    def number(self, name: str, *, least: float, most: float, default: float | None = None) -> float:
        value = self._data.get(name, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise malformed(f"{name} must be a number from {least:g} to {most:g}.")
        if not math.isfinite(value):
            raise malformed(f"{name} must be finite.")
        return float(value)

    def flag(self, name: str, *, default: bool) -> bool:
        value = self._data.get(name, default)
        if not isinstance(value, bool):
            raise malformed(f"{name} must be true or false.")
        return value

    def currency(self, name: str) -> str:
        value = self._data.get(name)
        if not is_currency(value):
            raise malformed(f"{name} must be an ISO 4217 currency code.")
        return str(value)

    def account_number(self, name: str) -> str:
        return self.match(name, NUMBER, "1 to 34 letters, digits or hyphens")

    def routing_number(self, name: str) -> str:
        return self.match(name, ROUTING, "at most 35 letters or digits", default="")
