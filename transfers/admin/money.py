"""What people decide about a transfer's money: the firm's own, another fund, another account of the investor."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from django import forms

from accounts.ledger import firm
from accounts.models import InvestorAccount
from bridge.approvals import services as approvals
from bridge.approvals.asking import ASKED, asks
from bridge.approvals.services import Proposal
from bridge.console import inputs
from bridge.console.acting import Verb
from bridge.kernel.errors import BridgeError
from bridge.kernel.money import display
from bridge.kernel.results import Actor, Change, Done, Refused, Result
from funds.models import Fund
from transfers.admin.verbs import safe
from transfers.asked import LONGEST_WHY
from transfers.blockers import DEEDS, Deed
from transfers.models import Receipt, Transfer
from transfers.money_approvals import PAY_ELSEWHERE, REDIRECT, TOP_UP, WRITE_OFF
from transfers.receipt_approvals import IDENTIFY
from transfers.services import covering, identifying, redirecting
from transfers.services.covering import TopUp

MOST = 100  # of a list to choose from


def _why(help_text: str) -> forms.CharField:
    return inputs.words(f"{help_text} Kept for ever.", longest=LONGEST_WHY)


class TopUpForm(forms.Form):
    """How much the firm adds, and why."""

    amount = inputs.Amount(least=1)
    why = _why("Why the firm bears it, and who agreed.")

    def __init__(self, transfer: Transfer, data: Any = None) -> None:
        short, limit = covering.missing(transfer), covering.one_person_limit(transfer)
        super().__init__(data, initial={"amount": short or None})
        free = display(firm.float_of(transfer.currency).free, transfer.currency)
        says = (
            f"{display(short, transfer.currency)} is missing; the firm has {free} free. Up to "
            f"{display(limit, transfer.currency)} is added at once, more is asked of a second person."
        )
        inputs.amount_in(transfer.currency, self, "amount", says=says)


class WriteOffForm(forms.Form):
    why = _why("Why it will not come back, and who agreed to the loss.")

    def __init__(self, transfer: Transfer, data: Any = None) -> None:
        super().__init__(data)
        claim = display(firm.claims_on([transfer.pk]).get(transfer.pk, 0), transfer.currency)
        self.fields["why"].help_text = f"{claim} is advanced. {self.fields['why'].help_text}"


class ReceiptForm(forms.Form):
    """Which unidentified receipt is this transfer's."""

    receipt = inputs.choice([], "Unidentified receipts in this currency, the newest first.", required=True)
    why = _why("How you know, and where that can be seen.")

    def __init__(self, transfer: Transfer, data: Any = None) -> None:
        super().__init__(data)
        rows = Receipt.objects.filter(currency=transfer.currency, state=Receipt.State.UNIDENTIFIED)
        choices = [(str(row.pk), _receipt_text(row)) for row in rows.order_by("-id")[:MOST]]
        self.fields["receipt"].choices = [("", "choose"), *choices]  # type: ignore[attr-defined]


def _receipt_text(row: Receipt) -> str:
    said = " · ".join(part for part in (row.sender, row.reference) if part)
    return f"{display(row.amount, row.currency)} of {row.received_at:%d %b %Y} · {said or 'nothing written'}"


class RedirectForm(forms.Form):
    """To which fund instead."""

    fund = inputs.choice([], "Open funds in this currency. Its rules are run when it is decided.", required=True)
    why = _why("Who asked for it, and where that can be seen.")

    def __init__(self, transfer: Transfer, data: Any = None) -> None:
        super().__init__(data)
        rows = Fund.objects.filter(currency=transfer.currency, status=Fund.Status.OPEN).exclude(pk=transfer.fund_id)
        choices = [(str(row.pk), row.name) for row in rows.order_by("name")[:MOST]]
        self.fields["fund"].choices = [("", "choose"), *choices]  # type: ignore[attr-defined]


class ElsewhereForm(forms.Form):
    """To which other account of the same investor."""

    account = inputs.choice([], "Other accounts of this investor that are open and verified.", required=True)
    why = _why("Who asked for it, and how it was made sure that it was the investor.")

    def __init__(self, transfer: Transfer, data: Any = None) -> None:
        super().__init__(data)
        self.accounts = {str(row.pk): row for row in _others(transfer)}
        choices = [(pk, f"{row.name} at {row.institution} ···{row.number_last4}") for pk, row in self.accounts.items()]
        self.fields["account"].choices = [("", "choose"), *choices]  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        if chosen := self.accounts.get(str(data.get("account"))):
            data["last4"] = chosen.number_last4
        return data


