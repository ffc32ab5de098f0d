"""What people do to investors and accounts in the console besides editing them: compliance, and bank details.

Longer than most modules: what people read and do on the pages of investors and accounts.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from typing import Any

from django import forms
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminPasswordWidget, UnfoldBooleanWidget

from accounts.compliance import CHANGE_DETAILS, PROFILE_FIELDS, record_compliance, sealed_number
from accounts.models import ComplianceProfile, InvestorAccount
from bridge.approvals.asking import ASKED, asks
from bridge.console import inputs
from bridge.console.acting import Verb
from bridge.console.display import badge, link_to, when
from bridge.console.pages import Table, namer, section
from bridge.kernel import clock
from bridge.kernel.bank_details import wrong_details
from bridge.kernel.results import Actor, Change, Done, Result, Role

PEOPLE = frozenset({Role.MAKER, Role.CHECKER, Role.COMPLIANCE})
NUMBER_LENGTH = 34  # an IBAN has at most so many


class ComplianceForm(forms.Form):
    """What was established about an investor. Empty: not known."""

    kyc = inputs.choice([("", "not known"), *ComplianceProfile.Kyc.choices], "Who the investor is.")
    kyc_verified_at = inputs.moment("When that was verified. It ages.")
    sanctions = inputs.choice(
        [("", "not screened"), *ComplianceProfile.Sanctions.choices],
        "A true hit blocks every transfer; money that has moved is frozen, and never refunded by itself.",
    )
    sanctions_screened_at = inputs.moment("When the lists were last asked.")
    accredited = inputs.yes_no("Accredited investor (Rule 501 of Regulation D).")
    accredited_until = inputs.moment("Empty: without expiry.")
    qualified_purchaser = inputs.yes_no("Qualified purchaser (section 2(a)(51)).")
    qualified_purchaser_until = inputs.moment("Empty: without expiry.")
    is_fund = forms.BooleanField(
        required=False, widget=UnfoldBooleanWidget, help_text="The investor is itself a fund: its owners may count."
    )
    look_through_owners = forms.IntegerField(
        min_value=0,
        max_value=1_000_000,
        required=False,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="How many owners stand behind it.",
    )
    reason = inputs.words("On what evidence. Kept in the event log.", longest=300)
    seen_version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, profile: ComplianceProfile | None, data: Any = None) -> None:
        initial: dict[str, Any] = {"seen_version": profile.version if profile else 0}
        if profile is not None:
            initial |= {name: getattr(profile, name) for name in PROFILE_FIELDS}
        super().__init__(data, initial=initial)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name, when_ in (("kyc", "kyc_verified_at"), ("sanctions", "sanctions_screened_at")):
            moment = cleaned.get(when_)
            if moment and moment > clock.now():
                self.add_error(when_, "This is not over yet.")
            if cleaned.get(name) in ("verified", "clear", "true_hit") and not moment and when_ not in self.errors:
                self.add_error(when_, "Say when.")
        return cleaned


def _profile(investor: Any) -> ComplianceProfile | None:
    return ComplianceProfile.objects.filter(pk=investor.pk).first()


def _record(changes: Sequence[Change], actor: Actor, data: dict[str, Any]) -> Sequence[Result]:
    """Only what differs from what is on file is written, against the profile's own version."""
    (change,) = changes
    now = ComplianceProfile.objects.filter(pk=change.id).first() or ComplianceProfile(investor_id=change.id)
    values = {
        name: data[name] for name in PROFILE_FIELDS if data[name] != _to_the_minute(getattr(now, name), data[name])
    }
    row = record_compliance(change=Change(change.id, data["seen_version"], change.reason), values=values, actor=actor)
    return [Done(change.id, "", row.version)]


def _to_the_minute(kept: Any, given: Any) -> Any:
    """A browser's picker knows no seconds: a moment that nobody touched is the same to the minute."""
    if kept is None or given is None or not hasattr(kept, "replace") or not hasattr(kept, "tzinfo"):
        return kept
    return given if kept.replace(second=0, microsecond=0) == given else kept


COMPLIANCE = Verb(
    name="compliance",
    label="Record compliance",
    done="recorded",
    question="The rules read this at the next check of every transfer of this investor.",
    run=_record,
    fits=lambda investor: True,
    roles=frozenset({Role.COMPLIANCE}),
    icon="policy",
    build=lambda row, data: ComplianceForm(_profile(row), data),
    several=False,
)


