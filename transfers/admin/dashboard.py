"""The first page: what needs me now? Every number is asked of what is open or recent, never of all rows.

Longer than most modules: one part of the page after the other, each of a few lines.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Count, F, Q, Sum
from django.db.models.functions import Coalesce
from django.http import HttpRequest
from django.urls import reverse

from bridge.approvals.admin import waiting
from bridge.approvals.models import Approval
from bridge.console.display import COLOURS, badge, id_link, link_to, money_text, rows_url
from bridge.console.recent import floor
from bridge.events.models import Seal
from bridge.kernel import clock
from funds.admin import dollars_bar, funds_at, is_late, seats_bar, status_badge
from funds.models import Fund
from transfers.admin import bridge_ages, open_list, stopped
from transfers.admin.breaks import without_statement
from transfers.blockers import Urgency, of
from transfers.desk import age
from transfers.models import Break, InboundCallback, ReconciliationRun, Transfer, Work
from transfers.states import ON_THE_BRIDGE, State

NEARLY_FULL = 90  # per cent
SOON = timedelta(days=14)
LAST_CALLBACKS = 10_000
WAITING = (State.IN_REVIEW, State.WAITLISTED)


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that may need somebody: how many, where to look, and what to say when there are none.

    `calm` is the colour when there are none: amber where that is not the whole truth.
    """

    title: str
    count: int
    url: str
    icon: str
    note: str
    tone: str
    calm: str = "green"

    @property
    def colour(self) -> str:
        return self.tone if self.count else self.calm


