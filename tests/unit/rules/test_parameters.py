"""Which values are in force when, and what a draft would have changed."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import pytest

from funds.rules import Facts, Outcome, Override, verify
from funds.rules.catalogue import BY_ID, RULES
from funds.rules.compliance import RegimeFacts, VelocityFacts
from funds.rules.parameters import ParameterRow, Span, in_force, timeline
from funds.rules.registry import TRANSFER
from funds.rules.replay import replay
from funds.rules.wording import value_words
from tests.unit.rules.worlds import DAY, NOW, SECOND, world


def row(version: int, begins: datetime, ends: datetime | None = None, fund: str | None = None) -> ParameterRow:
    return ParameterRow("kyc", version, {"max_age_days": version}, begins, ends, fund)


ALL = row(1, NOW)
NEWER = row(2, NOW + 10 * DAY)
OWN = row(3, NOW + 5 * DAY, NOW + 20 * DAY, fund="alpha")
ROWS = [NEWER, OWN, ALL]


@pytest.mark.parametrize(
    ("at", "alpha", "beta"),
    [
        (NOW - SECOND, None, None),
        (NOW, 1, 1),
        (NOW + 5 * DAY - SECOND, 1, 1),
        (NOW + 5 * DAY, 3, 1),
        (NOW + 10 * DAY, 3, 2),
        (NOW + 20 * DAY - SECOND, 3, 2),
        (NOW + 20 * DAY, 2, 2),
    ],
)
def test_a_funds_own_row_goes_first_and_then_the_one_that_began_last(
    at: datetime, alpha: int | None, beta: int | None
) -> None:
    for rows in (ROWS, ROWS[::-1]):
        assert in_force(rows=rows, fund="alpha", at=at).get("kyc", {}).get("version") == alpha
        assert in_force(rows=rows, fund="beta", at=at).get("kyc", {}).get("version") == beta


def test_rows_that_begin_together_are_decided_by_version() -> None:
    assert in_force(rows=[row(5, NOW), row(4, NOW)], fund="x", at=NOW)["kyc"] == {"max_age_days": 5, "version": 5}


def test_the_timeline_tells_the_same_as_each_moment() -> None:
    others = [ParameterRow("sanctions", 9, {}, NOW + DAY), row(8, NOW + DAY, fund="beta")]
    spans = timeline(rows=[*ROWS, *others], rule="kyc", fund="alpha")
    assert spans == [
        Span(NOW, NOW + 5 * DAY, ALL),
        Span(NOW + 5 * DAY, NOW + 20 * DAY, OWN),
        Span(NOW + 20 * DAY, None, NEWER),
    ]


def test_a_gap_in_the_timeline_means_the_defaults() -> None:
    spans = timeline(rows=[row(1, NOW, NOW + DAY), row(2, NOW + 2 * DAY)], rule="kyc", fund="x")
    assert [(span.begins, span.row and span.row.version) for span in spans] == [
        (NOW, 1),
        (NOW + DAY, None),
        (NOW + 2 * DAY, 2),
    ]


def test_the_venture_threshold_follows_its_date() -> None:
    rows = [
        ParameterRow("legal_regime", 1, {"venture_threshold": 10_000_000_00}, NOW - 1000 * DAY),
        ParameterRow("legal_regime", 2, {"venture_threshold": 12_000_000_00}, NOW),
    ]
    regime = RegimeFacts("3c1_venture", owners=150)
    facts = world(request__amount=1_000_000_00, fund__confirmed=11_000_000_00, fund__reserved=0, regime=regime)
    outcomes = [
        verify(facts=facts, parameters=in_force(rows=rows, fund="x", at=at), only={"legal_regime"}).outcome
        for at in (NOW - SECOND, NOW)
    ]
    assert outcomes == [Outcome.FAIL, Outcome.PASS]


def kept(facts: Facts, **arguments: Any) -> dict[str, Any]:
    verdict = verify(facts=facts, **arguments)
    row: dict[str, Any] = json.loads(json.dumps({"facts": facts.as_json(), "decisions": verdict.as_json()}))
    return row


class TestReplay:
    def test_says_what_a_draft_would_have_changed(self) -> None:
        row = kept(world(balance__observed_at=NOW - 600 * SECOND))
        same = replay(**row, rule="source_balance", values={})
        stricter = replay(**row, rule="source_balance", values={"max_age_seconds_at_create": 599})
        assert (same.changed, same.verdict_before, same.verdict_after) == (False, "pass", "pass")
        assert (stricter.changed, stricter.before, stricter.after) == (True, "pass", "hold")
        assert (stricter.verdict_before, stricter.verdict_after) == ("pass", "hold")
        assert stricter.reason == "The balance is older than 599 seconds."

    def test_leaves_the_other_decisions_as_they_were(self) -> None:
        row = kept(world(request__amount=1, balance__observed_at=NOW - 901 * SECOND))
        laxer = replay(**row, rule="source_balance", values={"max_age_seconds_at_create": 1000})
        assert (laxer.before, laxer.after) == ("hold", "pass")
        assert (laxer.verdict_before, laxer.verdict_after) == ("fail", "fail")

    def test_an_overridden_decision_did_not_count(self) -> None:
        overrides = {"minimum": Override("ovr_1", Outcome.FAIL)}
        row = kept(world(request__amount=1), overrides=overrides)
        played = replay(**row, rule="minimum", values={})
        assert (played.before, played.verdict_before, played.verdict_after) == ("fail", "pass", "fail")

    def test_a_rule_that_did_not_run_then_or_does_not_now(self) -> None:
        played = replay(**kept(world()), rule="kyc", values={})
        assert (played.before, played.after, played.changed, played.verdict_after) == (None, None, False, "pass")
        assert not played.played
        assert "not recorded" in played.reason

    def test_facts_that_were_on_file_are_played(self) -> None:
        row = kept(world(velocity=VelocityFacts(count_day=1)))
        played = replay(**row, rule="velocity", values={"max_count_day": 1})
        assert (played.played, played.before, played.after) == (True, "pass", "hold")

    def test_a_transfer_above_the_limit_by_itself_needs_no_facts_of_others(self) -> None:
        row = kept(world(request__amount=60_000_00))
        above = replay(**row, rule="velocity", values={"max_sum_day": 50_000_00})
        below = replay(**row, rule="velocity", values={"max_sum_day": 60_000_00, "max_count_day": 1, "required": True})
        assert (above.played, above.before, above.after) == (True, None, "hold")
        assert "USD 60,000.00" in above.reason
        assert "not recorded" in above.reason
        assert (below.played, below.changed, below.verdict_after) == (False, False, "pass")

    def test_missing_facts_that_the_draft_requires_hold(self) -> None:
        played = replay(**kept(world()), rule="kyc", values={"required": True})
        assert (played.played, played.before, played.after) == (True, None, "hold")

    @pytest.mark.parametrize("rule", [known.id for known in RULES if known.needs])
    def test_no_rule_takes_facts_that_were_not_recorded_for_no_change(self, rule: str) -> None:
        stage = BY_ID[rule].stages[0]
        assert not replay(**kept(world(request__stage=stage)), rule=rule, values={}).played


@pytest.mark.parametrize(
    ("rule", "name", "values", "words"),
    [
        ("rail_limit", "limit_same_day_ach", {}, "USD 1,000,000.00"),
        ("rail_limit", "limit_ach", {}, "no limit"),
        ("rail_limit", "limit_ach", {"limit_ach": 5}, "USD 0.05"),
        ("rail_limit", "required", {}, "no"),
        ("rail_limit", "limit_pigeon", {"limit_pigeon": 1000}, "1,000"),
        ("velocity", "max_sum_day", {"max_sum_day": 5_000_000}, "5,000,000 minor units of the transfer's currency"),
        ("velocity", "max_count_day", {"max_count_day": 1000}, "1,000"),
        ("legal_regime", "venture_threshold", {}, "USD 12,000,000.00"),
        ("legal_regime", "venture_threshold", {"venture_threshold_currency": "JPY"}, "JPY 1,200,000,000"),
        (
            "legal_regime",
            "venture_threshold",
            {"venture_threshold_currency": "odd"},
            "1,200,000,000 minor units of odd",
        ),
        ("rail_cut_off", "cut_off_ach", {}, "17:00"),
        ("gone", "limit", {"limit": 1000}, "1,000"),
    ],
)
def test_values_are_told_in_words(rule: str, name: str, values: dict[str, Any], words: str) -> None:
    assert value_words(BY_ID.get(rule), name, values) == words


def test_what_is_an_amount_is_known_to_be_one() -> None:
    amounts = {
        (known.id, name): parameter.currency
        for known in RULES
        for name, parameter in known.parameters.items()
        if parameter.currency
    }
    rails = {("rail_limit", name): "USD" for name in BY_ID["rail_limit"].parameters if name.startswith("limit_")}
    sums = {("velocity", f"max_sum_{window}"): TRANSFER for window in ("day", "week", "month")}
    threshold = {("legal_regime", "venture_threshold"): "venture_threshold_currency"}
    assert amounts == rails | sums | threshold


def test_without_rows_there_is_no_timeline() -> None:
    assert timeline(rows=[], rule="kyc", fund="alpha") == []