class DetailsForm(forms.Form):
    """New bank details. What stays empty stays as it is."""

    account_number = forms.CharField(
        min_length=4,
        max_length=NUMBER_LENGTH,
        required=False,
        strip=True,
        widget=UnfoldAdminPasswordWidget(render_value=False, attrs={"autocomplete": "off"}),
        help_text="Sealed at once. Nobody sees it again, the second person neither: only the last four.",
    )
    routing_number = inputs.text("Of the bank.", longest=34)
    owner_name = inputs.text("The owner whom the institution names.", longest=200)
    owner_confirmed = forms.BooleanField(
        required=False, widget=UnfoldBooleanWidget, help_text="It was established that this owner is the investor."
    )
    verified = forms.BooleanField(
        required=False,
        widget=UnfoldBooleanWidget,
        help_text="The new details were verified with the institution. Without it the rules hold transfers.",
    )
    why = inputs.words("Why they change, and how that was checked: a call back on a number known before.", longest=300)

    def __init__(self, row: InvestorAccount, data: Any = None) -> None:
        names = ("routing_number", "owner_name", "owner_confirmed")
        self.row = row
        self.before = {name: getattr(row, name) for name in names}
        super().__init__(data, initial=self.before)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        same = all(cleaned.get(name) == value for name, value in self.before.items())
        if same and not cleaned.get("account_number") and not cleaned.get("verified"):
            raise forms.ValidationError("Nothing differs from what is on file.")
        wrong = wrong_details(
            currency=self.row.currency,
            routing_number=cleaned.get("routing_number") or "",
            rail=self.row.rail,
            account_number=cleaned.get("account_number") or None,
        )
        for name, text in wrong.items():
            self.add_error(name if name in self.fields else None, text)
        cleaned["before"] = self.before
        return cleaned


def _details(change: Change, data: dict[str, Any]) -> dict[str, Any]:
    payload = {name: data[name] for name, value in data["before"].items() if data[name] != value}
    payload |= {"why": data["why"], "verified": data["verified"]}
    if data["account_number"]:
        payload |= sealed_number(account_id=change.id, number=data["account_number"])
    return payload


CHANGE = Verb(
    name="details",
    label="Propose new bank details",
    done=ASKED,
    question="A second person is asked to change the bank details. Until then the old ones are used. Be sure that it "
    "is the investor who asks: changed bank details are how money is stolen.",
    run=asks(kind=CHANGE_DETAILS, model=InvestorAccount, payload=_details),
    fits=lambda account: True,
    roles=PEOPLE,
    icon="edit_note",
    build=DetailsForm,
    several=False,
)


def owner_text(row: InvestorAccount) -> str:
    name = row.owner_name or "not known"
    return f"{name} (confirmed)" if row.owner_confirmed else name


WORDS = {True: badge("yes", colour="green"), False: badge("no", colour="red"), None: badge("not known", colour="grey")}
TONES = {"verified": "green", "clear": "green", "pending": "amber", "possible_hit": "amber"}


@section("accounts.investor", permission="accounts.view_complianceprofile", order=5)
def compliance_of(request: HttpRequest, investor: Any) -> Table:
    row = _profile(investor)
    if row is None:
        return Table(title="Compliance", headers=(), rows=[], empty="Nothing is established about this investor yet.")

    def known(value: str, text: str) -> object:
        return badge(value, text, TONES.get(value, "red")) if value else badge("not known", colour="grey")

    rows: list[tuple[object, ...]] = [
        ("Know your customer", known(row.kyc, row.get_kyc_display()), when(row.kyc_verified_at)),
        ("Sanctions", known(row.sanctions, row.get_sanctions_display()), when(row.sanctions_screened_at)),
        ("Accredited investor", WORDS[row.accredited], _until(row.accredited_until)),
        ("Qualified purchaser", WORDS[row.qualified_purchaser], _until(row.qualified_purchaser_until)),
    ]
    if row.is_fund:
        owners = "not known" if row.look_through_owners is None else f"{row.look_through_owners:,} owners"
        rows.append(("Is itself a fund", badge("yes", colour="blue"), owners))
    note = f"Version {row.version}, of {row.updated_at:%d %b %Y %H:%M} UTC."
    return Table(title="Compliance", headers=("what", "is", "when"), rows=rows, note=note)


def _until(moment: Any) -> object:
    return when(moment) if moment else ""


@namer("owner", permission="accounts.view_investoraccount")
def accounts_named(keys: Collection[uuid.UUID]) -> dict[uuid.UUID, object]:
    """The investor accounts among these owners."""
    rows = InvestorAccount.objects.filter(pk__in=keys).select_related("investor")
    return {row.pk: link_to(row, f"{row.investor}, {row}") for row in rows}
