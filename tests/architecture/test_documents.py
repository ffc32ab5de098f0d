"""Pages that are made from the code are current, and pages that name the code name what is there."""

from __future__ import annotations

import re
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from bridge.management import lifecycle_page
from tests.architecture.sources import ROOT
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
