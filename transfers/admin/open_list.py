"""All that is open, as a page: the queues with their sums, and one queue's things with what may be done about them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from bridge.console.display import amount, badge, link, money_text, when
from bridge.kernel import clock
from bridge.kernel.api.roles import roles_of
from bridge.kernel.results import Role
from transfers import desk
from transfers.blockers import DEEDS, Deed, Queue, Urgency
from transfers.desk import Item
from transfers.models import Transfer

PAGE = 100
TONES = {Urgency.NOW: "red", Urgency.SOON: "amber", Urgency.WATCH: "blue"}
PAGES = {
    "alarm": "transfers.alarm",
    "transfer": "transfers.transfer",
    "approval": "approvals.approval",
    "callback": "transfers.inboundcallback",
    "break": "transfers.break",
    "receipt": "transfers.receipt",
}
WORDS = {
    "alarm": "limit",
    "transfer": "transfer",
    "approval": "decision",
    "callback": "callback",
    "break": "break",
    "receipt": "receipt",
}
MINE = "me"


def context(request: HttpRequest) -> dict[str, Any]:
    """What this person may see of it. `queue`: one of them, or `me` for what asks somebody with my roles."""
    moment = clock.now()
    roles = frozenset(roles_of(request.user))
    items = [item for item in desk.everything(at=moment) if request.user.has_perm(_permission(item.kind))]
    queue = request.GET.get("queue", "")
    mine = [item for item in items if roles & set(item.asked)]
    chosen = mine if queue == MINE else [item for item in items if not queue or item.queue == queue]
    page = _page(request.GET.get("page", ""), len(chosen))
    shown = chosen[(page - 1) * PAGE : page * PAGE]
    whose = _whose(shown)
    return {
        "title": "All that is open",
        "tabs": [
            _tab("All", "", items, queue),
            _tab("For my roles", MINE, mine, queue),
            *(
                _tab(name.capitalize(), name, [item for item in items if item.queue == name], queue)
                for name in Queue
                if any(item.queue == name for item in items)
            ),
        ],
        "rows": [_row(item, moment, roles, whose) for item in shown],
        "refused": _refused(queue),
        "count": len(chosen),
        "pages": _pages(queue, page, len(chosen)),
    }


def url(queue: str = "") -> str:
    """The address of the page, at one queue."""
    return reverse("admin:transfers_open") + (f"?{urlencode({'queue': queue})}" if queue else "")


def _permission(kind: str) -> str:
    if kind == "alarm":
        return "transfers.view_work"  # a limit has no page of its own
    app, _, model = PAGES[kind].partition(".")
    return f"{app}.view_{model}"


def _tab(label: str, queue: str, items: Sequence[Item], chosen: str) -> dict[str, Any]:
    sums: dict[str, int] = {}
    for _, _, money in desk.totals(items):
        for currency, total in money.items():
            sums[currency] = sums.get(currency, 0) + total
    worst = min((item.urgency for item in items), key=list(Urgency).index, default=None)
    return {
        "label": label,
        "count": len(items),
        "money": ", ".join(money_text(total, currency) for currency, total in sorted(sums.items())),
        "url": url(queue),
        "tone": TONES[worst] if worst else "green",
        "chosen": queue == chosen,
    }


def _refused(queue: str) -> str:
    """Why nothing is shown where the address names a queue that there is not."""
    if not queue or queue == MINE or queue in list(Queue):
        return ""
    return f"This page has no such queue: {queue[:40]}. No rows are shown; choose anew."


def _whose(items: Sequence[Item]) -> dict[object, str]:
    """Investor and account of the transfers among them, by primary key. One query."""
    rows = Transfer.objects.filter(pk__in=[item.pk for item in items if item.kind == "transfer"]).order_by()
    named = rows.values_list("pk", "investor__legal_name", "source_account__number_last4")
    return {pk: f"{name} ···{last}" for pk, name, last in named}


def _row(item: Item, moment: datetime, roles: frozenset[Role], whose: Mapping[object, str]) -> dict[str, Any]:
    return {
        "whose": whose.get(item.pk, ""),
        "what": badge(item.code, item.title, TONES[item.urgency]),
        "link": link(PAGES[item.kind], item.pk, f"{WORDS[item.kind]} {_short(item.id)}"),
        "why": item.why,
        "fund": item.fund,
        "since": when(item.since),
        "age": desk.age(moment - item.since),
        "amount": amount(item.amount, item.currency) if item.amount is not None else "",
        "place": item.place,
        "next": item.next,
        "due": when(item.due_at) if item.due_at else "",
        "asked": ", ".join(item.asked),
        "actions": _actions(item, roles),
    }


def _short(public_id: str) -> str:
    return f"…{public_id[-6:]}" if len(public_id) > 12 else public_id


def _actions(item: Item, roles: frozenset[Role]) -> list[SafeString]:
    """Buttons for what the registry allows and this person's roles may; the confirmation and the service ask again."""
    if item.kind != "transfer":
        return []
    act = reverse("admin:transfers_transfer_act", args=["verb"]).removesuffix("verb/")
    named = [Deed(deed) for deed in item.actions if deed != Deed.ASIDE and roles & DEEDS[Deed(deed)].roles]
    return [
        format_html(
            '<a class="bridge-link" href="{}{}/?item={}:{}">{}</a>',
            act,
            deed,
            item.pk,
            item.version,
            DEEDS[deed].label,
        )
        for deed in named
    ]


def _page(given: str, count: int) -> int:
    """The page asked for, if there is such a one."""
    last = max(1, -(-count // PAGE))
    return min(max(1, int(given)), last) if given.isdecimal() and len(given) < 9 else 1


def _pages(queue: str, page: int, count: int) -> dict[str, str]:
    """Addresses of the page before and after, where there are such."""
    last = max(1, -(-count // PAGE))
    base = {"queue": queue} if queue else {}

    def at(number: int) -> str:
        return f"{reverse('admin:transfers_open')}?{urlencode({**base, 'page': number})}"

    return {
        "before": at(page - 1) if page > 1 else "",
        "after": at(page + 1) if page < last else "",
        "here": f"{page} of {last}" if last > 1 else "",
    }
