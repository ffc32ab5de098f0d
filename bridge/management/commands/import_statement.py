from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from bridge.kernel.money import display
from bridge.kernel.results import Actor, Channel, Role
from transfers.reconciliation.intake import import_statement
from transfers.reconciliation.statements import MAX_BYTES, StatementRefused
from transfers.services.receipts import LineChanged

ACTOR = Actor(id="import_statement", role=Role.SYSTEM, channel=Channel.COMMAND, label="manage.py import_statement")


class Command(BaseCommand):
    help = "Keep a settlement account's statement (.json, .csv, .xml for camt.053); `reconcile` compares it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE")
        parser.add_argument("--json", action="store_true", help="report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        path = Path(options["file"])
        try:
            with path.open("rb") as file:
                content = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror or error}.") from error
        try:
            kept = import_statement(name=path.name, content=content, actor=ACTOR)
        except (StatementRefused, LineChanged) as error:
            raise CommandError(f"{path.name}: {error.detail}") from error
        if options["json"]:
            report = {
                "account": kept.account,
                "currency": kept.currency,
                "date": kept.date.isoformat(),
                "opening": kept.opening,
                "closing": kept.closing,
                "lines": len(kept.lines),
                "sha256": kept.sha256,
            }
            self.stdout.write(json.dumps(report))
            return
        self.stdout.write(
            f"{kept.account} of {kept.date}: {len(kept.lines)} lines, from {display(kept.opening, kept.currency)} "
            f"to {display(kept.closing, kept.currency)}. Now run: manage.py reconcile --date {kept.date}"
        )
