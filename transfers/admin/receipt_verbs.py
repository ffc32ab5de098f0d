"""What people do about a receipt: find to which transfer it may belong, and ask a second person to agree."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextInputWidget

from bridge.approvals.asking import ASKED, asks
from bridge.console import inputs
from bridge.console.acting import Verb
from bridge.console.display import amount, badge, id_link, link_to
from bridge.console.pages import Table, section
from bridge.kernel import clock
from bridge.kernel.api.naming import inside
from bridge.kernel.errors import MalformedId
from bridge.kernel.results import Change
from transfers.asked import LONGEST_REFERENCE, LONGEST_WHY, MAKERS
from transfers.likely import likely_transfers
from transfers.models import Receipt, Transfer
from transfers.receipt_approvals import IDENTIFY, SEND_BACK


def is_open(receipt: Any) -> bool:
    return receipt.state == Receipt.State.UNIDENTIFIED


class IdentifyForm(forms.Form):
    """Which transfer, and how one knows."""

    transfer = inputs.choice([], "The likeliest ones by what the sender wrote, amount and name.")
    other = inputs.text("Another transfer's id (trf_…), if it is none of these.", longest=64)
    why = inputs.words("How you know, and where that can be seen. Kept for ever.", longest=LONGEST_WHY)

    def __init__(self, receipt: Receipt, data: Any = None) -> None:
        super().__init__(data)
        likely = [(str(item.transfer.pk), _likely_text(item.transfer)) for item in likely_transfers(receipt)]
        self.fields["transfer"].choices = [("", "choose"), *likely]  # type: ignore[attr-defined]
        self.fields["other"].label = "or by its id"

    def clean(self) -> dict[str, Any]:
        data = super().clean() or {}
        other = str(data.get("other") or "").strip()
        if other:
            try:
                data["transfer"] = str(inside(other))
            except MalformedId:
                self.add_error(
                    "other", "This is no transfer's id. It begins with trf_ and has 30 characters; copy it all."
                )
        elif not data.get("transfer") and "transfer" not in self.errors:
            self.add_error("transfer", "Choose a transfer, or give the id of another one below.")
        return data


def _likely_text(transfer: Transfer) -> str:
    return (
        f"{transfer.public_id[:8]}…{transfer.public_id[-6:]} · {transfer.investor} → {transfer.fund} · {transfer.state}"
    )


class WhyForm(forms.Form):
    why = inputs.words("How you know, and where that can be seen. Kept for ever.", longest=LONGEST_WHY)


class SentBackForm(forms.Form):
    """The payment by which the bank sent it back; Bridge does not make it."""

    bank_reference = forms.CharField(
        max_length=LONGEST_REFERENCE,
        strip=True,
        widget=UnfoldAdminTextInputWidget,
        help_text="The bank's reference of the payment that sent it back, as it will stand on the statement.",
    )
    paid_on = inputs.day("Paid on", "The bank's day of that payment, in UTC.")
    why = inputs.words("Why it went back, and who agreed. Kept for ever.", longest=LONGEST_WHY)

    def __init__(self, receipt: Receipt, data: Any = None) -> None:
        super().__init__(data, initial={"paid_on": clock.now().date()})
        self.first = receipt.received_at.date()

    def clean_paid_on(self) -> Any:
        day, today = self.cleaned_data["paid_on"], clock.now().date()
        if not self.first <= day <= today:
            raise forms.ValidationError(f"Give a day from {self.first}, when it came, to today, {today}.")
        return day


def _identified(change: Change, data: dict[str, Any]) -> dict[str, Any]:
    return {"transfer": data["transfer"], "why": data["why"]}


def _own(change: Change, data: dict[str, Any]) -> dict[str, Any]:
    return {"of_the_firm": True, "why": data["why"]}


def _sent_back(change: Change, data: dict[str, Any]) -> dict[str, Any]:
    return {"bank_reference": data["bank_reference"], "paid_on": data["paid_on"].isoformat(), "why": data["why"]}


RECEIPT_VERBS = (
    Verb(
        name="identify",
        label="Identify with a transfer",
        done=ASKED,
        question="A second person is asked to agree that this money belongs to the transfer. It then repays what the "
        "firm has advanced for it; the rest is the transfer's.",
        run=asks(kind=IDENTIFY, model=Receipt, payload=_identified),
        fits=is_open,
        roles=MAKERS,
        icon="person_search",
        build=IdentifyForm,
        several=False,
    ),
    Verb(
        name="own",
        label="It is the firm's own",
        done=ASKED,
        question="A second person is asked to agree that the firm itself paid this in. It then belongs to its float.",
        run=asks(kind=IDENTIFY, model=Receipt, payload=_own),
        fits=is_open,
        roles=MAKERS,
        icon="savings",
        form=WhyForm,
        several=False,
    ),
    Verb(
        name="sent_back",
        label="It was sent back",
        done=ASKED,
        question="The bank has sent this money back to whom it came from: you instructed it outside Bridge. A second "
        "person is asked to confirm that payment by its reference. Bridge pays nothing.",
        run=asks(kind=SEND_BACK, model=Receipt, payload=_sent_back),
        fits=is_open,
        roles=MAKERS,
        icon="undo",
        danger=True,
        build=SentBackForm,
        several=False,
    ),
)


@section("transfers.receipt", permission="transfers.view_transfer", order=10)
def likely(request: HttpRequest, receipt: Any) -> Table | None:
    """Only while somebody has to decide."""
    if not is_open(receipt):
        return None
    return Table(
        title="Transfers to which it may belong",
        headers=("transfer", "state", "amount", "investor", "fund", "because"),
        rows=[
            (
                id_link("transfer", "transfers.transfer", item.transfer.pk),
                badge(item.transfer.state),
                amount(item.transfer.amount, item.transfer.currency),
                link_to(item.transfer.investor),
                link_to(item.transfer.fund),
                "; ".join(item.reasons),
            )
            for item in likely_transfers(receipt)
        ],
        empty="Nothing fits by reference, amount or sender. Search the transfers, ask the bank, or send it back.",
        numeric=frozenset({2}),
        note="By what the sender wrote, by amount and by name. It is a suggestion: look before you decide.",
    )
