"""Everything that is open, each thing once: why, since when, where its money is, what moves it next and who is asked.

One source for `manage.py work_due` and for the console. Seven queries, however much is open. Times are the database's.

Longer than most modules: one kind of open thing after the other, each of a few lines.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from bridge.approvals.handlers import UnknownKind, handler_for
from bridge.approvals.models import Approval
from bridge.kernel.money import display
from transfers.blockers import DEEDS, Deed, Queue, Urgency, allowed, of, roles_for
from transfers.models import Alarm, BankInstruction, Break, InboundCallback, Receipt, Transfer, Work
from transfers.reconciliation.services import MAY_RESOLVE
from transfers.services.batch import REVIEW
from transfers.states import LIVE, NextStep, State, Step

LATE = timedelta(minutes=10)  # work that was due so long ago: no worker takes it
ORDER = {urgency: rank for rank, urgency in enumerate(Urgency)}
QUEUES = {queue: rank for rank, queue in enumerate(Queue)}
EARLIER = "waiting_for_earlier"


@dataclass(frozen=True, slots=True)
class Item:
    """One open thing. `amount` in minor units of `currency`; `due_at`: when it is looked at next, or ends."""

    kind: str
    id: str
    pk: Any
    queue: Queue
    urgency: Urgency
    code: str
    title: str
    why: str
    since: datetime
    place: str = ""
    amount: int | None = None
    currency: str = ""
    next: str = ""
    due_at: datetime | None = None
    asked: tuple[str, ...] = ()
    actions: tuple[str, ...] = ()
    institution: str = ""
    fund: str = ""
    fund_id: uuid.UUID | None = None
    state: str = ""
    version: int = 0


def everything(*, at: datetime) -> list[Item]:
    """All that is open at `at`, the most urgent and then the oldest first."""
    items = [*_transfers(at), *_approvals(), *_callbacks(at), *_breaks(), *_receipts(), *_alarms()]
    return sorted(items, key=lambda item: (ORDER[item.urgency], QUEUES[item.queue], item.since, item.id))


def age(span: timedelta) -> str:
    """`age(timedelta(hours=50))` → `2 days`."""
    seconds = max(0, int(span.total_seconds()))
    for size, word in ((86_400, "day"), (3_600, "hour"), (60, "minute"), (1, "second")):
        if seconds >= size:
            number = seconds // size
            return f"{number} {word}{'s' if number != 1 else ''}"
    return "a moment"


def totals(items: Iterable[Item]) -> list[tuple[Queue, int, dict[str, int]]]:
    """Per queue how many, and how much of each currency in minor units; in the order of the queues."""
    counts: Counter[Queue] = Counter()
    money: dict[Queue, Counter[str]] = {}
    for item in items:
        counts[item.queue] += 1
        if item.amount is not None:
            money.setdefault(item.queue, Counter())[item.currency] += item.amount
    return [(queue, counts[queue], dict(money.get(queue, {}))) for queue in Queue if counts[queue]]


# --- transfers


def _transfers(at: datetime) -> list[Item]:
    rows = list(
        Work.objects.select_related("transfer__fund", "transfer__source_account")
        .only(
            "step",
            "due_at",
            "account_id",
            "account_seq",
            "transfer__amount",
            "transfer__currency",
            "transfer__state",
            "transfer__version",
            "transfer__next_step",
            "transfer__blocker_code",
            "transfer__blocker_message",
            "transfer__blocked_at",
            "transfer__updated_at",
            "transfer__expires_at",
            "transfer__requested_by",
            "transfer__fund__name",
            "transfer__fund__code",
            "transfer__fund__institution",
            "transfer__source_account__institution",
        )
        .order_by("pk")
    )
    live = _live_legs()
    behind = _behind(rows)
    return [_transfer(row, live.get(row.pk), row.pk in behind, at) for row in rows]


def _live_legs() -> dict[uuid.UUID, BankInstruction]:
    """The unanswered or unsettled instruction of each open transfer."""
    legs = BankInstruction.objects.filter(state__in=[str(state) for state in LIVE], transfer__work__isnull=False)
    return {leg.transfer_id: leg for leg in legs.only("transfer_id", "kind", "institution", "state", "submitted_at")}


def _behind(rows: Sequence[Work]) -> set[uuid.UUID]:
    """Approved transfers whose account has an earlier withdrawal to send, or one that is not answered."""
    first: dict[uuid.UUID, int] = {}
    for row in rows:
        if row.step in (Step.WITHDRAW, Step.ASK_WITHDRAWAL):
            first[row.account_id] = min(row.account_seq, first.get(row.account_id, row.account_seq))
    return {
        row.pk
        for row in rows
        if row.step == Step.WITHDRAW and not row.transfer.blocker_code and first[row.account_id] < row.account_seq
    }


def _transfer(work: Work, leg: BankInstruction | None, behind: bool, at: datetime) -> Item:
    row = work.transfer
    code = row.blocker_code or (EARLIER if behind else "")
    blocker = of(code) if code else None
    deeds = allowed(state=row.state, next_step=row.next_step, blocker_code=code)
    named = tuple(deed for deed in deeds if blocker is not None and deed in blocker.deeds)
    stale = not behind and work.due_at is not None and work.due_at < at - LATE and work.step != Step.PROMOTE
    queue, urgency, title = Queue.MOVING, Urgency.WATCH, str(work.get_step_display())  # type: ignore[attr-defined]
    if blocker is not None:
        queue, urgency, title = blocker.queue, blocker.urgency, blocker.title
    elif stale:
        queue, urgency, title = Queue.ENGINEERING, Urgency.NOW, "Nobody works on it"
    institution, place = _where(row, leg)
    return Item(
        kind="transfer",
        id=row.public_id,
        pk=row.pk,
        queue=queue,
        urgency=urgency,
        code=code or ("engine_late" if stale else str(work.step)),
        title=title,
        why=_why(row, work, blocker.means if blocker else "", stale=stale and blocker is None),
        since=row.blocked_at or row.updated_at,
        place=place,
        amount=row.amount,
        currency=row.currency,
        next=_next(work, blocker.moves if blocker else "", named),
        due_at=work.due_at or row.expires_at,
        asked=_asked(named) if urgency != Urgency.WATCH else (),
        actions=tuple(deeds),
        institution=institution,
        fund=row.fund.name,
        fund_id=row.fund_id,
        state=str(row.state),
        version=row.version,
    )


def _asked(deeds: Sequence[Deed]) -> tuple[str, ...]:
    """Whom it waits for: those who may move it on, and not all who may call it off."""
    return tuple(sorted(roles_for([deed for deed in deeds if deed != Deed.CANCEL] or deeds)))


_PLACES = {
    State.WITHDRAWING: "between the investor's bank and us",
    State.WITHDRAWN: "settlement account",
    State.DEPOSITING: "between us and the fund's bank",
    State.REFUNDING: "between us and the investor's bank",
    State.FROZEN: "settlement account, frozen",
    State.COMPLETED: "the fund",
}


def _where(row: Transfer, leg: BankInstruction | None) -> tuple[str, str]:
    """The institution that matters next, and the money's place: by invariant I3 the state says where it is."""
    at_fund = row.state in (State.DEPOSITING, State.COMPLETED) or (
        row.state == State.WITHDRAWN and row.next_step == NextStep.DEPOSIT
    )
    usual = row.fund.institution if at_fund else row.source_account.institution
    return (leg.institution if leg else usual), _PLACES.get(State(row.state), "with the investor")


