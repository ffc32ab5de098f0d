"""Pages that are made from the code are current, and pages that name the code name what is there."""

from __future__ import annotations

import re
from dataclasses import fields
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from bridge.management import lifecycle_page
from tests.architecture.sources import ROOT
from tests.functional.stories import book
from transfers.parameters import PARAMETERS, kept
from transfers.policy import Policy
from transfers.states import EDGES, InstructionState, State

PAGES = ("docs/ARCHITECTURE.md", "docs/GLOSSARY.md", *(f"docs/adr/{p.name}" for p in (ROOT / "docs/adr").glob("*.md")))
PATH = re.compile(
    r"`((?:bridge|accounts|funds|transfers|notifications|tests|docs|deploy|benchmarks)/[\w./-]*(?:\.py|\.md|/))`"
)
LINK = re.compile(r"\]\((?!https?:|#)([^)#]+)")


class TestLifecycle:
    def test_the_page_is_current(self) -> None:
        call_command("lifecycle", "--check", stdout=StringIO(), stderr=StringIO())

    def test_a_page_that_is_not_current_is_refused_with_the_difference(self, tmp_path: Path, settings: object) -> None:
        settings.BASE_DIR = tmp_path  # type: ignore[attr-defined]
        (tmp_path / "docs").mkdir()
        call_command("lifecycle", stdout=StringIO())
        page = tmp_path / "docs" / "LIFECYCLE.md"
        page.write_text(page.read_text().replace("withdrawing --> failed: fail", "withdrawing --> lost: lose"))
        said = StringIO()
        with pytest.raises(CommandError, match="not current"):
            call_command("lifecycle", "--check", stdout=StringIO(), stderr=said)
        assert "-    withdrawing --> lost: lose" in said.getvalue()
        assert "+    withdrawing --> failed: fail" in said.getvalue()

    def test_a_missing_page_is_refused(self, tmp_path: Path, settings: object) -> None:
        settings.BASE_DIR = tmp_path  # type: ignore[attr-defined]
        with pytest.raises(CommandError):
            call_command("lifecycle", "--check", stdout=StringIO(), stderr=StringIO())

    def test_every_state_and_edge_is_on_it(self) -> None:
        page = lifecycle_page.render()
        for source, targets in EDGES.items():
            assert f"| `{source}` |" in page
            assert all(f"    {source} --> {target}: " in page for target in targets)
        assert set(lifecycle_page.NEXT) == set(State)
        assert set(lifecycle_page.INSTRUCTIONS) == set(InstructionState)


class TestBlockers:
    def test_the_table_is_current(self) -> None:
        call_command("blocker_docs", "--check", stdout=StringIO())

    def test_a_table_that_is_not_current_is_refused(self, tmp_path: Path, settings: object) -> None:
        settings.BASE_DIR = tmp_path  # type: ignore[attr-defined]
        (tmp_path / "docs").mkdir()
        page = tmp_path / "docs" / "OPERATIONS.md"
        page.write_text((ROOT / "docs/OPERATIONS.md").read_text().replace("`outcome_unknown`", "`outcome_known`"))
        with pytest.raises(CommandError, match="not current"):
            call_command("blocker_docs", "--check", stdout=StringIO())
        call_command("blocker_docs", stdout=StringIO())
        call_command("blocker_docs", "--check", stdout=StringIO())

    def test_a_page_without_its_marks_is_refused(self, tmp_path: Path, settings: object) -> None:
        settings.BASE_DIR = tmp_path  # type: ignore[attr-defined]
        with pytest.raises(CommandError, match="needs the lines"):
            call_command("blocker_docs", stdout=StringIO())


@pytest.mark.parametrize("page", PAGES)
def test_every_path_and_link_on_a_page_leads_somewhere(page: str) -> None:
    text = (ROOT / page).read_text()
    missing = [name for name in PATH.findall(text) if not (ROOT / name).exists()]
    missing += [link for link in LINK.findall(text) if not ((ROOT / page).parent / link).exists()]
    assert missing == []


def test_the_glossary_defines_each_state_and_blocker_word_of_the_design() -> None:
    text = (ROOT / "docs" / "GLOSSARY.md").read_text()
    for word in ("transfer", "leg", "hold", "allocation", "reservation", "verification", "posting", "settled", "return",
                 "break", "outcome unknown", "resend", "retry"):  # fmt: skip
        assert f"**{word}" in text.lower(), word


class TestStories:
    def test_the_page_is_current(self) -> None:
        assert (ROOT / "docs/STORIES.md").read_text() == book.written(), "run python -m tests.functional.stories.book"

    def test_it_tells_every_story_and_leaves_no_step_without_words(self) -> None:
        stories = [story for _, told in book.chapters() for story in told]
        files = {path.name for path in (ROOT / "tests/functional/stories").glob("test_*.py")}
        assert files == {f"test_{name}.py" for name in book.CHAPTERS} | {"test_journeys.py"}
        assert all(story.intro and story.steps and all(step.prose for step in story.steps) for story in stories)

    def test_t_accounts_that_do_not_come_to_the_balances_are_refused(self) -> None:
        (happy, *_) = next(told for _, told in book.chapters())
        happy.steps[-1].balances = "investor -1,000.00 · fund 999.99"
        with pytest.raises(AssertionError):
            book._page(happy)


class TestParameters:
    def test_the_page_is_current(self) -> None:
        out = StringIO()
        call_command("parameters", "--check", stdout=out, stderr=StringIO())
        assert out.getvalue() == "docs/PARAMETERS.md is current\n"

    def test_every_name_of_the_policy_is_in_the_catalogue_and_its_default_is_possible(self) -> None:
        defaults = Policy()
        assert {item.name for item in fields(Policy)} == set(PARAMETERS)
        for name, parameter in PARAMETERS.items():
            assert parameter.read(kept(getattr(defaults, name))) == getattr(defaults, name)
