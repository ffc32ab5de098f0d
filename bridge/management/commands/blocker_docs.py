from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from bridge.management import blockers_page

PAGE = Path("docs/OPERATIONS.md")


class Command(BaseCommand):
    help = "Write the table of blockers in docs/OPERATIONS.md from the registry."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the table is not current")

    def handle(self, *args: Any, **options: Any) -> None:
        page = Path(settings.BASE_DIR) / PAGE
        found = page.read_text() if page.exists() else ""
        try:
            wanted = blockers_page.render(found)
        except blockers_page.MarksMissing as error:
            raise CommandError(f"{PAGE}: {error}") from error
        if options["check"]:
            if found != wanted:
                raise CommandError(f"The blockers in {PAGE} are not current: run manage.py blocker_docs.")
            self.stdout.write(f"the blockers in {PAGE} are current")
            return
        page.write_text(wanted)
        self.stdout.write(f"{PAGE} written")
