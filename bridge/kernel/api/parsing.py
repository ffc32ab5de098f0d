"""A JSON parser without leniency: what two readers could understand differently is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import IO, Any, NoReturn

from django.conf import settings
from rest_framework.exceptions import ParseError
from rest_framework.parsers import BaseParser

from bridge.kernel.problem import TooLarge

MAX_DEPTH = 16
MAX_BODY = 64 * 1024


class StrictJSONParser(BaseParser):
    """UTF-8 JSON (RFC 8259) of at most `BRIDGE_MAX_BODY_BYTES` and `MAX_DEPTH` levels.

    Refuses NaN, Infinity and numbers that overflow, a name twice in one object, NUL characters and lone surrogates
    (PostgreSQL stores neither), all with 400; too many bytes with 413.
    """

    media_type = "application/json"

    def most(self) -> int:
        """How many bytes a body may have."""
        return getattr(settings, "BRIDGE_MAX_BODY_BYTES", MAX_BODY)

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        return loads(read_capped(stream, most=self.most()))


def read_capped(stream: IO[bytes], *, most: int) -> bytes:
    """The whole body. Raises `TooLarge` without reading further than needed."""
    body = stream.read(most + 1)
    if len(body) > most:
        raise TooLarge(most=most)
    return body


def loads(body: bytes) -> Any:
    """Raises `ParseError` in plain words."""
    try:
        value = json.loads(
            body.decode("utf-8"),
            parse_constant=_no_constant,
            parse_float=_finite,
            object_pairs_hook=_unique,
        )
    except UnicodeDecodeError as error:
        raise ParseError("The body is not UTF-8.") from error
    except RecursionError as error:
        raise ParseError(f"The body is nested deeper than {MAX_DEPTH} levels.") from error
    except json.JSONDecodeError as error:
        raise _invalid(str(error)) from error
    except ValueError as error:  # what Python does not read of so many digits
        raise _invalid("a number has too many digits") from error
    _check_depth(value)
    if b"\\u" in body:  # there is no other way to write what PostgreSQL does not store
        _check_texts(value)
    return value


def _invalid(why: str) -> ParseError:
    return ParseError(f"The body is no valid JSON: {why[:200]}.")


def _no_constant(name: str) -> NoReturn:
    raise _invalid(f"{name} is no JSON number")


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _invalid("a number is too large")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _invalid("a name occurs twice in one object")
    return found


def _check_depth(value: Any) -> None:
    """Level by level, without recursion; what is in the deepest allowed level has nothing in it."""
    level = [value]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for item in level:
            if item.__class__ is dict:
                below += item.values()
            elif item.__class__ is list:
                below += item
        if not below:
            return
        level = below
    raise ParseError(f"The body is nested deeper than {MAX_DEPTH} levels.")


def _check_texts(value: Any) -> None:
    level = [value]
    while level:
        below: list[Any] = []
        for item in level:
            if isinstance(item, str):
                _check_text(item)
            elif isinstance(item, dict):
                below += item.keys()
                below += item.values()
            elif isinstance(item, list):
                below += item
        level = below


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise ParseError("Text must not contain the NUL character.")
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ParseError("Text contains half of a surrogate pair.") from error
