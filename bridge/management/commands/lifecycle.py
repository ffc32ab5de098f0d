from __future__ import annotations

import difflib
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from bridge.management import lifecycle_page

PAGE = Path("docs/LIFECYCLE.md")
SHOWN = 20  # lines of the difference


class Command(BaseCommand):
    help = "Write docs/LIFECYCLE.md, the states of transfers and instructions, from the code."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is not current")

    def handle(self, *args: Any, **options: Any) -> None:
        page = Path(settings.BASE_DIR) / PAGE
        wanted = lifecycle_page.render()
        if not options["check"]:
            page.write_text(wanted)
            self.stdout.write(f"{PAGE} written")
            return
        found = page.read_text() if page.exists() else ""
        if found == wanted:
            self.stdout.write(f"{PAGE} is current")
            return
        lines = list(difflib.unified_diff(found.splitlines(), wanted.splitlines(), str(PAGE), "the code", lineterm=""))
        for line in lines[:SHOWN]:
            self.stderr.write(line)
        if len(lines) > SHOWN:
            self.stderr.write(f"… and {len(lines) - SHOWN} more lines")
        raise CommandError(f"{PAGE} is not current: run manage.py lifecycle.")
