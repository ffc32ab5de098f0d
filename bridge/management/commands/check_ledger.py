from __future__ import annotations

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from rich.console import Console
from rich.progress import Progress
from rich.table import Table
from rich.text import Text

from bridge.kernel import invariants
from bridge.kernel.invariants import Invariant, Verdict
from bridge.management.output import console_for


class Command(BaseCommand):
    help = "Verify every invariant of the books; exit 1 and name the rows when one fails."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="report as one JSON object")
        parser.add_argument("--only", nargs="+", metavar="NAME", help="only these, such as I1 I2")

    def handle(self, *args: Any, **options: Any) -> None:
        verdicts = self._verify(_chosen(options["only"]), quiet=options["json"])
        holds = all(verdict.holds for verdict in verdicts)
        if options["json"]:
            body = {"holds": holds, "invariants": [_as_json(verdict) for verdict in verdicts]}
            self.stdout.write(json.dumps(body, cls=DjangoJSONEncoder))
        else:
            self._show(verdicts)
        if not holds:
            raise SystemExit(1)

    def _verify(self, chosen: list[Invariant], *, quiet: bool) -> list[Verdict]:
        console = Console(stderr=True, quiet=quiet)
        verdicts = []
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("Verifying", total=len(chosen))
            for invariant in chosen:
                progress.update(bar, description=f"Verifying {invariant.name}")
                verdicts.append(invariants.verify(invariant))
                progress.advance(bar)
        return verdicts

    def _show(self, verdicts: list[Verdict]) -> None:
        console = console_for(self.stdout)
        table = Table("invariant", "promise", "verdict")
        for verdict in verdicts:
            word = Text("holds", style="green") if verdict.holds else Text("FAILS", style="bold red")
            table.add_row(verdict.name, verdict.promise, word)
        console.print(table)
        failed = [verdict for verdict in verdicts if not verdict.holds]
        for verdict in failed:
            console.print(Text(f"{verdict.name} fails: {verdict.promise}", style="bold red"))
            for row in verdict.rows:
                said = ", ".join(f"{name}={value}" for name, value in row.items())
                console.print(Text(f"  {said}"), soft_wrap=True)
            if verdict.more:
                console.print(Text("  … and more"))
        words = (
            f"{len(failed)} of {len(verdicts)} invariants FAIL" if failed else f"all {len(verdicts)} invariants hold"
        )
        console.print(Text(words, style="bold red" if failed else "bold green"))


def _chosen(only: list[str] | None) -> list[Invariant]:
    """All, or those named; `I7` also means what belongs to it (`I7 notifications`)."""
    known = invariants.all_invariants()
    if not only:
        return known
    for name in only:
        if not any(_is_named(invariant, name) for invariant in known):
            names = ", ".join(invariant.name for invariant in known)
            raise CommandError(f"There is no invariant {name!r}. There are: {names}.")
    return [invariant for invariant in known if any(_is_named(invariant, name) for name in only)]


def _is_named(invariant: Invariant, name: str) -> bool:
    return name.lower() in (invariant.name.lower(), invariant.name.lower().split(" ")[0])


def _as_json(verdict: Verdict) -> dict[str, Any]:
    return {
        "name": verdict.name,
        "promise": verdict.promise,
        "holds": verdict.holds,
        "rows": [{name: _plain(value) for name, value in row.items()} for row in verdict.rows],
        "more": verdict.more,
    }


def _plain(value: Any) -> Any:
    """Bytes as hex; sums of bigints come as decimals and are whole numbers."""
    if isinstance(value, bytes | memoryview):
        return bytes(value).hex()
    return value if isinstance(value, str | int | bool | None) else str(value)