def _why(row: Transfer, work: Work, means: str, *, stale: bool) -> str:
    if stale:
        return f"Work on it ({work.get_step_display()}) is overdue: is a worker running?"  # type: ignore[attr-defined]
    return row.blocker_message or means or f"{str(work.get_step_display()).capitalize()}."  # type: ignore[attr-defined]


_STEPS = {
    Step.DECIDE: "a second person; it expires when nobody decides",
    Step.PROMOTE: "a place that becomes free; it expires when none does",
    Step.WITHDRAW: "Bridge sends the withdrawal",
    Step.DEPOSIT: "Bridge sends the deposit",
    Step.REFUND: "Bridge sends the refund",
    Step.RECALL: "Bridge sends the recall",
}


def _next(work: Work, moves: str, named: Sequence[Deed]) -> str:
    """What moves it next, in words."""
    people = " or ".join(DEEDS[deed].label.lower() for deed in named)
    if moves:
        return moves
    if people:
        return f"people: {people}"
    return _STEPS.get(Step(work.step), "the bank's answer; Bridge keeps asking")


# --- what else waits


def _approvals() -> list[Item]:
    """Decisions that a second person owes, but for reviews: those stand with their transfers."""
    return [
        Item(
            kind="approval",
            id=row.public_id,
            pk=row.pk,
            queue=Queue.REVIEW,
            urgency=Urgency.SOON,
            code=row.kind,
            title="Second person wanted",
            why=row.summary,
            since=row.created_at,
            next="people: approve or reject; it expires when nobody decides",
            due_at=row.expires_at,
            asked=_checkers(row.kind),
            actions=(Deed.APPROVE, Deed.REJECT),
        )
        for row in Approval.objects.filter(state=Approval.State.OPEN).exclude(kind=REVIEW).order_by("pk")
    ]