def _others(transfer: Transfer) -> list[InvestorAccount]:
    rows = InvestorAccount.objects.filter(investor_id=transfer.investor_id, currency=transfer.currency)
    return [row for row in rows.order_by("name")[:MOST] if redirecting.unusable(transfer, row) is None]


def _top_up(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    """One person up to the limit, above it a proposal: either way one call of one service."""
    (change,) = changes
    row = Transfer.objects.filter(pk=change.id).first()
    if row is not None and data["amount"] > covering.one_person_limit(row):
        payload = {"amount": data["amount"], "why": data["why"]}
        results = asks(kind=TOP_UP, model=Transfer, payload=lambda change, data: payload)([change], actor, data)
        return [Done(r.id, data={"said": ASKED}) if isinstance(r, Done) else r for r in results]
    wanted = TopUp(change.id, data["amount"], data["why"], change.expected_version)
    return covering.top_up_transfers(top_ups=[wanted], actor=actor)


def _identify(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    (change,) = changes
    proposal = Proposal(
        IDENTIFY, uuid.UUID(data["receipt"]), {"transfer": str(change.id), "why": data["why"]}, data["why"]
    )
    try:
        approvals.propose(proposal=proposal, actor=actor)
    except BridgeError as error:
        return [Refused(change.id, error)]
    return [Done(change.id)]


def _given(*names: str) -> Any:
    return lambda change, data: {name: data[name] for name in (*names, "why")}


def _may_take_a_receipt(transfer: Any) -> bool:
    return transfer.state in identifying.TAKES_MONEY and safe(Deed.IDENTIFY)(transfer)


MONEY_VERBS = (
    Verb(
        name=Deed.TOP_UP,
        label=DEEDS[Deed.TOP_UP].label,
        done="topped up",
        question="The firm adds what the short pay lacks, out of its own float. Once nothing is missing, the deposit "
        "follows.",
        run=_top_up,
        fits=safe(Deed.TOP_UP),
        roles=DEEDS[Deed.TOP_UP].roles,
        icon="add_card",
        build=TopUpForm,
        several=False,
    ),
    Verb(
        name=Deed.IDENTIFY,
        label=DEEDS[Deed.IDENTIFY].label,
        done=ASKED,
        question="A second person is asked to agree that an unidentified receipt belongs to this transfer. It repays "
        "what the firm has advanced; the rest is the transfer's.",
        run=_identify,
        fits=_may_take_a_receipt,
        roles=DEEDS[Deed.IDENTIFY].roles,
        icon="person_search",
        build=ReceiptForm,
        several=False,
    ),
    Verb(
        name=Deed.PAY_ELSEWHERE,
        label=DEEDS[Deed.PAY_ELSEWHERE].label,
        done=ASKED,
        question="A second person is asked to agree that the refund goes to another account of the same investor. A "
        "new order is then sent there.",
        run=asks(kind=PAY_ELSEWHERE, model=Transfer, payload=_given("account", "last4")),
        fits=safe(Deed.PAY_ELSEWHERE),
        roles=DEEDS[Deed.PAY_ELSEWHERE].roles,
        icon="alt_route",
        danger=True,
        build=ElsewhereForm,
        several=False,
    ),
    Verb(
        name=Deed.REDIRECT,
        label=DEEDS[Deed.REDIRECT].label,
        done=ASKED,
        question="A second person is asked to agree that the money goes to another fund. Its place in this fund is "
        "given back, and the other fund's rules must allow it.",
        run=asks(kind=REDIRECT, model=Transfer, payload=_given("fund")),
        fits=safe(Deed.REDIRECT),
        roles=DEEDS[Deed.REDIRECT].roles,
        icon="fork_right",
        build=RedirectForm,
        several=False,
    ),
    Verb(
        name=Deed.WRITE_OFF,
        label=DEEDS[Deed.WRITE_OFF].label,
        done=ASKED,
        question="A second person is asked to agree that the firm gives up what it has advanced. The loss comes out of "
        "the firm's own float.",
        run=asks(kind=WRITE_OFF, model=Transfer, payload=_given()),
        fits=safe(Deed.WRITE_OFF),
        roles=DEEDS[Deed.WRITE_OFF].roles,
        icon="money_off",
        danger=True,
        build=WriteOffForm,
        several=False,
    ),
)
