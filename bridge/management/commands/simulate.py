from __future__ import annotations

import json
import os
import time
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from bridge.embedded.paths import EmbeddedError
from bridge.management.output import console_for
from bridge.management.simulation import report
from bridge.management.simulation.runner import Found, Summary, play_all, players
from bridge.management.simulation.server import scratch_server

MOST = 1_000_000


class Command(BaseCommand):
    help = "Play seeded runs: the real services against a bank that lies, crashes and all; then check every promise."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--seeds", default="1-100", metavar="A-B", help="from A to B, or one (1-100)")
        parser.add_argument("--jobs", type=int, default=min(os.cpu_count() or 1, 8), metavar="N", help="processes")
        parser.add_argument("--trace", type=int, metavar="SEED", help="tell one run as a story")
        parser.add_argument("--json", action="store_true", help="report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        first, last = _range(options["seeds"])
        if not 1 <= options["jobs"] <= 64:
            raise CommandError("--jobs is 1 to 64.")
        try:
            if options["trace"] is not None:
                self._trace(options["trace"])
            else:
                self._simulate(first, last, jobs=min(options["jobs"], last - first + 1), as_json=options["json"])
        except EmbeddedError as error:
            raise CommandError(str(error)) from error

    def _simulate(self, first: int, last: int, *, jobs: int, as_json: bool) -> None:
        began, summary = time.monotonic(), Summary()
        console = Console(stderr=True, quiet=as_json)
        words = TextColumn("{task.description}")
        columns = (words, BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
        with (
            scratch_server() as scratch,
            players(scratch, jobs) as made,
            Progress(*columns, console=console, disable=not console.is_terminal) as bar,
        ):
            task = bar.add_task("Seeds", total=last - first + 1)

            def heard(found: Found) -> None:
                summary.take(found)
                bar.advance(task)
                if found["violations"]:
                    bar.update(task, description=f"Seeds ({len(summary.violations)} violations)")

            play_all(made, range(first, last + 1), heard=heard)
        seconds = time.monotonic() - began
        if as_json:
            self.stdout.write(json.dumps(report.as_json(summary, seeds=f"{first}-{last}", jobs=jobs, seconds=seconds)))
        else:
            report.show(summary, console_for(self.stdout), seconds=seconds)
        if summary.violations:
            raise SystemExit(1)

    def _trace(self, seed: int) -> None:
        with scratch_server() as scratch, players(scratch, 1) as (player,):
            found = player.play(seed, aloud=True)
        self.stdout.write("\n".join(found["story"]))
        self.stdout.write(f"\nSeed {seed}, digest {found['digest']}, {len(found['violations'])} violations.")
        for item in found["violations"]:
            self.stdout.write(f"  {item['check']}: {item['what']}")
        if found["violations"]:
            raise SystemExit(1)


def _range(text: str) -> tuple[int, int]:
    first, _, last = text.partition("-")
    if not first.isdecimal() or not (last or first).isdecimal():
        raise CommandError(f"--seeds is a number or a range such as 1-100, not {text!r}.")
    a, b = int(first), int(last or first)
    if not 0 <= a <= b < a + MOST:
        raise CommandError(f"--seeds goes from a smaller to a larger number, at most {MOST:,} of them.")
    return a, b
