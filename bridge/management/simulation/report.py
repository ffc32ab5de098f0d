"""What many runs found, for people and for programs."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bridge.management.simulation.runner import Summary

SHOWN = 20


def as_json(summary: Summary, *, seeds: str, jobs: int, seconds: float) -> dict[str, Any]:
    return {
        "seeds": seeds,
        "runs": len(summary.runs),
        "jobs": jobs,
        "seconds": round(seconds, 1),
        "actions": summary.sum("actions"),
        "transfers": summary.sum("transfers"),
        "ended": summary.total("states"),
        "faults_fired": summary.total("faults"),
        "crash_points_hit": summary.total("crashes"),
        "digest": summary.digest,
        "violations": summary.violations,
        "holds": not summary.violations,
    }


def show(summary: Summary, console: Console, *, seconds: float) -> None:
    table = Table("fault", "fired", "crash point", "hit", title="What went wrong on purpose")
    faults, crashes = list(summary.total("faults").items()), list(summary.total("crashes").items())
    for number in range(max(len(faults), len(crashes))):
        left = faults[number] if number < len(faults) else ("", "")
        right = crashes[number] if number < len(crashes) else ("", "")
        table.add_row(left[0], str(left[1]), right[0], str(right[1]))
    console.print(table)
    ended = ", ".join(f"{state} {number}" for state, number in summary.total("states").items())
    console.print(Text(f"{summary.sum('transfers')} transfers: {ended}"), soft_wrap=True)
    for item in summary.violations[:SHOWN]:
        console.print(Text(f"seed {item['seed']}: {item['check']}: {item['what']}", style="red"), soft_wrap=True)
        console.print(Text(f"  replay it: manage.py simulate --trace {item['seed']}"))
    if len(summary.violations) > SHOWN:
        console.print(Text(f"… and {len(summary.violations) - SHOWN} more"))
    per_seed = seconds / max(len(summary.runs), 1)
    words = f"{len(summary.runs)} runs, {len(summary.violations)} violations, digest {summary.digest}, "
    words += f"{seconds:.0f} s ({per_seed:.2f} s a seed)"
    console.print(Text(words, style="bold red" if summary.violations else "bold green"))
