"""Known mistakes, each as one change of the tree: what the simulation must catch, or it is worth nothing.

Every bug names the files it changes, the exact text that it replaces (it must stand there once) and why it is a
classic. `python -m tests.simulation.planted` applies them one at a time to a copy of the tree and plays seeds until
one is caught.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MOST_SEEDS = 500


@dataclass(frozen=True, slots=True)
class Edit:
    path: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Bug:
    name: str
    why: str
    edits: tuple[Edit, ...]


class DoesNotFit(Exception):
    """The text that a bug replaces is not in the file exactly once: the code moved on, and the bug must follow."""


def plant(bug: Bug, tree: Path) -> None:
    """Change the tree. Raises `DoesNotFit`."""
    for edit in bug.edits:
        path = tree / edit.path
        text = path.read_text()
        if text.count(edit.old) != 1:
            raise DoesNotFit(f"{bug.name}: {edit.path} has the replaced text {text.count(edit.old)} times, not once.")
        path.write_text(text.replace(edit.old, edit.new))
