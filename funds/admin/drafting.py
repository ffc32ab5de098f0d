"""The form of a draft: one typed field for each parameter of its rule."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from bridge.console import inputs
from bridge.kernel.money import is_currency
from bridge.kernel.results import Change
from funds.models import Fund, RuleParameters
from funds.rulebook import Draft
from funds.rules.registry import Rule, refusals
from funds.rules.wording import currency_of, value_words

PREFIX = "value_"
LONGEST = 60
FALLBACK = "USD"  # how an amount is read while its currency is none: the form is refused anyway


class DraftForm(forms.Form):
    """One field for each parameter of a rule; an empty one takes its default. `row`: the draft that is edited."""

    seen_version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, rule: Rule, row: RuleParameters | None, data: Any = None, fund: str = "") -> None:
        initial: dict[str, Any] = {"fund": fund}
        if row is not None:
            initial = {f"{PREFIX}{name}": _shown(value) for name, value in row.values.items()}
            initial |= {"effective_from": row.effective_from, "effective_to": row.effective_to, "note": row.note}
            initial["seen_version"] = row.version
        super().__init__(data, initial=initial)
        self.rule, self.row = rule, row
        if row is None:
            self.fields["fund"] = forms.ModelChoiceField(
                Fund.objects.order_by("name"),
                required=False,
                empty_label="all funds",
                widget=UnfoldAdminSelectWidget,
                help_text="A fund's own values stand alone: they do not add to those for all funds.",
            )
        entered = self._entered()
        for name in rule.parameters:
            currency = currency_of(rule, name, entered)
            self.fields[PREFIX + name] = field_for(rule, name, money=bool(currency))
            if currency:
                inputs.amount_in(currency if is_currency(currency) else FALLBACK, self, PREFIX + name)
        self.fields["effective_from"] = inputs.moment("From when on. Empty: from its activation on.")
        self.fields["effective_to"] = inputs.moment("Until when. Empty: until other values take their place.")
        self.fields["note"] = inputs.text("Why the values change. Kept with them.")

    def _entered(self) -> dict[str, Any]:
        """The currencies that the form names, as sent or as kept: amounts are written in them."""
        names = {parameter.currency for parameter in self.rule.parameters.values()} & self.rule.parameters.keys()
        found = self.data if self.is_bound else self.initial
        entered = {name: str(found.get(PREFIX + name) or "").strip() for name in names}
        return {name: code for name, code in entered.items() if code}

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        for name, code in self._entered().items():
            if not is_currency(code):
                self.add_error(PREFIX + name, "Name a currency of ISO 4217, such as USD.")
        if not any(name.startswith(PREFIX) for name in self.errors):
            for name, why in refusals(rule=self.rule.id, values=self.values(cleaned)).items():
                self.add_error(PREFIX + name if PREFIX + name in self.fields else None, f"It {why}.")
        begins, ends = cleaned.get("effective_from"), cleaned.get("effective_to")
        if begins and ends and ends <= begins:
            self.add_error("effective_to", "It must end after it begins.")
        return cleaned

    def values(self, cleaned: dict[str, Any]) -> dict[str, Any]:
        """What was entered; what was left empty has the default."""
        found = {name: cleaned.get(PREFIX + name) for name in self.rule.parameters}
        return {name: value for name, value in found.items() if value not in (None, "")}

    def draft(self) -> Draft:
        data = self.cleaned_data
        begins: datetime | None = data["effective_from"]
        fund = self.row.fund_id if self.row else (data["fund"].pk if data["fund"] else None)
        return Draft(self.rule.id, self.values(data), fund, begins, data["effective_to"], data["note"])

    def change(self) -> Change:
        """Of the draft that is edited, in the version that the person saw; -1 where the form named none."""
        assert self.row is not None
        seen = self.cleaned_data.get("seen_version")
        return Change(self.row.pk, -1 if seen is None else seen)


def field_for(rule: Rule, name: str, *, money: bool) -> forms.Field:
    """By the parameter's kind, with its help and its default. `money`: as people write it."""
    parameter = rule.parameters[name]
    default = value_words(rule, name, rule.defaults)
    help_text = f"{parameter.help} Default: {default}."
    field: forms.Field
    if parameter.kind is bool:
        field = inputs.yes_no(help_text, empty=f"default ({default})")
    elif money:
        field = inputs.Amount(help_text, required=False)
        field.widget.attrs["placeholder"] = default
    elif parameter.kind is int:
        field = forms.IntegerField(
            min_value=0,
            required=False,
            help_text=help_text,
            widget=UnfoldAdminIntegerFieldWidget(attrs={"placeholder": default}),
        )
    else:
        field = forms.CharField(
            max_length=LONGEST,
            required=False,
            strip=True,
            help_text=help_text,
            widget=UnfoldAdminTextInputWidget(attrs={"placeholder": default}),
        )
    field.label = name.replace("_", " ")
    return field


def _shown(value: Any) -> Any:
    return str(value) if isinstance(value, bool) else value
