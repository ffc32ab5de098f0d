"""The case of a transfer: where its family's money is and was, who decided what, and that nothing is gone."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from accounts.ledger.kinds import Kind
from bridge.approvals.models import Approval
from bridge.console.display import amount, badge, id_link, link, link_to, money_text, when
from bridge.console.pages import Button, Table, button
from bridge.events.models import Event
from bridge.kernel import clock
from funds.models import Fund
from transfers import blockers, cases
from transfers.admin.row_words import row_link
from transfers.admin.story import NEXT
from transfers.cases import PLACES, Case, Movement
from transfers.desk import age
from transfers.models import BankInstruction, Transfer

NUMERIC = frozenset({1, 2, 3})
POLICY = {
    Fund.OnDepositFailure.REFUND: "refund the investor by itself",
    Fund.OnDepositFailure.HOLD: "hold the money until people decide",
}


@button("transfers.transfer")
def to_case(request: HttpRequest, row: Any) -> Button | None:
    """On the page of every transfer whose money has begun to move."""
    if not request.user.has_perm("ledger.view_entry"):
        return None
    if not BankInstruction.objects.filter(transfer_id=row.pk).exists() and row.split_from_id is None:
        return None
    url = reverse("admin:transfers_transfer_case", args=[row.pk])
    return Button("case", "Follow the money", "account_tree", url)


def context(request: HttpRequest, transfer: Transfer) -> dict[str, Any]:
    """Everything that the template needs, but for the buttons."""
    case = cases.case_of(transfer)
    names = _names(case)
    currency = case.currency
    may_decide = request.user.has_perm("approvals.view_approval")
    return {
        "case": case,
        "title": f"Case of {transfer.public_id}",
        "money": money_text(sum(row.amount for row in case.members if row.split_from_id is None), currency),
        "way": format_html("{} → {}", link_to(transfer.investor), link_to(transfer.fund)),
        "age": age(clock.now() - case.since) if case.since else "",
        "since": case.since and when(case.since),
        "policy": POLICY[Fund.OnDepositFailure(transfer.fund.on_deposit_failure)],
        "members": [_member(row) for row in case.members],
        "places": [_place(name, total, currency) for name, total in case.now.items()],
        "proof": _proof(case),
        "turns": [_turn(event, currency) for event in case.turns],
        "approvals": [_approval(row, names) for row in case.approvals] if may_decide else [],
        "tables": [_account(name, lines, currency) for name, lines in case.accounts.items()],
    }


def _names(case: Case) -> dict[str, str]:
    """Names of the logins that asked and decided."""
    logins = {login for row in case.approvals for login in (row.maker, row.checker) if login.isdecimal()}
    users = get_user_model().objects.filter(pk__in=logins).values_list("pk", "username")
    return {str(pk): name for pk, name in users}


def _member(row: Transfer) -> dict[str, object]:
    blocker = blockers.of(row.blocker_code) if row.blocker_code else None
    return {
        "link": id_link("transfer", "transfers.transfer", row.pk),
        "badge": badge(row.state),
        "amount": amount(row.amount, row.currency),
        "part": "split off" if row.split_from_id else "",
        "blocker": blocker,
        "message": row.blocker_message,
        "next": row.get_next_step_display(),  # type: ignore[attr-defined]
        "final": row.final_at and when(row.final_at),
    }


def _place(name: str, total: int, currency: str) -> dict[str, object]:
    """What lies at one place now. An investor's account shows what it has given."""
    if name == "investor" and total < 0:
        return {"title": "Left the investor's account", "amount": amount(-total, currency), "tone": ""}
    tone = {"fund": "green", Kind.FROZEN: "red", Kind.FIRM_ADVANCE: "red"}.get(name, "")
    return {"title": PLACES[name], "amount": amount(total, currency), "tone": tone}


def _proof(case: Case) -> dict[str, object]:
    proof = case.proof
    came = [("Withdrawn from investors", proof.withdrawn), ("Returned to their banks", -proof.returned)]
    came += [(label, sum_) for label, sum_ in (("Paid by the firm", proof.firm), ("Received", proof.received)) if sum_]
    went = [("Deposited with the fund", proof.deposited), ("Refunded to investors", proof.refunded)]
    went += [("Kept by banks", proof.fees), ("Still on the bridge", proof.open)]

    def shown(rows: list[tuple[str, int]]) -> list[tuple[str, object]]:
        total = sum(value for _, value in rows)
        return [(label, amount(value, case.currency)) for label, value in [*rows, ("Together", total)]]

    if not proof.holds:
        word, tone = "Does not agree. Tell the engineers, and move nothing by hand.", "red"
    elif proof.is_closed:
        word, tone = "Netted to zero: everything that left is accounted for, and nothing is on the bridge.", "green"
    else:
        word, tone = "Everything that left is accounted for; the case is still open.", "green" if proof.holds else "red"
    return {
        "came": shown(came),
        "went": shown(went),
        "word": word,
        "tone": tone,
        "rest": amount(proof.missing, case.currency),
        "claims": money_text(proof.claims, case.currency) if proof.claims else "",
    }


def _turn(event: Event, currency: str) -> dict[str, object]:
    """Where the case took another way: what was reported or decided, why, and by whom."""
    data = event.data
    reasons = [str(item.get("reason", "")) for item in data.get("reasons") or [] if isinstance(item, dict)]
    said = [str(data[key]) for key in ("message", "reason") if data.get(key)]
    code = str(data.get("code", ""))
    known = blockers.BLOCKERS.get(code)
    if known is not None and event.type == "transfer.unblocked":
        said.insert(0, f"No longer: {known.title.lower()}.")
    elif code and known is None:
        said.append(f"The bank's code: {code}.")
    if data.get("next_step"):
        said.append(NEXT.get(str(data["next_step"]), ""))
    return {
        "link": link("events.event", event.pk, event.type.partition(".")[2].replace("_", " ").capitalize()),
        "badge": badge(event.state),
        "at": when(event.at),
        "who": event.actor.get("label") or event.actor.get("id", ""),
        "role": event.actor.get("role", ""),
        "said": [*reasons, *said],
    }


def _approval(row: Approval, names: dict[str, str]) -> dict[str, object]:
    return {
        "link": link("approvals.approval", row.pk, row.summary),
        "badge": badge(row.state, row.get_state_display()),  # type: ignore[attr-defined]
        "asked": when(row.created_at),
        "maker": names.get(row.maker, row.maker),
        "decided": row.decided_at and when(row.decided_at),
        "checker": names.get(row.checker, row.checker),
        "why": row.reason or str(row.payload.get("why", "")),
    }


def _account(name: str, lines: tuple[Movement, ...], currency: str) -> Table:
    """One place as a T-account: what came or left, what was there then; the bank's dates."""
    rows = [
        (
            format_html(
                '{}<div class="bridge-muted">{}</div>',
                row_link(line.posting.pk, line.posting.row),
                when(line.at),
            ),
            _figure(line.amount, currency) if line.amount > 0 else "",
            _figure(-line.amount, currency) if line.amount < 0 else "",
            _figure(line.balance, currency),
        )
        for line in lines
    ]
    return Table(
        title=f"{PLACES[name]}, {currency}",
        headers=("row", "came (+)", "left (−)", "in all" if name == "investor" else "there"),
        rows=rows,
        numeric=NUMERIC,
    )


def _figure(value: int, currency: str) -> SafeString:
    """Money without its currency, which stands in the title."""
    text = money_text(value, currency).replace(currency, "").replace("\u00a0", " ").replace(" ", "")
    return format_html('<span class="bridge-money">{}</span>', text)
