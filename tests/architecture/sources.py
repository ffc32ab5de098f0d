"""The source files of the project, read as syntax trees."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("bridge", "accounts", "funds", "transfers", "notifications")
APPS = ("accounts", "funds", "transfers", "notifications")


def python_files(*packages: str) -> list[Path]:
    """Every module of these packages, migrations left out."""
    found = [path for package in packages for path in sorted((ROOT / package).rglob("*.py"))]
    return [path for path in found if "migrations" not in path.parts and "__pycache__" not in path.parts]


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), filename=name_of(path))


def imports_of(path: Path) -> Iterator[str]:
    """Dotted names that a module imports, `from a.b import c` as `a.b.c`."""
    for node in ast.walk(tree_of(path)):
        if isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def names_at_the_top() -> set[str]:
    """What stands at the top of the project, without what git ignores and git itself."""
    ignored = {
        line.strip("/") for line in (ROOT / ".gitignore").read_text().splitlines() if line and not line.startswith("#")
    }
    return {
        entry.name
        for entry in os.scandir(ROOT)
        if entry.name not in ignored | {".git", ".gitignore", ".coverage"} and not entry.name.startswith(".coverage.")
    }
