from __future__ import annotations

import json
import logging
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from bridge.kernel.errors import BridgeError
from bridge.management.demo import batch, report
from bridge.management.demo.api import ApiRefused, ApiSilent
from bridge.management.demo.plan import LEVELS, UnknownFault
from bridge.management.output import console_for
from bridge.sandbox.client import ControlRefused

MOST = 5_000


class Command(BaseCommand):
    help = "Move a batch of transfers of every kind on running services, to their end, and prove the books."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--transfers", type=int, default=100, metavar="N", help=f"1 to {MOST} (100)")
        parser.add_argument("--seed", type=int, default=1, metavar="S", help="the same seed asks the same (1)")
        parser.add_argument("--faults", default="some", help=f"{', '.join(LEVELS)}, or names by comma (some)")
        parser.add_argument("--timeout", type=float, default=300, metavar="SECONDS", help="for the whole batch (300)")
        parser.add_argument("--json", action="store_true", help="report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["transfers"] <= MOST:
            raise CommandError(f"--transfers is 1 to {MOST}.")
        if options["timeout"] <= 0:
            raise CommandError("--timeout is a number of seconds above zero.")
        logging.getLogger("bridge").setLevel(logging.WARNING)  # a line per call would drown the tables
        try:
            found = self._run(options)
        except (UnknownFault, ApiSilent, ApiRefused) as error:
            raise CommandError(str(error)) from error
        except BridgeError as error:
            raise CommandError(error.detail) from error
        except ControlRefused as error:
            raise CommandError(f"The sandbox bank: {error}") from error
        except DatabaseError as error:
            raise CommandError(f"The database does not answer; start Bridge first with make run. {error}") from error
        if options["json"]:
            self.stdout.write(json.dumps(report.as_json(found)))
        else:
            report.show(found, console_for(self.stdout))
        if not found.holds:
            raise SystemExit(1)

    def _run(self, options: dict[str, Any]) -> batch.Run:
        console = Console(stderr=True, quiet=options["json"])
        total = options["transfers"]
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn()
        with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
            asking = progress.add_task("Asked", total=total)
            ending = progress.add_task("At their end", total=total)

            def looked(open_: list[dict[str, Any]]) -> None:
                states = Counter(row["state"] for row in open_)
                still = ", ".join(f"{state} {number}" for state, number in states.most_common(4))
                progress.update(ending, completed=total - len(open_), description=f"At their end  {still}")

            hooks = batch.Hooks(
                say=lambda text: console.print(text, highlight=False),
                answered=lambda: progress.advance(asking),
                looked=looked,
            )
            return batch.run(
                transfers=total,
                seed=options["seed"],
                faults=options["faults"],
                timeout=options["timeout"],
                hooks=hooks,
            )
