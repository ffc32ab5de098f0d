"""Answers are the bytes that DRF's own renderer gives, whatever is in them."""

from __future__ import annotations

import uuid
from collections import OrderedDict, namedtuple
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.utils.functional import lazystr
from django.utils.safestring import mark_safe
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.renderers import JSONRenderer

from bridge.kernel.api.rendering import QuickJSONRenderer
from transfers.states import State

Pair = namedtuple("Pair", "one two")
_LEAVES = st.none() | st.booleans() | st.integers() | st.text()
_JSON = st.recursive(_LEAVES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)
_NUMBER = uuid.UUID(int=7)


def both(data: Any, accepted: str = "application/json") -> tuple[Any, Any]:
    return tuple(renderer().render(data, accepted, {}) for renderer in (QuickJSONRenderer, JSONRenderer))  # type: ignore[return-value]


@given(_JSON)
def test_any_json(data: Any) -> None:
    ours, theirs = both(data)
    assert ours == theirs


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"a": datetime(2026, 3, 2, 12, 0, 0, 123456, tzinfo=UTC), "b": datetime(2026, 3, 2, tzinfo=UTC)},
        [date(2026, 3, 2), timedelta(hours=1), Decimal("1.10"), _NUMBER, b"bytes"],
        {"state": State.APPROVED, "text": mark_safe("<b>"), "later": lazystr("soon")},
        OrderedDict(b=1, a=2),
        (1, Pair(2, 3)),
        {1: "no text for a key", None: 2},
        10**30,
        "between \u2028 and \u2029",
        [{"of": {"a"}}],
    ],
)
def test_what_is_no_plain_json_keeps_its_shape(data: Any) -> None:
    ours, theirs = both(data)
    assert ours == theirs


def test_who_asks_for_indents_gets_them() -> None:
    ours, theirs = both({"a": [1]}, "application/json; indent=2")
    assert ours == theirs
    assert b"\n" in ours
