"""Whoever is narrower decides, and nobody changes what they did not name."""

from __future__ import annotations

import uuid
from dataclasses import fields
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from transfers.policy import Policy, resolved, scopes, standing

INSTITUTIONS, RAILS = ("", "meridian", "harbor"), ("", "ach", "fedwire")
FUNDS = (None, uuid.UUID(int=1), uuid.UUID(int=2))
NAMES = ("acknowledge", "review", "waitlist", "reservation")

scope = st.one_of(
    st.tuples(st.sampled_from(INSTITUTIONS), st.sampled_from(RAILS), st.none()),
    st.tuples(st.just(""), st.just(""), st.sampled_from(FUNDS[1:])),
)
layers = st.dictionaries(
    scope, st.dictionaries(st.sampled_from(NAMES), st.integers(60, 86_400), max_size=4), max_size=8
)
asked = st.tuples(st.sampled_from(INSTITUTIONS), st.sampled_from(RAILS), st.sampled_from(FUNDS))


def expected(rows: dict[Any, Any], institution: str, rail: str, fund: uuid.UUID | None, name: str) -> Any:
    """The definition, read from the narrowest on."""
    who = [("", "", fund)] if fund else []
    who += [(institution, rail, None)] if institution and rail else []
    who += [(institution, "", None)] if institution else []
    who += [("", rail, None), ("", "", None)]
    for key in who:
        if name in rows.get(key, {}):
            return rows[key][name]
    return getattr(standing(rail), name)


@given(rows=layers, who=asked)
def test_the_narrowest_scope_that_says_anything_decides(rows: dict[Any, Any], who: tuple[str, str, Any]) -> None:
    institution, rail, fund = who
    found = resolved(rows, institution=institution, rail=rail, fund_id=fund)
    for name in NAMES:
        assert getattr(found, name) == expected(rows, institution, rail, fund, name)


@given(rows=layers, who=asked)
def test_what_nobody_names_stays_as_it_stands(rows: dict[Any, Any], who: tuple[str, str, Any]) -> None:
    institution, rail, fund = who
    found = resolved(rows, institution=institution, rail=rail, fund_id=fund)
    for item in fields(Policy):
        if item.name not in NAMES:
            assert getattr(found, item.name) == getattr(standing(rail), item.name)


@given(rows=layers, who=asked)
def test_other_scopes_have_no_say(rows: dict[Any, Any], who: tuple[str, str, Any]) -> None:
    institution, rail, fund = who
    mine = set(scopes(institution=institution, rail=rail, fund_id=fund))
    without = {key: values for key, values in rows.items() if key in mine}
    asked_for = {"institution": institution, "rail": rail, "fund_id": fund}
    assert resolved(rows, **asked_for) == resolved(without, **asked_for)
