from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

FOLDER = Path("docs/events")
HEAD = """# Events

Everything that happens is an event: written once, in the transaction that did it, chained to the event before it of
the same subject. The API shows them (`GET /api/v1/events`, `GET /api/v1/transfers/{id}/events`) in the form that
these schemas (JSON Schema 2020-12) describe. `data` is strict; amounts are integers in minor units of `currency`.
A field is never renamed and never changes its meaning; new optional fields may come.

This page is written by `manage.py event_docs`; a test compares it with the schemas, and real events with both.

| type | what happened | data |
|---|---|---|
"""


def index() -> str:
    """The page that lists all schemas."""
    rows = []
    for path in sorted((Path(settings.BASE_DIR) / FOLDER).glob("*.json")):
        schema = json.loads(path.read_text())
        data = schema["properties"]["data"]
        fields = [name if name in data["required"] else f"{name}?" for name in data["properties"]]
        rows.append(f"| [`{path.stem}`]({path.name}) | {schema['description']} | {', '.join(fields) or '–'} |")
    return HEAD + "\n".join(rows) + "\n"


class Command(BaseCommand):
    help = "Write docs/events/README.md from the schemas beside it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is not current")

    def handle(self, *args: Any, **options: Any) -> None:
        page = Path(settings.BASE_DIR) / FOLDER / "README.md"
        wanted = index()
        if options["check"]:
            if not page.exists() or page.read_text() != wanted:
                raise CommandError(f"{FOLDER / 'README.md'} is not current: run manage.py event_docs.")
            self.stdout.write(f"{FOLDER / 'README.md'} is current")
            return
        page.write_text(wanted)
        self.stdout.write(f"{FOLDER / 'README.md'} written")
