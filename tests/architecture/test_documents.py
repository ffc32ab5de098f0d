"""Pages that are made from the code are current, and pages that name the code name what is there."""

from __future__ import annotations

import re
from dataclasses import fields
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from bridge.approvals.handlers import kinds
from bridge.kernel import problem
from bridge.management import lifecycle_page
from tests.architecture.sources import APPS, ROOT, python_files
from tests.functional.stories import book
from transfers.parameters import PARAMETERS, kept
from transfers.policy import Policy
from transfers.states import EDGES, InstructionState, State

PAGES = (
    "README.md",
    "CHANGELOG.md",
    "benchmarks/README.md",
    "docs/events/README.md",
    *(f"docs/{p.name}" for p in (ROOT / "docs").glob("*.md")),
    *(f"docs/adr/{p.name}" for p in (ROOT / "docs/adr").glob("*.md")),
)
PATH = re.compile(
    r"`((?:bridge|accounts|funds|transfers|notifications|tests|docs|deploy|benchmarks)/[\w./-]*(?:\.py|\.md|/))`"
)
LINK = re.compile(r"\]\((?!https?:)([^)#]*)(?:#([^)]*))?\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
VARIABLE = re.compile(
    r"""(?:env\.\w+|environ\.get|_number|_service)\(\s*"([A-Z_]+)"|environ\["([A-Z_]+)"\]"""
    r"""|^_VARIABLE = "(BRIDGE_\w+)\"""",
    re.MULTILINE,
)
OTHERS = {"PATH", "DJANGO_SETTINGS_MODULE", "WAKE_BROKER", "WAKE_DIARY"}  # no choice of who runs Bridge
# Errors that no route of the API gives: of the console, of commands, of adapters and of the engine.
NOT_OF_THE_API = {
    "account_number_taken",
    "already_recalled",
    "already_stopped",
    "amount_out_of_range",
    "asked_malformed",
    "bad_scope",
    "bad_stop",
    "balance_not_known",
    "bank_details_wrong",
    "clock_is_real",
    "counsel_says_why",
    "day_not_begun",
    "details_malformed",
    "empty_period",
    "fund_code_taken",
    "limit_too_low",
    "limits_unchanged",
    "line_changed",
    "malformed_id",
    "moment_passed",
    "no_place",
    "not_a_draft",
    "not_a_sandbox",
    "not_stopped",
    "nothing_at_the_fund",
    "nothing_to_cut",
    "outcome_malformed",
    "reason_missing",
    "report_not_applied",
    "resolution_missing",
    "second_person_needed",
    "statement_refused",
    "unknown_approval_kind",
    "unknown_currency",
    "unknown_document",
    "unknown_plan",
    "unknown_rule",
    "unknown_status",
    "waiting_for_earlier",
    "wrong_parameters",
}


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
    for link, anchor in LINK.findall(text):
        target = (ROOT / page).parent / link if link else ROOT / page
        if not target.exists() or (anchor and anchor not in _anchors(target.read_text())):
            missing.append(f"{link}#{anchor}")
    assert missing == []


def _anchors(text: str) -> set[str]:
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(text)}


def test_the_glossary_defines_each_state_and_blocker_word_of_the_design() -> None:
    text = (ROOT / "docs" / "GLOSSARY.md").read_text()
    for word in ("transfer", "leg", "hold", "allocation", "reservation", "verification", "posting", "settled", "return",
                 "break", "outcome unknown", "resend", "retry"):  # fmt: skip
        assert f"**{word}" in text.lower(), word


class TestTheApi:
    PAGE = (ROOT / "docs" / "API.md").read_text()

    def test_every_code_of_an_error_is_listed_and_every_listed_one_exists(self) -> None:
        table = self.PAGE.partition("| status | codes |")[2].partition("\n\n")[0]
        listed = set(re.findall(r"`([a-z_]+)`", table))
        sources = "".join(path.read_text() for path in python_files("bridge", *APPS))
        defined = set(re.findall(r"""\bcode ?= ?"([a-z_]+)\"""", sources)) | {code for _, code, _ in problem._FRAMEWORK}
        raised = set(re.findall(r"""^    code = "([a-z_]+)"$""", sources, re.MULTILINE))  # of errors of ours

        assert sorted(raised - listed) == sorted(NOT_OF_THE_API)
        assert listed - defined == set()

    def test_every_kind_of_approval_is_listed_and_every_listed_one_exists(self) -> None:
        table = self.PAGE.partition("| kind | what is to be done |")[2].partition("\n\n")[0]
        assert sorted(re.findall(r"`([a-z_]+\.[a-z_]+)`", table)) == kinds()


def test_every_variable_that_is_read_is_in_the_configuration() -> None:
    page = (ROOT / "docs" / "CONFIGURATION.md").read_text()
    sources = "".join(path.read_text() for path in python_files("bridge", *APPS, "tests", "benchmarks"))
    read = {name for found in VARIABLE.findall(sources) for name in found if name}
    named = {
        name
        for row in re.findall(r"^\| (`[A-Z_`, ]+`) \|", page, re.MULTILINE)
        for name in row.strip("`").split("`, `")
    }
    assert read - OTHERS - named == set()
    assert named - read == set()


def test_every_command_is_in_the_table_of_commands() -> None:
    table = (ROOT / "docs" / "OPERATIONS.md").read_text().partition("## Commands")[2]
    named = {
        name for row in re.findall(r"^\| (`.*?`) \|", table, re.MULTILINE) for name in row.strip("`").split("`, `")
    }
    own = {path.stem for app in ("bridge", *APPS) for path in (ROOT / app).rglob("management/commands/[a-z]*.py")}
    assert named == own


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
