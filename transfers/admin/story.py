"""One transfer's story, gathered for its page with a bounded number of queries.

Longer than most modules: one section of the page after the other, each of a few lines.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from accounts.ledger import queries as ledger
from accounts.ledger.kinds import FUND_KINDS, Kind
from accounts.ledger.models import Entry
from bridge.console.display import (
    amount,
    badge,
    id_link,
    json_block,
    link,
    link_to,
    money_text,
    rows_url,
    when,
    whole_id,
)
from bridge.console.pages import Table
from bridge.events.models import Event
from bridge.events.queries import timeline
from funds.models import Reservation, Verification
from transfers import blockers
from transfers.admin.row_words import row_link
from transfers.models import BankInstruction, Break, Transfer, Work
from transfers.states import InstructionState, NextStep, State

MOST = 200  # events, entries …: a transfer has a few dozen at most
MONEY = {"settled_amount", "fee", "advance", "written_off", "repaid"}
PAGES = {"instruction": "transfers.bankinstruction", "receipt": "transfers.receipt", "posting": "ledger.posting"}
PAGES |= {"from_fund": "funds.fund", "paid_to": "accounts.investoraccount"}
NEXT: dict[str, str] = {
    NextStep.DEPOSIT: "Next: the deposit to the fund.",
    NextStep.REFUND: "Next: the refund to the investor.",
    NextStep.NONE: "Next: people decide.",
}
QUIET = {"amount", "currency", "source_account", "fund", "investor", "previous_state"}  # in every event


def context(request: HttpRequest, transfer: Transfer) -> dict[str, Any]:
    """Everything that the template needs. About a dozen queries, whatever the transfer went through."""
    legs = list(transfer.instructions.order_by("id"))
    work = Work.objects.filter(pk=transfer.pk).first()
    events = _events(request, transfer)
    names = _names((transfer.requested_by, transfer.approved_by, *_logins_in(events)))
    return {
        "transfer": transfer,
        "identifier": whole_id("transfer", transfer.pk),
        "state_badge": badge(transfer.state),
        "money": money_text(transfer.amount, transfer.currency),
        "blocker": blockers.of(transfer.blocker_code) if transfer.blocker_code else None,
        "stops": _stops(transfer, legs),
        "facts": _facts(transfer, work, names),
        "events": [_told(event, names, {str(leg.pk): _leg_name(leg) for leg in legs}) for event in events],
        "tables": [table for table in _tables(request, transfer, legs) if table is not None],
        "metadata": json_block(transfer.metadata) if transfer.metadata else "",
    }


def _names(logins: Iterable[str]) -> dict[str, str]:
    """Names of logins by their primary key as text."""
    keys = [int(login) for login in logins if login.isdecimal()]
    if not keys:
        return {}
    users = get_user_model().objects.filter(pk__in=keys).values_list("pk", "username")
    return {str(pk): name for pk, name in users}


def _logins_in(events: Iterable[Event]) -> Iterable[str]:
    return (str(value) for event in events for key, value in event.data.items() if key.endswith("_by"))


@dataclass(frozen=True, slots=True)
class Stop:
    """A place on the way of the money: an account, or the leg between two."""

    title: str
    where: object
    detail: object
    amount: str
    here: bool
    leg: bool = False
    icon: str = ""
    tone: str = ""


def _stops(transfer: Transfer, legs: list[BankInstruction]) -> list[Stop]:
    """Investor → settlement account → fund, with what the ledger says lies at each place now."""
    places = ledger.by_transfer([transfer.pk]).get(transfer.pk, {})
    currency = transfer.currency
    last = {leg.kind: leg for leg in legs}  # the newest attempt of each kind
    withdrawal, deposit, refund = (last.get(kind) for kind in ("withdrawal", "deposit", "refund"))

    def shown(*kinds: Kind) -> str:
        total = sum(places.get(kind, 0) for kind in kinds)
        return money_text(total, currency) if total else ""

    on_bridge = any(places.get(kind, 0) for kind in Kind if kind not in (Kind.CASH, Kind.FEES, Kind.OUTSIDE))
    done = transfer.state == State.COMPLETED
    whole = money_text(transfer.amount, currency)
    second_leg = refund or deposit
    return [
        Stop(
            title="Investor's account",
            where=link_to(transfer.source_account),
            detail=f"{transfer.investor} · {transfer.source_account.institution}",
            amount="" if on_bridge or done else whole,
            here=not on_bridge and not done,
            icon="person",
        ),
        _leg_stop("Withdrawal", withdrawal, shown(Kind.WITHDRAWAL_IN_TRANSIT)),
        Stop(
            title="Settlement account",
            where="Bridge, segregated",
            detail="frozen by law" if places.get(Kind.FROZEN) else "in clearing" if places.get(Kind.CLEARING) else "",
            amount=shown(Kind.CLEARING, Kind.FROZEN),
            here=bool(places.get(Kind.CLEARING) or places.get(Kind.FROZEN)),
            icon="account_balance",
            tone="red" if places.get(Kind.FROZEN) else "",
        ),
        _leg_stop(
            "Refund" if refund else "Deposit",
            second_leg,
            shown(Kind.DEPOSIT_IN_TRANSIT, Kind.REFUND_IN_TRANSIT),
            back=refund is not None,
        ),
        Stop(
            title="Fund",
            where=link_to(transfer.fund),
            detail=f"{transfer.fund.institution} ···{transfer.fund.number_last4}",
            amount=whole if done else "",
            here=done,
            icon="apartment",
        ),
    ]


def _leg_stop(title: str, leg: BankInstruction | None, shown: str, *, back: bool = False) -> Stop:
    return Stop(
        title=title,
        where=badge(leg.state) if leg else badge("", "not yet", "grey"),
        detail="outcome unknown" if leg and leg.state == InstructionState.UNKNOWN else "",
        amount=shown,
        here=bool(shown),
        leg=True,
        icon="arrow_back" if back else "arrow_forward",
    )


def _facts(transfer: Transfer, work: Work | None, names: dict[str, str]) -> list[tuple[str, object]]:
    """Label and value, those that say something."""

    def who(login: str) -> str:
        return names.get(login, login)

    rows: list[tuple[str, object]] = [
        ("External id", transfer.external_id),
        ("Requested by", who(transfer.requested_by)),
        ("Requested", when(transfer.created_at)),
        ("Approved by", who(transfer.approved_by)),
        ("Approved", transfer.approved_at and when(transfer.approved_at)),
        ("Expires", transfer.expires_at and when(transfer.expires_at)),
        ("Withdrawn", transfer.withdrawn_at and when(transfer.withdrawn_at)),
        ("Expected at the fund", transfer.expected_at and when(transfer.expected_at)),
        ("Completed", transfer.completed_at and when(transfer.completed_at)),
        ("Final", transfer.final_at and when(transfer.final_at)),
        ("Ended", transfer.ended_at and when(transfer.ended_at)),
        ("Next step", transfer.get_next_step_display()),  # type: ignore[attr-defined]
        ("Work", work and _work_text(work)),
        ("Order in its account", f"#{transfer.account_seq}"),
        ("Split from", transfer.split_from_id and id_link("transfer", "transfers.transfer", transfer.split_from_id)),
        ("Version", transfer.version),
    ]
    return [(label, value) for label, value in rows if value]


def _work_text(work: Work) -> str:
    step = work.get_step_display()
    return format_html("{} · due {}", step, when(work.due_at)) if work.due_at else str(step)


def _events(request: HttpRequest, transfer: Transfer) -> list[Event]:
    if not request.user.has_perm("events.view_event"):
        return []
    return list(timeline(subject_type="transfer", subject_id=transfer.pk)[:MOST])


def _leg_name(leg: BankInstruction) -> str:
    return f"{leg.get_kind_display()} {leg.attempt} at {leg.institution}"  # type: ignore[attr-defined]


def _told(event: Event, names: dict[str, str], legs: dict[str, str]) -> dict[str, object]:
    """One step of the timeline, in words. `names` of logins and `legs` of instructions, by primary key as text."""
    verb = event.type.partition(".")[2].replace("_", " ")
    currency = str(event.data.get("currency", ""))
    details = []
    for key, value in event.data.items():
        if key in QUIET or not value:
            continue
        said = names.get(str(value), value) if key.endswith("_by") else value
        details.append(_detail(key, said, currency, legs))
    return {
        "link": link("events.event", event.pk, verb.capitalize()),
        "badge": badge(event.state),
        "at": when(event.at),
        "who": event.actor.get("label") or event.actor.get("id", ""),
        "role": event.actor.get("role", ""),
        "details": details,
    }


def _detail(key: str, value: Any, currency: str, legs: dict[str, str]) -> SafeString | str:
    label = key.replace("_", " ")
    if key in ("code", "next_step"):
        return _code(str(value)) if key == "code" else NEXT.get(str(value), f"{label}: {value}")
    if key == "reasons" and isinstance(value, list):
        return "; ".join(str(item.get("reason") or item.get("rule", "")) for item in value if isinstance(item, dict))
    if type(value) is int and (key in MONEY or key.startswith("amount_")):
        return f"{label}: {money_text(value, currency)}"
    if key in PAGES:
        return link(PAGES[key], value, legs.get(str(value), label))
    if key in ("message", "reason"):
        return str(value)
    return f"{label}: {value}"


def _code(code: str) -> str:
    known = blockers.BLOCKERS.get(code)
    return f"{known.title}." if known is not None else f"The bank's code: {code}."


def _tables(request: HttpRequest, transfer: Transfer, legs: list[BankInstruction]) -> Iterable[Table | None]:
    may = request.user.has_perm
    if may("transfers.view_bankinstruction"):
        yield _legs(transfer, legs)
    if may("funds.view_verification"):
        yield _decisions(transfer)
    if may("ledger.view_entry"):
        yield _postings(transfer)
    if may("funds.view_reservation"):
        yield _place(transfer)
    if may("transfers.view_break"):
        yield _breaks(transfer)


def _legs(transfer: Transfer, legs: list[BankInstruction]) -> Table:
    rows = []
    for leg in legs:
        outcome = " · ".join(part for part in (leg.return_code, leg.reason) if part)
        rows.append(
            (
                format_html(
                    '{} at {}<div class="bridge-id bridge-muted" title="reference on statements">{}</div>',
                    link("transfers.bankinstruction", leg.pk, f"{leg.get_kind_display()} {leg.attempt}"),
                    leg.institution,
                    leg.reference,
                ),
                format_html('{}<div class="bridge-muted">{}</div>', badge(leg.state), outcome),
                amount(leg.amount, leg.currency),
                amount(leg.settled_amount, leg.currency) if leg.settled_amount else "",
                when(leg.submitted_at),
                when(leg.settled_at or leg.ended_at),
            )
        )
    return Table(
        title="Legs",
        headers=("leg", "state", "amount", "settled", "sent", "ended"),
        rows=rows,
        empty="No bank was asked for anything yet: the money is with the investor.",
        numeric=frozenset({2, 3}),
    )


def _decisions(transfer: Transfer) -> Table:
    runs = Verification.objects.filter(transfer_id=transfer.pk).order_by("id")[:MOST]
    rows: list[tuple[object, ...]] = []
    for run in runs:
        head: tuple[object, object] = (link("funds.verification", run.pk, run.get_stage_display()), when(run.at))
        for decision in run.decisions:
            if decision.get("outcome") != "pass":
                rows.append((*head, _rule(decision), badge(decision.get("outcome", "")), decision.get("reason", "")))
                head = ("", "")
        passed = [decision for decision in run.decisions if decision.get("outcome") == "pass"]
        if passed:
            said = format_html_join("", "<li>{}: {}</li>", ((_rule(each), each.get("reason", "")) for each in passed))
            number = f"{len(passed)} rule{'s' if len(passed) != 1 else ''}"
            closed = format_html(
                '<details><summary>{}</summary><ul class="bridge-list">{}</ul></details>', number, said
            )
            rows.append((*head, closed, badge("pass"), "nothing stands in the way"))
    return Table(
        title="Decisions of the rules",
        headers=("stage", "at", "rule", "outcome", "reason"),
        rows=rows,
        empty="No rule has judged it yet.",
    )


def _rule(decision: dict[str, Any]) -> str:
    return f"{str(decision.get('rule', '')).replace('_', ' ')} v{decision.get('version', '')}"


def _postings(transfer: Transfer) -> Table:
    """Each posting with what it moved to and from, as in a T-account."""
    entries: list[Entry] = list(ledger.entries_of(transfer.pk)[:MOST])
    rows = []
    shown = None
    for entry in entries:
        first, shown = entry.posting_id != shown, entry.posting_id
        account = entry.account
        owner = "fund" if account.kind in FUND_KINDS and account.owner_id == transfer.fund_id else ""
        name = f"{account.get_kind_display()}{f' ({owner})' if owner else ''}"  # type: ignore[attr-defined]
        rows.append(
            (
                row_link(entry.posting_id, entry.posting.row) if first else "",
                when(entry.posting.effective_at) if first else "",
                link("ledger.ledgeraccount", account.pk, name),
                amount(entry.amount, account.currency) if entry.amount > 0 else "",
                amount(-entry.amount, account.currency) if entry.amount < 0 else "",
            )
        )
    return Table(
        title="Postings",
        headers=("row", "bank's date", "account", "to (+)", "from (−)"),
        rows=rows,
        empty="Nothing was posted: no money has moved.",
        numeric=frozenset({3, 4}),
        more=rows_url("ledger.posting", q=transfer.public_id) if rows else "",
    )


def _place(transfer: Transfer) -> Table:
    rows = Reservation.objects.filter(transfer_id=transfer.pk).select_related("allocation")
    return Table(
        title="Place in the fund",
        headers=("reservation", "state", "amount", "expires", "allocation"),
        rows=[
            (
                id_link("reservation", "funds.reservation", row.pk),
                badge(row.state),
                amount(row.amount, transfer.currency),
                when(row.expires_at),
                id_link("allocation", "funds.allocation", row.allocation_id),
            )
            for row in rows
        ],
        empty="No place was taken.",
        numeric=frozenset({2}),
    )


def _breaks(transfer: Transfer) -> Table | None:
    rows = list(Break.objects.filter(transfer_id=transfer.pk).order_by("first_seen_at")[:MOST])
    if not rows:
        return None
    return Table(
        title="Breaks",
        headers=("break", "state", "ours", "theirs", "explanation"),
        rows=[
            (
                link("transfers.break", row.pk, row.get_kind_display()),  # type: ignore[attr-defined]
                badge("resolved", colour="grey") if row.resolved_at else badge("open", colour="red"),
                amount(row.ours, row.currency),
                amount(row.theirs, row.currency),
                row.explanation,
            )
            for row in rows
        ],
        numeric=frozenset({2, 3}),
    )
