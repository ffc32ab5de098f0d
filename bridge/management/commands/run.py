"""`manage.py run`: everything under one supervisor, until Ctrl-C."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from rich.console import Console

from bridge.embedded.paths import EmbeddedError, Places
from bridge.management.supervisor.steps import Steps
from bridge.management.supervisor.supervisor import Interrupted, Supervisor


class Command(BaseCommand):
    help = "Start PostgreSQL, Valkey, the sandbox bank, web, worker and beat; run the demo; serve until Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--once", action="store_true", help="stop after the demo, with its exit code")
        parser.add_argument("--no-demo", action="store_true", help="create no demo data and move nothing")
        parser.add_argument("--transfers", type=int, default=100, help="how many the demo moves (100)")
        parser.add_argument("--seed", type=int, default=1, help="of the demo (1)")

    def handle(self, *args: Any, **options: Any) -> None:
        places = getattr(settings, "PLACES", None)
        if places is None:
            raise CommandError("`run` starts the embedded demo; a deployed Bridge is started by its own services.")
        steps = Steps(Console())
        supervisor = Supervisor(places, steps)
        code = 0
        try:
            supervisor.start()
            if not options["no_demo"]:
                code = supervisor.demo(transfers=options["transfers"], seed=options["seed"])
            if not options["once"]:
                if code:
                    steps.say(f"The demo failed with exit code {code}; what runs goes on.")
                _tell(steps, supervisor, places)
                supervisor.serve()
        except EmbeddedError as error:
            raise CommandError(str(error)) from error
        except Interrupted:
            steps.say("Stopping …")
        finally:
            supervisor.stop()
        if options["once"] and code:
            raise CommandError("The demo failed.", returncode=code if code > 0 else 1)


def _tell(steps: Steps, supervisor: Supervisor, places: Places) -> None:
    base, sandbox = supervisor.addresses["base_url"], supervisor.addresses["sandbox_url"]
    steps.say(f"\nAdmin         {base}/admin/")
    steps.say(f"API docs      {base}/api/docs/")
    steps.say(f"Sandbox bank  {sandbox}/")
    logins = places.state / "demo_logins.json"
    if logins.exists():
        for login in json.loads(logins.read_text()):
            steps.say(f"Sign in as    {login['username']:<24} {login['password']:<24} {login['role']}")
    steps.say(f"Logs          {places.logs}\nBridge is running. Ctrl-C stops it.")
