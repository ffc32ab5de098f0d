from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.table import Table
from rich.text import Text

from accounts.ledger import queries as ledger
from bridge.events import queries as events
from bridge.events.models import Event
from bridge.kernel import ids
from bridge.kernel.errors import MalformedId
from bridge.kernel.money import display
from bridge.management.output import console_for
from notifications.models import Notification
from transfers.models import BankInstruction, Transfer

_STAMPS = ("submitted_at", "acknowledged_at", "settled_at", "ended_at")


@dataclass(frozen=True, slots=True)
class Row:
    """One thing that happened. `rank` keeps what one transaction wrote in the order in which it came about."""

    at: datetime
    rank: int
    what: str
    name: str
    detail: str


class Command(BaseCommand):
    help = "Tell one transfer's story: events, instructions, postings with their lines, notifications, in time order."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("transfer", metavar="TRF_ID", help="such as trf_01h455vb4pex5vsknk084sn02q")
        parser.add_argument("--json", action="store_true", help="report as one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        transfer = _transfer(options["transfer"])
        rows = sorted(_story(transfer), key=lambda row: (row.at, row.rank))
        if options["json"]:
            story = [
                {"at": row.at.isoformat(), "what": row.what, "name": row.name, "detail": row.detail} for row in rows
            ]
            head = {
                "id": transfer.public_id,
                "state": transfer.state,
                "version": transfer.version,
                "amount": transfer.amount,
                "currency": transfer.currency,
                "blocker": transfer.blocker_code,
            }
            self.stdout.write(json.dumps({**head, "story": story}))
            return
        self._show(transfer, rows)

    def _show(self, transfer: Transfer, rows: list[Row]) -> None:
        console = console_for(self.stdout)
        console.print(Text(f"{transfer.public_id} · {transfer.state} · version {transfer.version}", style="bold"))
        console.print(
            Text(
                f"{display(transfer.amount, transfer.currency)} from {transfer.investor} "
                f"({transfer.source_account}) to {transfer.fund}"
            )
        )
        if transfer.blocker_code:
            console.print(Text(f"Blocked ({transfer.blocker_code}): {transfer.blocker_message}", style="yellow"))
        table = Table("time (UTC)", "what", "name", "detail")
        for row in rows:
            table.add_row(f"{row.at:%Y-%m-%d %H:%M:%S.%f}"[:-3], row.what, row.name, Text(row.detail))
        console.print(table)


def _transfer(text: str) -> Transfer:
    try:
        number = ids.decode("transfer", text)
    except MalformedId as error:
        raise CommandError(f"{text!r}: {error.detail}") from error
    found = Transfer.objects.select_related("investor", "source_account", "fund").filter(pk=number).first()
    if found is None:
        raise CommandError(f"There is no transfer {text}.")
    return found


def _story(transfer: Transfer) -> list[Row]:
    return [
        *(_event(event) for event in events.timeline(subject_type="transfer", subject_id=transfer.pk)),
        *(row for instruction in transfer.instructions.all() for row in _instruction(instruction)),
        *_postings(transfer),
        *(
            Row(item.at, 3, "notification", item.title, f"to {', '.join(item.audiences)}: {item.body}")
            for item in Notification.objects.filter(transfer_id=transfer.pk).order_by("pk")
        ),
    ]


def _event(event: Event) -> Row:
    actor = event.actor.get("label") or event.actor.get("id", "")
    said = [f"by {actor} ({event.actor.get('role', '')})", f"version {event.version}"]
    known = ("reason", "code", "message", "next_step", "attempt")
    said += [f"{name}: {event.data[name]}" for name in known if event.data.get(name)]
    said += [f"{item['rule']}: {item['reason']}" for item in event.data.get("reasons") or []]
    return Row(event.at, 0, "event", event.type, "; ".join(said))


def _instruction(instruction: BankInstruction) -> list[Row]:
    money = display(instruction.amount, instruction.currency)
    rows = []
    for name in _STAMPS:
        at = getattr(instruction, name)
        word = str(instruction.state) if name == "ended_at" else name.removesuffix("_at")
        if at is None or (name == "ended_at" and word == "settled" and instruction.settled_at):
            continue  # a leg that ended well is told once, as settled
        detail = f"{money} at {instruction.institution}, key {instruction.key}"
        if word == "settled":
            detail += f", credited {display(instruction.settled_amount, instruction.currency)}"
        if name == "ended_at" and instruction.return_code:
            detail += f", {instruction.return_code} {instruction.reason}"
        rows.append(Row(at, 1, "instruction", f"{instruction.kind} {instruction.attempt} {word}", detail))
    return rows


def _postings(transfer: Transfer) -> list[Row]:
    """Each posting once, with its lines: what came to a place (+) and what left one (minus)."""
    lines: dict[Any, list[Any]] = {}
    for entry in ledger.entries_of(transfer.pk):
        lines.setdefault(entry.posting, []).append(entry)
    return [
        Row(
            posting.created_at,
            2,
            "posting",
            f"{posting.row} (bank's date {posting.effective_at:%Y-%m-%d})",
            ", ".join(f"{_signed(entry)} {entry.account.get_kind_display()}" for entry in entries),
        )
        for posting, entries in lines.items()
    ]


def _signed(entry: Any) -> str:
    sign = "+" if entry.amount > 0 else "−"
    return sign + display(abs(entry.amount), entry.account.currency)
