from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bridge.kernel.errors import BridgeError
from bridge.kernel.money import display
from bridge.management.output import console_for
from funds.replaying import Row, Totals, play, runs

SHOWN = 200


class Command(BaseCommand):
    help = "Show what changed parameters of a rule would have decided about past transfers, row by row."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--rule", required=True, help="the rule's id, as in docs/RULES.md")
        parser.add_argument("--params", required=True, metavar="FILE", help="JSON object of the changed values")
        parser.add_argument("--from", dest="begins", required=True, metavar="YYYY-MM-DD")
        parser.add_argument("--to", dest="ends", required=True, metavar="YYYY-MM-DD", help="this day included")
        parser.add_argument("--all", action="store_true", help="also the rows that stay as they were")
        parser.add_argument("--json", action="store_true", help="one JSON object per row, then the totals")

    def handle(self, *args: Any, **options: Any) -> None:
        values = _values(Path(options["params"]))
        begins, ends = _day(options["begins"], "--from"), _day(options["ends"], "--to")
        totals, more = Totals(), 0
        kept: list[Row] = []
        console = Console(stderr=True, quiet=options["json"])
        try:
            count = runs(rule=options["rule"], begins=begins, ends=ends).count()
            with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
                bar = progress.add_task(f"Replaying {options['rule']}", total=count)
                rows = play(
                    rule=options["rule"],
                    values=values,
                    begins=begins,
                    ends=ends,
                    totals=totals,
                    progress=lambda n: progress.advance(bar, n),
                )
                for row in rows:
                    if not (row.result.changed or options["all"]):
                        continue
                    if options["json"]:
                        self.stdout.write(json.dumps(row.as_json()))
                    elif len(kept) < SHOWN:
                        kept.append(row)
                    else:
                        more += 1
        except BridgeError as error:
            raise CommandError(error.detail) from error
        if options["json"]:
            moves = {f"{before} → {after}": number for (before, after), number in sorted(totals.moves.items())}
            body = {
                "seen": totals.seen,
                "changed": totals.changed,
                "verdicts_changed": totals.verdicts_changed,
                "unreadable": totals.unreadable,
                "unplayed": totals.unplayed,
                "moves": moves,
            }
            self.stdout.write(json.dumps(body))
            return
        self._show(kept, more, totals)

    def _show(self, kept: list[Row], more: int, totals: Totals) -> None:
        console = console_for(self.stdout)
        if kept:
            table = Table("transfer", "stage", "amount", "rule", "whole verdict", "reason")
            for row in kept:
                told, result = row.as_json(), row.result
                verdict = f"{result.verdict_before.value} → {result.verdict_after.value}"
                table.add_row(
                    told["transfer"],
                    row.stage,
                    display(row.amount, row.currency),
                    f"{told['rule_before'] or 'not run'} → {told['rule_after'] or 'not run'}",
                    verdict if result.verdict_before != result.verdict_after else result.verdict_after.value,
                    result.reason,
                )
            console.print(table)
        if more:
            console.print(f"… and {more} more; --json lists all.")
        console.print(
            f"{totals.played} of {totals.seen} runs replayed: {totals.changed} decisions of the rule and "
            f"{totals.verdicts_changed} whole verdicts would differ."
        )
        if totals.unplayed:
            console.print(
                f"Could not be played: {totals.unplayed}, the facts were not recorded. "
                "What the values would have decided about these nobody can tell.",
                style="bold red",
            )
        if totals.unreadable:
            console.print(f"{totals.unreadable} runs were kept in a shape that can no longer be replayed.")


def _values(path: Path) -> dict[str, Any]:
    try:
        values = json.loads(path.read_text())
    except OSError as error:
        raise CommandError(f"{path} cannot be read: {error.strerror or error}.") from error
    except (ValueError, RecursionError) as error:
        raise CommandError(f"{path} is no JSON file.") from error
    if not isinstance(values, dict):
        raise CommandError(f"{path} must hold one JSON object of parameter names and values.")
    return values


def _day(text: str, option: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{option} must be a date as YYYY-MM-DD, not '{text}'.") from error
