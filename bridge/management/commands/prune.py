from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from bridge.kernel import retention
from bridge.kernel.retention import Log
from bridge.management.output import console_for

LONGEST = 36_500  # days


class Command(BaseCommand):
    help = "Forget logs of how Bridge is run that are old enough. Nothing that proves where money is."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--only", nargs="+", metavar="LOG", help="only these, such as sign-ins")
        parser.add_argument("--days", type=int, help="keep so many days, whatever each log says by itself")
        parser.add_argument("--dry-run", action="store_true", help="count, delete nothing")
        parser.add_argument("--json", action="store_true", help="report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        chosen = _chosen(options["only"])
        days = options["days"]
        if days is not None and not 0 <= days <= LONGEST:
            raise CommandError(f"--days takes 0 to {LONGEST}.")
        keep = None if days is None else timedelta(days=days)
        found: list[tuple[Log, datetime, int]] = []
        console = Console(stderr=True, quiet=options["json"])
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            for log in chosen:
                moment = log.now()
                rows = retention.overdue(log, at=moment, keep=keep).count()
                if rows and not options["dry_run"]:
                    bar = progress.add_task(log.name, total=rows)
                    rows = retention.prune(log, at=moment, keep=keep, told=lambda n, bar=bar: progress.advance(bar, n))  # type: ignore[misc]
                before = moment - (log.keep if keep is None else keep)
                found.append((log, before, rows))
        if options["json"]:
            body = [{"log": log.name, "before": before.isoformat(), "rows": rows} for log, before, rows in found]
            self.stdout.write(json.dumps({"deleted": not options["dry_run"], "logs": body}))
            return
        table = Table("log", "what", "before", "would be deleted" if options["dry_run"] else "deleted")
        for log, before, rows in found:
            table.add_row(log.name, log.what, f"{before:%Y-%m-%d %H:%M}", f"{rows:,}")
        console_for(self.stdout).print(table)


def _chosen(names: list[str] | None) -> list[Log]:
    logs = retention.all_logs()
    unknown = set(names or ()) - {log.name for log in logs}
    if unknown:
        known = ", ".join(log.name for log in logs)
        raise CommandError(f"No log is called {', '.join(sorted(unknown))}. There are: {known}.")
    return [log for log in logs if not names or log.name in names]
