"""The firm's own money in the settlement accounts: how much, what of it is out as advances, and what moved it.

Longer than most modules: the page, its form and the movements are one subject.
"""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace
from typing import Any, ClassVar

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Q, Sum
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget

from accounts.ledger import firm
from bridge.approvals.models import Approval
from bridge.approvals.services import Proposal
from bridge.console import inputs
from bridge.console.base import actor_of
from bridge.console.display import amount, badge, id_link, link, money_text, rows_link, rows_url, when, whole_id
from bridge.console.pages import Table
from bridge.kernel import clock
from transfers.admin.reversals import ReversingAdmin
from transfers.asked import LONGEST_REFERENCE, LONGEST_WHY, MAKERS, OLDEST
from transfers.float_approvals import PUT_IN, TAKE_OUT, payment_id
from transfers.models import FloatMovement, Receipt, Transfer

NEWEST = 15
K = FloatMovement.Kind
COLOURS = {K.PUT_IN: "green", K.TAKEN_OUT: "amber", K.CHARGE: "grey"}
ASKS = {
    "put-in": SimpleNamespace(
        kind=PUT_IN,
        label="Put money in",
        icon="add",
        danger=False,
        question="The firm has paid money of its own into the settlement account. A second person is asked to confirm "
        "that payment by the bank's reference. Bridge moves nothing.",
    ),
    "take-out": SimpleNamespace(
        kind=TAKE_OUT,
        label="Take money out",
        icon="remove",
        danger=True,
        question="The firm has taken money of its own out of the settlement account. A second person is asked to "
        "confirm that payment by the bank's reference. What is out as advances must stay.",
    ),
}


