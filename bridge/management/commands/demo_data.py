from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from bridge.kernel.errors import BridgeError
from bridge.management.demo import data
from bridge.sandbox.client import ControlRefused


class Command(BaseCommand):
    help = "Fill an empty sandbox with logins, investors, accounts and funds; where they are, nothing happens."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            filled = data.ensure()
        except BridgeError as error:
            raise CommandError(error.detail) from error
        except ControlRefused as error:
            raise CommandError(f"The sandbox bank did not open the accounts: {error}") from error
        made = asdict(filled)
        if options["json"]:
            self.stdout.write(json.dumps(made))
        elif any(made.values()):
            self.stdout.write("Made " + ", ".join(f"{number} {what}" for what, number in made.items()) + ".")
        else:
            self.stdout.write("The demo data is there already.")
