from __future__ import annotations

import subprocess
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from benchmarks.__main__ import arguments
from bridge.embedded.paths import CHECKOUT


class Command(BaseCommand):
    help = "Measure Bridge beside pgbench on one server of the benchmark's own; the last line is one JSON object."
    requires_system_checks = ()

    def run_from_argv(self, argv: list[str]) -> None:
        """The benchmark sets its own environment before Django starts, so it is a process of its own."""
        arguments().parse_args(argv[2:])
        done = subprocess.run([sys.executable, "-m", "benchmarks", *argv[2:]], cwd=CHECKOUT, check=False)  # noqa: S603
        sys.exit(done.returncode)

    def handle(self, *args: Any, **options: Any) -> None:
        raise CommandError("Start the benchmark from a command line: manage.py bench.")