def _checkers(kind: str) -> tuple[str, ...]:
    try:
        return tuple(sorted(handler_for(kind).checkers))
    except UnknownKind:
        return ()


def _callbacks(at: datetime) -> list[Item]:
    """Messages of institutions that the engine has not taken yet."""
    rows = InboundCallback.objects.filter(processed_at__isnull=True)
    return [
        Item(
            kind="callback",
            id=row.callback_id,
            pk=row.pk,
            queue=Queue.ENGINEERING if row.received_at < at - LATE else Queue.MOVING,
            urgency=Urgency.NOW if row.received_at < at - LATE else Urgency.WATCH,
            code="callback_waiting",
            title="Callback to be taken",
            why="An institution's message is stored and not applied yet.",
            since=row.received_at,
            next="Bridge applies it",
            institution=row.institution,
        )
        for row in rows.only("callback_id", "institution", "received_at").order_by("pk")
    ]


def _breaks() -> list[Item]:
    """Differences that reconciliation found and nobody has resolved."""
    return [
        Item(
            kind="break",
            id=row.public_id,
            pk=row.pk,
            queue=Queue.RECONCILE,
            urgency=Urgency.SOON,
            code=row.kind,
            title=f"Break: {row.get_kind_display()}",  # type: ignore[attr-defined]
            why=row.explanation,
            since=row.first_seen_at,
            amount=abs((row.ours or 0) - (row.theirs or 0)),
            currency=row.currency,
            next="people: resolve",
            asked=tuple(sorted(MAY_RESOLVE)),
            actions=("resolve",),
            institution=row.institution,
        )
        for row in Break.objects.filter(resolved_at__isnull=True).order_by("pk")
    ]


def _receipts() -> list[Item]:
    """Money in the settlement account of which nobody knows whose it is."""
    return [
        Item(
            kind="receipt",
            id=row.public_id,
            pk=row.pk,
            queue=Queue.RECONCILE,
            urgency=Urgency.SOON,
            code="unidentified",
            title="Unidentified receipt",
            why=f"Money arrived that no instruction of ours explains. {row.sender} {row.reference}".strip(),
            since=row.received_at,
            place="settlement account, in suspense",
            amount=row.amount,
            currency=row.currency,
            next="people: say whose it is, or send it back",
            asked=tuple(sorted(MAY_RESOLVE)),
        )
        for row in Receipt.objects.filter(state=Receipt.State.UNIDENTIFIED).order_by("pk")
    ]


def _alarms() -> list[Item]:
    """Limits that are nearly or wholly used: too much on the bridge, or the firm's own money running out."""
    return [
        Item(
            kind="alarm",
            id=str(row.pk),
            pk=row.pk,
            queue=Queue.FIRM_MONEY,
            urgency=Urgency.NOW if row.level == Alarm.Level.STOP else Urgency.SOON,
            code=f"{row.kind}_{Alarm.Level(row.level).name.lower()}",
            title=f"{str(row.get_kind_display()).capitalize()}: {row.get_level_display()}",  # type: ignore[attr-defined]
            why=f"{display(row.value, row.currency)}, where the limit is {display(row.limit, row.currency)}"
            f"{f' for {row.institution}' if row.institution else ''}.",
            since=row.since,
            amount=row.value,
            currency=row.currency,
            next="money that arrives, or people: raise the limit, or put money into the float",
            asked=tuple(sorted(MAY_RESOLVE)),
            institution=row.institution,
        )
        for row in Alarm.objects.filter(level__gt=Alarm.Level.FINE).order_by("pk")
    ]
