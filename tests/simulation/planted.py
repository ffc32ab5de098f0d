"""Plant each known mistake in a copy of the tree and play seeds until the simulation catches it.

python -m tests.simulation.planted [NAME …] [--json]
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from bridge.embedded.paths import CHECKOUT
from bridge.management.simulation.runner import Found, play_all, players
from bridge.management.simulation.server import Scratch, scratch_server
from tests.simulation.bugs import MOST_SEEDS, Bug, plant
from tests.simulation.bugs.banks import BANKS
from tests.simulation.bugs.money import MONEY
from tests.simulation.bugs.people import PEOPLE

BUGS: tuple[Bug, ...] = (*BANKS, *MONEY, *PEOPLE)
TREE = ("bridge", "accounts", "funds", "transfers", "notifications", "manage.py")


@dataclass(frozen=True, slots=True)
class Catch:
    """What became of one bug. `seed` 0: nothing caught it."""

    bug: str
    seed: int
    check: str
    what: str
    seeds_played: int
    seconds: float


@contextmanager
def tree_with(bug: Bug | None) -> Iterator[Path]:
    """A copy of what is shipped, with this mistake in it. Raises `DoesNotFit`."""
    with tempfile.TemporaryDirectory(prefix="bridge-planted-") as folder:
        tree = Path(folder)
        for name in TREE:
            source = CHECKOUT / name
            (shutil.copytree if source.is_dir() else shutil.copy2)(source, tree / name)
        if bug is not None:
            plant(bug, tree)
        yield tree


def hunt(bug: Bug, scratch: Scratch, *, jobs: int, most: int = MOST_SEEDS) -> Catch:
    """Play seeds from 1 until one breaks a promise, at most `most`."""
    began, played, caught = time.monotonic(), 0, []

    def heard(found: Found) -> None:
        nonlocal played
        played += 1
        if found["violations"]:
            caught.append(found)

    with tree_with(bug) as tree, players(scratch, jobs, tree=tree) as made:
        play_all(made, range(1, most + 1), heard=heard, enough=lambda: bool(caught))
    seconds = round(time.monotonic() - began, 1)
    if not caught:
        return Catch(bug.name, 0, "", "", played, seconds)
    first = min(caught, key=lambda found: found["seed"])
    seen = first["violations"][0]
    return Catch(bug.name, first["seed"], seen["check"], seen["what"], played, seconds)


def hunt_all(bugs: tuple[Bug, ...], *, jobs: int, most: int, heard: Callable[[Catch], None]) -> list[Catch]:
    catches = []
    with scratch_server() as scratch:
        for bug in bugs:
            catches.append(hunt(bug, scratch, jobs=jobs, most=most))
            heard(catches[-1])
    return catches


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these bugs")
    parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 8))
    parser.add_argument("--most", type=int, default=MOST_SEEDS, metavar="N", help="seeds for each at most")
    parser.add_argument("--enough", type=int, metavar="N", help="succeed when so many are caught; without it, all")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    unknown = set(options.names) - {bug.name for bug in BUGS}
    if unknown:
        parser.error(f"There is no bug {', '.join(sorted(unknown))}. There are: {', '.join(bug.name for bug in BUGS)}.")
    bugs = tuple(bug for bug in BUGS if not options.names or bug.name in options.names)
    console = Console(stderr=True, quiet=options.json, width=None if sys.stderr.isatty() else 160)

    def heard(catch: Catch) -> None:
        verdict = f"caught by seed {catch.seed}: {catch.check}" if catch.seed else "NOT CAUGHT"
        console.print(f"{catch.bug:42} {verdict} ({catch.seconds:.0f} s)", highlight=False)

    catches = hunt_all(bugs, jobs=options.jobs, most=options.most, heard=heard)
    missed = [catch.bug for catch in catches if not catch.seed]
    failed = len(catches) - len(missed) < (options.enough or len(bugs))
    if options.json:
        print(json.dumps({"bugs": len(catches), "missed": missed, "catches": [asdict(catch) for catch in catches]}))
        return failed
    table = Table(
        "planted bug", "seed", "seconds", "caught by", title=f"{len(catches) - len(missed)} of {len(catches)}"
    )
    for catch in catches:
        table.add_row(catch.bug, str(catch.seed or "–"), f"{catch.seconds:.0f}", catch.check or "nothing")
    Console(width=None if sys.stdout.isatty() else 160).print(table)
    return failed


if __name__ == "__main__":
    sys.exit(main())
