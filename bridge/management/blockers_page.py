"""The table of blockers in docs/OPERATIONS.md, from the registry. Everything between its two marks is written here."""

from __future__ import annotations

from transfers.blockers import BLOCKERS, DEEDS, Blocker, Deed

BEGIN = "<!-- blockers: written by manage.py blocker_docs -->"
END = "<!-- blockers end -->"
HEAD = "| blocker | what happened | what is safe | who may | what moves it |\n|---|---|---|---|---|"


class MarksMissing(ValueError):
    """The page has no place for the table."""


def table() -> str:
    return "\n".join([HEAD, *(_row(blocker) for blocker in BLOCKERS.values())])


def render(page: str) -> str:
    """The page with the table as it should be. Raises `MarksMissing`."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise MarksMissing(f"It needs the lines {BEGIN} and {END}.")
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


def _row(blocker: Blocker) -> str:
    named = f"`{blocker.code}` {blocker.title}"
    return f"| {named} | {blocker.means} | {blocker.safe} | {_who(blocker.deeds)} | {blocker.moves or 'people'} |"


def _who(deeds: tuple[Deed, ...]) -> str:
    """The deeds with their roles, those of the same roles together."""
    groups: dict[str, list[str]] = {}
    for deed in deeds:
        roles = ", ".join(sorted(DEEDS[deed].roles))
        groups.setdefault(f"two of {roles}" if DEEDS[deed].pair else roles, []).append(DEEDS[deed].label.lower())
    return "; ".join(f"{', '.join(labels)}: {roles}" for roles, labels in groups.items()) or "–"