def dashboard(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Adds to the index page what this person may see. `DASHBOARD_CALLBACK` of the theme."""
    if not request.user.has_perm("transfers.view_transfer"):
        return {**context, "nothing_to_see": True}
    moment = clock.now()
    groups = _open_groups()
    return {
        **context,
        "stops": stopped.banners(request),
        "stops_told": True,
        "needs": _needs(request, groups),
        "open_url": open_list.url(),
        "bridge": _on_the_bridge(groups, moment),
        "ages": bridge_ages.context(moment) if request.user.has_perm("ledger.view_entry") else {},
        "day": _today(moment),
        "funds": _funds(moment) if request.user.has_perm("funds.view_fund") else [],
        "proof": _proof(request, moment),
    }


def _open_groups() -> list[Any]:
    """Open transfers by state, blocker and currency: one pass over `Work`, whatever the number of ended ones."""
    return list(
        Work.objects.values(
            state=F("transfer__state"), blocker=F("transfer__blocker_code"), currency=F("transfer__currency")
        ).annotate(count=Count("pk"), amount=Sum("transfer__amount"))
    )


def _needs(request: HttpRequest, groups: list[Any]) -> list[Need]:
    states: Counter[str] = Counter()
    blockers: Counter[str] = Counter()
    for group in groups:
        states[group["state"]] += group["count"]
        if group["blocker"] and group["state"] not in WAITING:
            blockers[group["blocker"]] += group["count"]
    unknown = blockers.pop("outcome_unknown", 0)
    later = blockers.pop("waiting_for_earlier", 0)
    late = blockers["acknowledgement_overdue"]  # of these too nobody knows whether the bank acted

    def transfers(**conditions: str) -> str:
        return rows_url("transfers.transfer", **conditions)

    needs = [
        *_approvals(request),
        Need(
            "In review",
            states[State.IN_REVIEW],
            transfers(state="in_review"),
            "rate_review",
            "waiting for a second person" if states[State.IN_REVIEW] else "nobody waits for a decision",
            "amber",
        ),
        Need(
            "Waitlisted",
            states[State.WAITLISTED],
            transfers(state="waitlisted"),
            "hourglass_top",
            "waiting for a place in a fund" if states[State.WAITLISTED] else "everybody has a place",
            "amber",
        ),
        Need(
            "Outcome unknown",
            unknown,
            transfers(blocker="outcome_unknown"),
            "help",
            _of_unknown(unknown, late),
            "red",
            "amber" if late else "green",
        ),
    ]
    for code, count in sorted(blockers.items()):
        known = of(code)
        watch = known.urgency == Urgency.WATCH
        note = "nobody needs to act" if watch else "blocked, needs a decision"
        tone = "blue" if watch else "red" if known.urgency == Urgency.NOW else "amber"
        needs.append(Need(known.title, count, transfers(blocker=code), "block", note, tone))
    if not blockers:
        needs.append(Need("Blocked", 0, transfers(blocker="any"), "block", "nothing is blocked", "red"))
    if later:
        url = transfers(blocker="waiting_for_earlier")
        needs.append(Need("Waiting for earlier", later, url, "low_priority", "go on by themselves", "blue"))
    if request.user.has_perm("transfers.view_break"):
        needs.append(_breaks())
    if request.user.has_perm("transfers.view_inboundcallback"):
        newest = InboundCallback.objects.order_by("-id").values("pk")[:LAST_CALLBACKS]
        count = InboundCallback.objects.filter(pk__in=newest).exclude(problem="").count()
        url = rows_url("transfers.inboundcallback", problem="yes")
        note = "could not be applied" if count else "all could be applied"
        needs.append(Need("Callbacks", count, url, "call_received", note, "red"))
    return needs


def _of_unknown(unknown: int, late: int) -> str:
    others = f"{late} more had no answer in time" if unknown else f"{late} had no answer in time"
    said = "sent, and the bank has not said" if unknown else "" if late else "every bank has answered"
    return "; ".join(part for part in (said, others if late else "") if part)


def _breaks() -> Need:
    """Green only where the newest run compared everything: nothing found is no proof of what was not looked at."""
    count = Break.objects.filter(resolved_at__isnull=True).count()
    run = ReconciliationRun.objects.order_by("-id").first()
    note, calm = "our books and theirs agree", "amber"
    if count:
        note = "differences to explain"
    elif run is None:
        note = "nothing was compared yet"
    elif run.problems:
        note = f"{', '.join(sorted({item['institution'] for item in run.problems}))} did not answer"
    elif run.unstated:
        note = without_statement(run)
    else:
        calm = "green"
    return Need("Breaks open", count, rows_url("transfers.break", resolved="open"), "difference", note, "red", calm)


def _approvals(request: HttpRequest) -> list[Need]:
    """First what this person may decide; then what waits for others, where anything does."""
    if not request.user.has_perm("approvals.view_approval"):
        return []
    mine = waiting(request)
    note = "somebody asked, you may decide" if mine else "nobody waits for your decision"
    url = rows_url("approvals.approval", queue="me")
    needs = [Need("For you to decide", mine, url, "approval", note, "red")]
    others = Approval.objects.filter(state=Approval.State.OPEN).count() - mine
    if others:
        url = rows_url("approvals.approval")
        needs.append(Need("Other approvals", others, url, "pending_actions", "for others to decide", "blue"))
    return needs


def _on_the_bridge(groups: list[Any], moment: datetime) -> dict[str, Any]:
    """How much is between investors and funds, and which money has been there longest."""
    totals: Counter[str] = Counter()
    count = 0
    for group in groups:
        if group["state"] in ON_THE_BRIDGE:
            totals[group["currency"]] += group["amount"]
            count += group["count"]
    oldest = (
        Transfer.objects.filter(work__isnull=False, state__in=ON_THE_BRIDGE)
        .annotate(since=Coalesce("withdrawn_at", "approved_at", "created_at"))
        .select_related("fund")
        .order_by("since")
        .first()
    )
    answer: dict[str, Any] = {
        "count": count,
        "totals": [money_text(total, currency) for currency, total in sorted(totals.items())],
        "url": rows_url("transfers.transfer", state="bridge"),
    }
    if oldest is not None:
        answer["oldest"] = {
            "amount": money_text(oldest.amount, oldest.currency),
            "age": age(moment - oldest.since),  # type: ignore[attr-defined]
            "link": id_link("transfer", "transfers.transfer", oldest.pk),
            "badge": badge(oldest.state),
            "fund": oldest.fund.name,
        }
    return answer


def _today(moment: datetime) -> dict[str, Any]:
    """Transfers requested since midnight UTC by the state that they are in now, as bars."""
    midnight = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    rows = (
        Transfer.objects.filter(pk__gte=floor(midnight), created_at__gte=midnight)
        .order_by()
        .values_list("state")
        .annotate(count=Count("pk"))
    )
    counts = dict(rows)
    most = max(counts.values(), default=0)
    bars = [
        {
            "label": state.label,
            "count": counts[state.value],
            "width": max(1, round(100 * counts[state.value] / most)),
            "colour": COLOURS.get(state.value, "grey"),
            "url": rows_url("transfers.transfer", state=state.value, since="day"),
        }
        for state in State
        if counts.get(state.value)
    ]
    return {"bars": bars, "total": sum(counts.values()), "date": f"{midnight:%A, %d %B %Y}"}


def _funds(moment: datetime) -> list[dict[str, Any]]:
    """Funds that are nearly full, close soon, or should have closed."""
    full_seats = Q(capacity__seats_taken__gte=F("capacity__seat_limit") * NEARLY_FULL / 100)
    full_dollars = Q(capacity__hard_cap__lte=(F("capacity__reserved") + F("capacity__confirmed")) * 100 / NEARLY_FULL)
    closing = Q(closes_at__gte=moment, closes_at__lte=moment + SOON)
    rows = (
        funds_at(moment)
        .filter(status__in=(Fund.Status.OPEN, Fund.Status.CLOSING))
        .filter(full_seats | full_dollars | closing | is_late(moment))
        .select_related("capacity")
        .order_by(F("closes_at").asc(nulls_last=True), "name")[:8]
    )
    return [
        {
            "link": link_to(fund),
            "badge": status_badge(fund),
            "seats": seats_bar(fund.capacity),
            "dollars": dollars_bar(fund.capacity, fund.currency),
            "closes": f"{fund.closes_at:%d %b %Y}" if fund.closes_at else "",
            "soon": _soon(fund, moment),
        }
        for fund in rows
    ]


def _soon(fund: Any, moment: datetime) -> str:
    if fund.late:
        return "closing date passed"
    if fund.closes_at and moment < fund.closes_at <= moment + SOON:
        return f"in {age(fund.closes_at - moment)}"
    return ""


def _proof(request: HttpRequest, moment: datetime) -> dict[str, Any]:
    """When the books were last compared, and when the record was last sealed."""
    answer: dict[str, Any] = {}
    if request.user.has_perm("transfers.view_reconciliationrun"):
        answer["shows_run"] = True
        if run := ReconciliationRun.objects.order_by("-id").first():
            answer["run"] = {
                "url": reverse("admin:transfers_reconciliationrun_change", args=[run.pk]),
                "date": f"{run.date:%d %b %Y}",
                "age": age(moment - run.at),
                "matched": run.matched,
                "new_breaks": run.new_breaks,
                "incomplete": bool(run.problems),
                "unstated": without_statement(run) if run.unstated else "",
            }
    if request.user.has_perm("events.view_seal"):
        answer["shows_seal"] = True
        if seal := Seal.objects.order_by("-number").first():
            answer["seal"] = {
                "url": reverse("admin:events_seal_change", args=[seal.pk]),
                "number": seal.number,
                "age": age(moment - seal.at),
                "count": seal.count,
            }
    return answer
