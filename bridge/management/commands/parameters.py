from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from bridge.management import parameters_page

PAGE = Path("docs/PARAMETERS.md")


class Command(BaseCommand):
    help = "Write docs/PARAMETERS.md from the catalogue of parameters and the policy's defaults."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when the page is not current")

    def handle(self, *args: Any, **options: Any) -> None:
        page, wanted = Path(settings.BASE_DIR) / PAGE, parameters_page.render()
        if options["check"]:
            if not page.exists() or page.read_text() != wanted:
                raise CommandError(f"{PAGE} is not current: run manage.py parameters.")
            self.stdout.write(f"{PAGE} is current")
            return
        page.write_text(wanted)
        self.stdout.write(f"{PAGE} written")
