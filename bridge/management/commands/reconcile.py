from __future__ import annotations

import json
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from rich.console import Console
from rich.progress import Progress, TextColumn
from rich.table import Table

from bridge.kernel.errors import BridgeError
from bridge.kernel.money import display
from bridge.kernel.results import Actor, Channel, Role
from bridge.management.output import console_for
from transfers.models import Break, ReconciliationRun
from transfers.reconciliation.running import reconcile

ACTOR = Actor(id="reconcile", role=Role.SYSTEM, channel=Channel.COMMAND, label="manage.py reconcile")
SHOWN = 50


class Command(BaseCommand):
    help = "Compare our instructions and ledger with the institutions' record; exit 1 when there are new breaks."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--date", required=True, metavar="YYYY-MM-DD", help="the day, in UTC")
        parser.add_argument("--json", action="store_true", help="report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        day = _day(options["date"])
        try:
            run = self._run(day, quiet=options["json"])
        except BridgeError as error:
            raise CommandError(error.detail) from error
        new = list(Break.objects.filter(first_seen_at=run.at).order_by("pk"))
        still = list(Break.objects.filter(resolved_at__isnull=True, first_seen_at__lt=run.at).order_by("first_seen_at"))
        if options["json"]:
            self.stdout.write(json.dumps(_report(run, new, still), cls=DjangoJSONEncoder))
        else:
            self._show(run, new, still)
            if run.unstated:
                self.stderr.write(_not_compared(run))
        if run.new_breaks or run.problems:
            raise SystemExit(1)

    def _run(self, day: date, *, quiet: bool) -> ReconciliationRun:
        console = Console(stderr=True, quiet=quiet)
        lines = TextColumn("{task.completed} lines")
        with Progress(
            *Progress.get_default_columns()[:2], lines, console=console, transient=True, disable=not console.is_terminal
        ) as progress:
            bar = progress.add_task("Asking the institutions", total=None)
            return reconcile(date=day, actor=ACTOR, progress=lambda count: progress.advance(bar, count))

    def _show(self, run: ReconciliationRun, new: list[Break], still: list[Break]) -> None:
        console = console_for(self.stdout)
        for title, breaks in (("New breaks", new), ("Open before", still)):
            if breaks:
                console.print(_table(title, breaks))
            if len(breaks) > SHOWN:
                console.print(f"… and {len(breaks) - SHOWN} more; --json lists all.")
        for problem in run.problems:
            console.print(f"{problem['institution']} was not compared: {problem['problem']}", markup=False)
        console.print(
            f"{run.date}: {run.matched} matched, {run.new_breaks} new breaks, {run.open_breaks} open", highlight=False
        )


def _not_compared(run: ReconciliationRun) -> str:
    """What this run could not look at; nobody has to answer for that but who imports statements."""
    return (
        f"The settlement account in {', '.join(run.unstated)} was not compared: it moved, and no statement of "
        f"{run.date} was imported. Import it with: manage.py import_statement FILE"
    )


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise CommandError(f"{text!r} is no day. Write it as 2026-01-31.") from error


def _table(title: str, breaks: list[Break]) -> Table:
    table = Table("break", "kind", "institution", "reference", "ours", "theirs", "explanation", title=title)
    for item in breaks[:SHOWN]:
        table.add_row(
            item.public_id,
            item.kind,
            item.institution,
            item.reference,
            _money(item.ours, item.currency),
            _money(item.theirs, item.currency),
            item.explanation,
        )
    return table


def _money(amount: int | None, currency: str) -> str:
    return "–" if amount is None else display(amount, currency)


def _report(run: ReconciliationRun, new: list[Break], still: list[Break]) -> dict[str, Any]:
    return {
        "date": run.date,
        "matched": run.matched,
        "new_breaks": run.new_breaks,
        "open_breaks": run.open_breaks,
        "problems": run.problems,
        "unstated": run.unstated,
        "new": [_break(item) for item in new],
        "open": [_break(item) for item in still],
    }


def _break(item: Break) -> dict[str, Any]:
    return {
        "id": item.public_id,
        "kind": item.kind,
        "institution": item.institution,
        "reference": item.reference,
        "currency": item.currency,
        "ours": item.ours,
        "theirs": item.theirs,
        "date": item.date,
        "explanation": item.explanation,
    }
