"""The engine: the worst outcome wins, an error never passes, and the same facts give the same answer."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from funds.rules import Facts, Outcome, Override, rules_of, verify, worst
from funds.rules.catalogue import ORDER, RULES
from funds.rules.facts import PARTS
from funds.rules.registry import REGISTRY, Finding, Rule, Values, refusals, rule
from tests.unit.rules.worlds import FACTS, NOW, world


def probe(id: str, answer: Any, **fields: Any) -> Rule:
    def function(facts: Facts, values: Values) -> Finding:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Rule(id, 1, ("create",), "?", function, {}, **fields)


def saying(outcome: Outcome) -> Rule:
    return probe(f"says_{outcome}", (outcome, f"because {outcome}", {}))


class TestOutcome:
    def test_worsens_from_pass_over_hold_and_waitlist_to_fail(self) -> None:
        assert Outcome.PASS < Outcome.HOLD < Outcome.WAITLIST < Outcome.FAIL
        assert sorted([Outcome.FAIL, Outcome.PASS, Outcome.WAITLIST, Outcome.HOLD]) == list(Outcome)

    @pytest.mark.parametrize(("one", "other"), list(itertools.product(Outcome, Outcome)))
    def test_comparisons_agree_with_the_ranks(self, one: Outcome, other: Outcome) -> None:
        assert (one < other, one <= other, one > other, one >= other) == (
            one.rank < other.rank,
            one.rank <= other.rank,
            one.rank > other.rank,
            one.rank >= other.rank,
        )
        assert worst([one, other]) == worst([other, one]) == (one if one.rank > other.rank else other)

    def test_does_not_compare_with_another_word(self) -> None:
        with pytest.raises(TypeError):
            assert Outcome.PASS < "maybe"

    def test_the_worst_of_none_is_pass(self) -> None:
        assert worst([]) is Outcome.PASS


class TestVerify:
    def test_the_ordinary_transfer_passes_every_rule_of_every_stage(self) -> None:
        for stage in ("create", "withdrawal", "deposit"):
            verdict = verify(facts=world(request__stage=stage))
            assert verdict.outcome is Outcome.PASS
            assert verdict.reasons() == []
            assert {*(decision.rule for decision in verdict.decisions), *verdict.not_run} == {
                rule.id for rule in RULES if stage in rule.stages
            }

    def test_all_rules_run_in_the_order_of_the_catalogue_even_after_a_failure(self) -> None:
        verdict = verify(facts=world(fund__status="closed", request__amount=1, balance__available=0))
        ids = [decision.rule for decision in verdict.decisions]
        assert ids == [id for id in ORDER if id in ids]
        assert ids[:10] == [
            "fund_open",
            "account_open",
            "currency",
            "minimum",
            "maximum",
            "second_person",
            "seats",
            "hard_cap",
            "source_balance",
            "duplicate",
        ]
        assert [decision.rule for decision in verdict.against] == ["fund_open", "minimum", "source_balance"]

    @pytest.mark.parametrize("outcomes", list(itertools.product(Outcome, repeat=3)))
    def test_the_worst_outcome_wins_in_any_order(self, outcomes: tuple[Outcome, ...]) -> None:
        verdict = verify(facts=FACTS, rules=[saying(outcome) for outcome in outcomes])
        assert verdict.outcome is max(outcomes, key=lambda outcome: outcome.rank)

    def test_reasons_come_worst_first(self) -> None:
        verdict = verify(facts=FACTS, rules=[saying(outcome) for outcome in Outcome])
        assert verdict.reasons() == [
            {"rule": "says_fail", "reason": "because fail"},
            {"rule": "says_waitlist", "reason": "because waitlist"},
            {"rule": "says_hold", "reason": "because hold"},
        ]

    def test_the_same_facts_give_the_same_answer(self) -> None:
        facts = world(request__amount=1, duplicate__count=2, duplicate__latest="trf_1")
        answers = {json.dumps(verify(facts=facts).as_json()) for _ in range(50)}
        assert len(answers) == 1

    def test_nothing_is_changed_by_a_run(self) -> None:
        parameters = {"source_balance": {"version": 4, "max_age_seconds_at_create": 5}}
        before = json.dumps([FACTS.as_json(), parameters])
        verify(facts=FACTS, parameters=parameters)
        assert json.dumps([FACTS.as_json(), parameters]) == before

    def test_only_narrows_the_run(self) -> None:
        verdict = verify(facts=world(fund__status="closed", request__amount=1), only={"minimum"})
        assert [decision.rule for decision in verdict.decisions] == ["minimum"]

    def test_an_unknown_stage_is_refused(self) -> None:
        with pytest.raises(KeyError):
            verify(facts=world(request__stage="refund"))


class TestARuleThatErrs:
    @pytest.mark.parametrize(
        "answer",
        [
            ZeroDivisionError("x"),
            KeyError("x"),
            None,
            True,
            ("pass", "a word is no outcome", {}),
            (Outcome.PASS, "too short"),
        ],
    )
    def test_holds_and_names_itself(self, answer: Any) -> None:
        verdict = verify(facts=FACTS, rules=[saying(Outcome.PASS), probe("broken", answer)])
        assert verdict.outcome is Outcome.HOLD
        assert verdict.reasons() == [
            {"rule": "broken", "reason": "The rule “broken” could not be evaluated; a person must look."}
        ]

    def test_does_not_soften_a_failure(self) -> None:
        verdict = verify(facts=FACTS, rules=[probe("broken", ValueError()), saying(Outcome.FAIL)])
        assert verdict.outcome is Outcome.FAIL

    @pytest.mark.parametrize(
        ("rule", "changes"),
        [
            ("fund_open", {"fund__opens_at": NOW.replace(tzinfo=None)}),
            ("fund_open", {"fund__opens_at": None}),
            ("minimum", {"fund__minimum": None}),
            ("minimum", {"fund__currency": "XXZ", "request__amount": 1}),
            ("maximum", {"place__already": None}),
            ("seats", {"fund__seats_taken": None}),
            ("hard_cap", {"fund__reserved": None}),
            ("source_balance", {"balance__observed_at": "yesterday"}),
        ],
    )
    def test_real_rules_over_facts_that_make_no_sense(self, rule: str, changes: dict[str, Any]) -> None:
        verdict = verify(facts=world(**changes), only={rule})
        assert verdict.outcome is Outcome.HOLD
        assert f"“{rule}” could not be evaluated" in verdict.decisions[0].reason


class TestParameters:
    def test_their_version_is_kept_with_the_decision(self) -> None:
        verdict = verify(facts=FACTS, parameters={"source_balance": {"version": 7, "max_age_seconds_at_create": 9}})
        (decision,) = (decision for decision in verdict.decisions if decision.rule == "source_balance")
        assert decision.outcome is Outcome.HOLD
        assert decision.as_json()["parameters"] == 7

    def test_defaults_carry_no_version(self) -> None:
        assert all("parameters" not in kept for kept in verify(facts=FACTS).as_json())

    @pytest.mark.parametrize(
        "values", [{"max_age": 5}, {"version": 1, "max_age": 5}, {"max_age_seconds_at_create": None}]
    )
    def test_a_misspelt_or_senseless_limit_holds(self, values: dict[str, Any]) -> None:
        verdict = verify(facts=FACTS, parameters={"source_balance": values})
        assert verdict.outcome is Outcome.HOLD
        assert [decision.rule for decision in verdict.against] == ["source_balance"]

    def test_what_somebody_enters_is_checked_before_it_is_kept(self) -> None:
        assert refusals(rule="source_balance", values={"version": 1, "max_age_seconds_at_create": 60}) == {}
        assert refusals(rule="source_balance", values={"max_age_seconds_at_create": -1, "nonsense": 1}).keys() == {
            "max_age_seconds_at_create",
            "nonsense",
        }
        for wrong in ("60", 1.5, True, None):
            assert refusals(rule="source_balance", values={"max_age_seconds_at_create": wrong})
        assert refusals(rule="velocity", values={"max_count_day": None, "required": True}) == {}
        assert refusals(rule="rail_cut_off", values={"cut_off_ach": "16:30", "cut_off_rtp": None}) == {}
        for wrong in ("half past four", 1630, None):
            assert refusals(rule="rail_cut_off", values={"cut_off_ach": wrong})


class TestOverrides:
    def override(self, id: str, lifts: Outcome = Outcome.FAIL) -> dict[str, Override]:
        return {id: Override("ovr_1", lifts)}

    def test_a_lifted_decision_keeps_its_outcome_and_names_the_override(self) -> None:
        facts = world(duplicate__count=1, duplicate__latest="trf_1")
        verdict = verify(facts=facts, overrides=self.override("duplicate", Outcome.HOLD))
        (decision,) = (decision for decision in verdict.decisions if decision.rule == "duplicate")
        assert verdict.outcome is Outcome.PASS
        assert verdict.reasons() == []
        assert (decision.outcome, decision.as_json()["override"]) == (Outcome.HOLD, "ovr_1")

    def test_lifts_no_more_than_it_says(self) -> None:
        facts = world(request__amount=1)
        assert verify(facts=facts, overrides=self.override("minimum", Outcome.HOLD)).outcome is Outcome.FAIL
        assert verify(facts=facts, overrides=self.override("minimum", Outcome.FAIL)).outcome is Outcome.PASS

    def test_lifts_no_more_than_the_rule_allows(self) -> None:
        for outcome, allowed in itertools.product(Outcome, Outcome):
            rules = [probe("x", (outcome, "because", {}), overridable=allowed)]
            lifted = verify(facts=FACTS, rules=rules, overrides=self.override("x")).outcome is Outcome.PASS
            assert lifted == (outcome <= allowed or outcome is Outcome.PASS)

    @pytest.mark.parametrize(
        ("rule", "changes"),
        [
            ("source_balance", {"balance__available": 0}),
            ("source_balance", {"balance__available": None}),
            ("seats", {"fund__seats_taken": 100}),
            ("hard_cap", {"fund__hard_cap": 1}),
            ("currency", {"fund__currency": "EUR"}),
            ("account_open", {"account__status": "closed"}),
        ],
    )
    def test_nobody_overrides_what_would_break_the_books(self, rule: str, changes: dict[str, Any]) -> None:
        facts = world(**changes)
        assert verify(facts=facts, only={rule}, overrides=self.override(rule)) == verify(facts=facts, only={rule})

    def test_lifts_no_other_rule(self) -> None:
        facts = world(request__amount=1, duplicate__count=1)
        assert verify(facts=facts, overrides=self.override("duplicate")).outcome is Outcome.FAIL


class TestWhatIsKept:
    def test_facts_and_decisions_are_json(self) -> None:
        verdict = verify(facts=FACTS)
        kept = json.loads(json.dumps({"facts": FACTS.as_json(), "decisions": verdict.as_json()}))
        assert kept["facts"]["fund"]["closes_at"] == "2026-04-09T15:00:00+00:00"
        assert kept["decisions"][0] == {
            "rule": "fund_open",
            "version": 2,
            "outcome": "pass",
            "reason": "The fund is open.",
            "inputs": {
                "status": "open",
                "opens_at": "2026-02-08T15:00:00+00:00",
                "closes_at": "2026-04-09T15:00:00+00:00",
            },
        }

    def test_parts_that_are_not_tracked_are_left_out(self) -> None:
        assert list(FACTS.as_json()) == ["request", "fund", "place", "account", "balance", "duplicate"]

    @pytest.mark.parametrize("changes", [{}, {"fund__closes_at": None, "balance__observed_at": None}])
    def test_the_facts_of_a_row_come_back_the_same(self, changes: dict[str, Any]) -> None:
        facts = world(**changes)
        assert Facts.from_json(json.loads(json.dumps(facts.as_json()))) == facts

    def test_facts_cannot_be_changed(self) -> None:
        with pytest.raises(AttributeError):
            FACTS.request.amount = 1  # type: ignore[misc]

    def test_every_optional_part_can_be_read_back(self) -> None:
        assert set(PARTS) == set(Facts.__slots__)


class TestTheCatalogue:
    def test_lists_every_rule_once(self) -> None:
        assert len(ORDER) == len(set(ORDER))
        assert set(ORDER) == set(REGISTRY)

    def test_every_module_of_rules_is_imported(self) -> None:
        folder = Path(sys.modules["funds.rules"].__file__ or "").parent
        rules = {path.stem for path in folder.glob("*.py") if "\n@rule(" in path.read_text()}
        assert rules == {rule.function.__module__.rpartition(".")[2] for rule in RULES}

    def test_an_id_cannot_be_used_twice(self) -> None:
        with pytest.raises(ValueError, match="two rules"):
            rule(id="minimum", version=2, stages=("create",), asks="?")

    def test_a_rule_needs_a_known_stage(self) -> None:
        with pytest.raises(ValueError, match="stages"):
            rule(id="new", version=1, stages=("refund",), asks="?")  # type: ignore[arg-type]

    def test_every_rule_is_explained_in_the_documentation(self) -> None:
        page = (Path(__file__).parents[3] / "docs" / "RULES.md").read_text()
        for known in RULES:
            row = next((line for line in page.splitlines() if line.startswith(f"| `{known.id}` ")), "")
            assert row, f"{known.id} has no row in docs/RULES.md"
            assert all(stage in row for stage in known.stages), known.id
            assert all(f"`{name}`" in page for name in known.parameters), known.id

    def test_rules_of_a_stage_follow_the_order(self) -> None:
        for stage in ("create", "withdrawal", "deposit"):
            ids = [known.id for known in rules_of(stage=stage)]
            assert ids == sorted(ids, key=ORDER.index)


def test_importing_the_rules_imports_no_django() -> None:
    code = (
        "import pkgutil, sys, importlib, funds.rules as package\n"
        "[importlib.import_module(f'funds.rules.{m.name}') for m in pkgutil.iter_modules(package.__path__)]\n"
        "outside = {'django', 'rest_framework', 'celery', 'psycopg', 'redis', 'httpx', 'accounts', 'transfers'}\n"
        "print(sorted(outside & {name.partition('.')[0] for name in sys.modules}))\n"
    )
    root = Path(__file__).parents[3]
    found = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
