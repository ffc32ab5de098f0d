from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from bridge.events.queries import is_restored
from bridge.events.services import begin_epoch, current_epoch


class Command(BaseCommand):
    help = (
        "After a backup was restored, and before anything else runs: whoever follows the event log goes on behind the "
        "events that were restored, and misses none of the new ones."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--why", required=True, help="which backup was restored and why; kept for ever")
        parser.add_argument("--force", action="store_true", help="also where nothing shows that there was a restore")

    def handle(self, *args: Any, **options: Any) -> None:
        why = options["why"].strip()
        if not 0 < len(why) <= 200:
            raise CommandError("Say with --why, in at most 200 characters, which backup was restored and why.")
        if not (options["force"] or is_restored()):
            raise CommandError(
                f"The newest events are of this server's own transactions, in epoch {current_epoch()}. If a backup was "
                "restored all the same, repeat it with --force: an epoch too many does no harm."
            )
        self.stdout.write(f"Epoch {begin_epoch(why=why)} has begun.")
