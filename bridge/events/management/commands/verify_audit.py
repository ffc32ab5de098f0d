from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.console import Console
from rich.progress import Progress

from bridge.events.models import Event, Seal
from bridge.events.queries import audit_faults


class Command(BaseCommand):
    help = "Recompute the event chain and its seals; exit 1 and name the place where they do not fit."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="report as one JSON object")
        parser.add_argument("--export-head", metavar="FILE", help="write the newest seal to a file, to keep elsewhere")
        parser.add_argument("--head", metavar="FILE", help="an exported head: its seal must still be here, unchanged")

    def handle(self, *args: Any, **options: Any) -> None:
        faults = [fault.as_row() for fault in self._faults(quiet=options["json"])]
        if options["head"]:
            faults += self._compare(Path(options["head"]))
        newest = Seal.objects.order_by("-number").first()
        if options["export_head"]:
            if newest is None:
                raise CommandError("There is no seal to export yet: the log is sealed once a minute.")
            head = {"number": newest.number, "hash": bytes(newest.hash).hex(), "at": newest.at.isoformat()}
            _write(Path(options["export_head"]), json.dumps(head) + "\n")
        events, seals = Event.objects.count(), newest.number if newest else 0
        if options["json"]:
            self.stdout.write(json.dumps({"holds": not faults, "events": events, "seals": seals, "faults": faults}))
        else:
            for fault in faults:
                self.stdout.write(f"{fault['where']}: {fault['what']}")
            self.stdout.write(f"{events} events, {seals} seals: " + ("BROKEN" if faults else "the chain holds"))
        if faults:
            raise SystemExit(1)

    def _faults(self, *, quiet: bool) -> list[Any]:
        console = Console(stderr=True, quiet=quiet)
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            bar = progress.add_task("Verifying events", total=Event.objects.count())
            return list(audit_faults(progress=lambda n: progress.advance(bar, n)))

    def _compare(self, path: Path) -> list[dict[str, str]]:
        try:
            head = json.loads(path.read_text())
            number, digest = int(head["number"]), bytes.fromhex(head["hash"])
        except OSError as error:
            raise CommandError(f"{path} cannot be read: {error.strerror or error}.") from error
        except (ValueError, KeyError, TypeError) as error:
            raise CommandError(
                f"{path} is no exported head: --export-head writes one, with number and hash."
            ) from error
        kept = Seal.objects.filter(number=number).first()
        if kept is None:
            return [{"where": f"seal {number}", "what": "was exported, is gone: the tail was cut"}]
        if bytes(kept.hash) != digest:
            return [{"where": f"seal {number}", "what": "differs from the exported head: history was rewritten"}]
        return []


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text)
    except OSError as error:
        raise CommandError(f"{path} cannot be written: {error.strerror or error}.") from error