class FundingForm(forms.Form):
    """A payment of the firm's own, as its bank states it."""

    currency = inputs.choice([], required=True)
    amount = inputs.Amount("As the statement has it.", least=1)
    bank_reference = forms.CharField(
        max_length=LONGEST_REFERENCE,
        strip=True,
        widget=UnfoldAdminTextInputWidget,
        help_text="The bank's reference of the payment, as it stands on the statement. Each is booked once.",
    )
    paid_on = inputs.day("Paid on", "The bank's day of the payment, in UTC.")
    why = inputs.words("What it is for, and who agreed. Kept for ever.", longest=LONGEST_WHY)

    def __init__(self, data: Any, *, currency: str) -> None:
        super().__init__(data, initial={"paid_on": clock.now().date(), "currency": currency})
        known = firm.currencies()
        nothing = [] if currency in known or len(known) == 1 else [("", "choose one")]
        self.fields["currency"].choices = [*nothing, *((code, code) for code in known)]  # type: ignore[attr-defined]
        chosen = self["currency"].value()
        if chosen in known and (self.is_bound or len(known) == 1):  # another is refused by itself
            inputs.amount_in(chosen, self, "amount")

    def clean_paid_on(self) -> date:
        """As the request itself is judged, told beside the field and in words."""
        day, today = self.cleaned_data["paid_on"], clock.now().date()
        if day > today:
            raise forms.ValidationError(f"This day is in the future. Today is {today:%d %b %Y} (UTC).")
        if day < today - OLDEST:
            first = today - OLDEST
            raise forms.ValidationError(f"This day is too long ago. Give one from {first:%d %b %Y} to today.")
        return day

    def payload(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {**data, "paid_on": data["paid_on"].isoformat()}


@admin.register(FloatMovement)
class FloatMovementAdmin(ReversingAdmin):
    list_display = ("public", "kind_badge", "money", "bank_reference", "effective", "why", "posting")
    list_filter = ("kind", "currency")
    search_fields = ("bank_reference__exact",)
    search_help_text = "An id (mov_…, pst_…) or the bank's reference."
    ordering = ("-id",)
    id_columns: ClassVar = {"movement": "id", "posting": "posting_id"}
    fields = (
        "identifier",
        "kind_badge",
        "money",
        "account",
        "bank_reference",
        "shown_by",
        "why",
        "effective",
        "made_by",
        "approved_by",
        "recorded_at",
        "posting",
        "reversed_at",
    )

    def get_urls(self) -> list[URLPattern]:
        def view(of: Any) -> Any:
            return transaction.non_atomic_requests(self.admin_site.admin_view(of))

        return [
            path("float/", view(self.float_view), name="transfers_float"),
            path("float/<slug:what>/", view(self.ask_view), name="transfers_float_ask"),
            *super().get_urls(),
        ]

    def find(self, term: str) -> Q:
        return Q(bank_reference=term)

    # --- the page of the float

    def float_view(self, request: HttpRequest) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        may = actor_of(request, among=MAKERS) is not None
        context = {
            **self.admin_site.each_context(request),
            "title": "The firm's float",
            "opts": self.opts,
            "floats": [self._of(currency, may=may) for currency in firm.currencies()],
        }
        return TemplateResponse(request, "console/float.html", context)

    def _of(self, currency: str, *, may: bool) -> dict[str, Any]:
        held = firm.float_of(currency)
        waiting = Receipt.objects.filter(currency=currency, state=Receipt.State.UNIDENTIFIED)
        open_ = waiting.aggregate(total=Sum("amount"))["total"] or 0
        return {
            "currency": currency,
            "short": held.free < 0,
            "facts": [
                ("Put in and not used up", amount(held.own, currency)),
                ("Out as advances", amount(held.claims, currency)),
                ("Free to use", amount(held.free, currency)),
                (
                    "Unidentified receipts",
                    rows_link("transfers.receipt", money_text(open_, currency), currency=currency),
                ),
            ],
            "verbs": _verbs(currency) if may else [],
            "tables": [*_waiting(currency), self._claims(currency), self._newest(currency)],
        }

    def _claims(self, currency: str) -> Table:
        claims = firm.open_claims(currency)
        rows = Transfer.objects.filter(pk__in=claims).select_related("investor", "fund").order_by("id")
        return Table(
            title=f"Open claims in {currency}",
            headers=("transfer", "state", "advanced", "investor", "fund", "since"),
            rows=[
                (
                    id_link("transfer", "transfers.transfer", row.pk),
                    badge(row.state),
                    amount(claims[row.pk], currency),
                    str(row.investor),
                    str(row.fund),
                    when(row.blocked_at),
                )
                for row in rows
            ],
            empty="The firm has advanced nothing that is not repaid.",
            numeric=frozenset({2}),
        )

    def _newest(self, currency: str) -> Table:
        rows = FloatMovement.objects.filter(currency=currency).order_by("-id")[:NEWEST]
        return Table(
            title=f"Newest movements in {currency}",
            headers=("movement", "what", "amount", "bank's reference", "bank's date", "why"),
            rows=[
                (
                    id_link("movement", "transfers.floatmovement", row.pk),
                    self.kind_badge(row),
                    self.money(row),
                    row.bank_reference,
                    when(row.effective_at),
                    row.why,
                )
                for row in rows
            ],
            empty="Nothing was put in, taken out or charged yet.",
            more=rows_url("transfers.floatmovement", currency=currency) if rows else "",
            numeric=frozenset({2}),
        )

    # --- asking a second person

    def ask_view(self, request: HttpRequest, what: str) -> HttpResponse:
        """Put in or take out: the form, then a proposal."""
        currency = request.GET.get("currency", "")
        if what not in ASKS or (currency and currency not in firm.currencies()):
            raise Http404
        verb, actor = ASKS[what], self.maker(request)
        form = FundingForm(request.POST if request.method == "POST" else None, currency=currency)
        back = reverse("admin:transfers_float")
        if request.method == "POST" and form.is_valid():
            given = form.payload()
            subject = payment_id(given["currency"], given["bank_reference"])
            if self.propose(request, Proposal(verb.kind, subject, given, given["why"]), actor):
                return HttpResponseRedirect(back)
        return self.ask_for(request, verb, form, back=back, listed=[])

    # --- columns

    @display(description="movement")
    def public(self, row: FloatMovement) -> str:
        return id_link("movement", "transfers.floatmovement", row.pk)

    @display(description="movement")
    def identifier(self, row: FloatMovement) -> str:
        return whole_id("movement", row.pk)

    @display(description="what")
    def kind_badge(self, row: FloatMovement) -> str:
        word = "reversed" if row.reversed_at else row.get_kind_display()  # type: ignore[attr-defined]
        return badge(row.kind, word, "grey" if row.reversed_at else COLOURS[K(row.kind)])

    @display(description="amount", ordering="amount")
    def money(self, row: FloatMovement) -> str:
        return amount(row.amount if row.kind == K.PUT_IN else -row.amount, row.currency)

    @display(description="bank's date", ordering="effective_at")
    def effective(self, row: FloatMovement) -> str:
        return when(row.effective_at)

    @display(description="posting")
    def posting(self, row: FloatMovement) -> str:
        return link("ledger.posting", row.posting_id, "posting")


def _waiting(currency: str) -> list[Table]:
    """What was asked for and nobody has decided: whoever comes next sees it before asking again."""
    rows = Approval.objects.filter(
        kind__in=(PUT_IN, TAKE_OUT), state=Approval.State.OPEN, payload__currency=currency
    ).order_by("pk")
    makers = {row.maker for row in rows if row.maker.isdecimal()}
    users = get_user_model().objects.filter(pk__in=makers).values_list("pk", "username")
    names = {str(pk): name for pk, name in users}
    table = Table(
        title=f"Waiting for a second person, in {currency}",
        headers=("decision", "amount", "bank's reference", "bank's date", "expires"),
        rows=[
            (
                format_html(
                    '{}<div class="bridge-muted">asked by {}, {}</div>',
                    link("approvals.approval", row.pk, row.summary),
                    names.get(row.maker, row.maker),
                    when(row.created_at),
                ),
                amount(row.payload["amount"] if row.kind == PUT_IN else -row.payload["amount"], currency),
                row.payload["bank_reference"],
                row.payload["paid_on"],
                when(row.expires_at),
            )
            for row in rows
        ],
        numeric=frozenset({1}),
    )
    return [table] if table.rows else []


def _verbs(currency: str) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "label": verb.label,
            "icon": verb.icon,
            "danger": verb.danger,
            "url": f"{reverse('admin:transfers_float_ask', args=[name])}?currency={currency}",
        }
        for name, verb in ASKS.items()
    ]
