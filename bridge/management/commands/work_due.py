from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from rich.table import Column, Table
from rich.text import Text

from accounts.gateway import registry as investor_side
from bridge.kernel import clock, ids
from bridge.kernel.errors import MalformedId
from bridge.kernel.money import display
from bridge.management.output import console_for
from funds.gateway import registry as fund_side
from funds.models import Fund
from transfers import desk
from transfers.blockers import DEEDS, Deed, Queue, Urgency
from transfers.desk import Item

WIDE = 150  # columns of a terminal on which ids stay whole
STYLES = {Urgency.NOW: "bold red", Urgency.SOON: "yellow", Urgency.WATCH: ""}
Keeps = Callable[[Item], bool]


class Command(BaseCommand):
    help = "Everything that is open: why, since when, where its money is, what moves it next, and who is asked."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="report as one JSON object")
        parser.add_argument("--queue", metavar="Q", help=f"only this queue: {', '.join(Queue)}")
        parser.add_argument("--fund", metavar="FUND", help="only this fund: its code, or its id (fund_…)")
        parser.add_argument("--institution", metavar="NAME", help="only what waits for this institution")

    def handle(self, *args: Any, **options: Any) -> None:
        keeps = [_queue(options["queue"]), _fund(options["fund"])]
        moment = clock.now()
        found = desk.everything(at=moment)
        keeps.append(_institution(options["institution"], found))
        items = [item for item in found if all(keep(item) for keep in keeps)]
        if options["json"]:
            self.stdout.write(json.dumps(_as_json(items, moment)))
        else:
            self._show(items, moment)

    def _show(self, items: list[Item], moment: datetime) -> None:
        console = console_for(self.stdout)
        if not items:
            console.print(Text("Nothing is open.", style="green"))
            return
        wide = console.width >= WIDE
        table = Table("queue", Column("what", no_wrap=wide), "why", "since", "money", "what moves it next")
        for item in items:
            table.add_row(
                Text(item.queue, style=STYLES[item.urgency]),
                Text(f"{item.title}\n{item.id}"),
                Text(item.why),
                f"{item.since:%Y-%m-%d %H:%M}\n{desk.age(moment - item.since)}",
                Text(f"{_money(item)}\n{item.place}".strip()),
                Text(_next(item)),
            )
        console.print(table)
        sums = Table("queue", "open", "money")
        for queue, count, money in desk.totals(items):
            sums.add_row(queue, str(count), ", ".join(display(amount, unit) for unit, amount in sorted(money.items())))
        console.print(sums)


def _money(item: Item) -> str:
    return "" if item.amount is None else display(item.amount, item.currency)


def _next(item: Item) -> str:
    lines = [item.next]
    if item.due_at:
        lines.append(f"{item.due_at:%Y-%m-%d %H:%M}")
    if item.asked:
        lines.append(f"({', '.join(item.asked)})")
    return "\n".join(lines)


def _queue(name: str | None) -> Keeps:
    if name is None:
        return lambda item: True
    wanted = name.strip().lower().replace("_", " ").replace("-", " ")
    if wanted not in {queue.replace("'", "") for queue in Queue} | set(Queue):
        raise CommandError(f"There is no queue {name!r}. There are: {', '.join(Queue)}.")
    return lambda item: wanted in (item.queue, item.queue.replace("'", ""))


def _fund(name: str | None) -> Keeps:
    if name is None:
        return lambda item: True
    try:
        known = Fund.objects.filter(pk=ids.decode("fund", name)) if name.startswith("fund_") else None
    except MalformedId as error:
        raise CommandError(f"{name!r}: {error.detail}") from error
    fund = (Fund.objects.filter(code=name) if known is None else known).first()
    if fund is None:
        raise CommandError(f"There is no fund {name!r}. Give its code, or its id (fund_…).")
    return lambda item: item.fund_id == fund.pk


def _institution(name: str | None, found: list[Item]) -> Keeps:
    if name is None:
        return lambda item: True
    wanted = name.strip().lower()
    known = sorted({*investor_side.institutions(), *fund_side.institutions(), *_named(found)})
    if wanted not in known:
        raise CommandError(f"There is no institution {name!r}. There are: {', '.join(known) or 'none'}.")
    return lambda item: item.institution == wanted


def _named(items: list[Item]) -> set[str]:
    return {item.institution for item in items if item.institution}


def _as_json(items: list[Item], moment: datetime) -> dict[str, Any]:
    return {
        "at": moment.isoformat(),
        "open": len(items),
        "queues": [{"queue": queue, "open": count, "amounts": money} for queue, count, money in desk.totals(items)],
        "items": [_item(item, moment) for item in items],
    }


def _item(item: Item, moment: datetime) -> dict[str, Any]:
    age: timedelta = moment - item.since
    return {
        "kind": item.kind,
        "id": item.id,
        "queue": item.queue,
        "urgency": item.urgency,
        "code": item.code,
        "title": item.title,
        "why": item.why,
        "state": item.state,
        "since": item.since.isoformat(),
        "age_seconds": max(0, int(age.total_seconds())),
        "place": item.place,
        "amount": item.amount,
        "currency": item.currency,
        "next": item.next,
        "due_at": item.due_at.isoformat() if item.due_at else None,
        "asked": list(item.asked),
        "actions": [{"action": deed, "roles": sorted(DEEDS[Deed(deed)].roles)} for deed in item.actions]
        if item.kind == "transfer"
        else [{"action": deed, "roles": list(item.asked)} for deed in item.actions],
        "institution": item.institution,
        "fund": item.fund,
    }
