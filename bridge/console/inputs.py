"""Fields of the console's own forms: money as people write it, moments and days in UTC, yes-no-unknown."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from bridge.console.display import EMPTY, moment_text
from bridge.kernel import money


class MomentInput(UnfoldAdminTextInputWidget):
    input_type = "datetime-local"

    def format_value(self, value: Any) -> str | None:
        return f"{value:%Y-%m-%dT%H:%M}" if isinstance(value, datetime) else value


class DayInput(UnfoldAdminTextInputWidget):
    input_type = "date"

    def format_value(self, value: Any) -> str | None:
        return f"{value:%Y-%m-%d}" if isinstance(value, date) else value


class Amount(forms.CharField):
    """Money as people write it, `25,000.00`; its value is an integer of minor units, or None where it is empty.

    A form that knows the currency tells it by `amount_in`.
    """

    widget = UnfoldAdminTextInputWidget
    currency = ""

    def __init__(self, help_text: str = "", *, least: int = 0, required: bool = True, label: str = "") -> None:
        super().__init__(required=required, label=label or None, help_text=help_text)
        self.least = least
        self.widget.attrs |= {"inputmode": "decimal", "autocomplete": "off"}

    def prepare_value(self, value: Any) -> Any:
        return money.figures(value, self.currency or "USD") if value and isinstance(value, int) else value

    def to_python(self, value: Any) -> Any:
        text = super().to_python(value)
        if not text:
            return None
        try:
            amount = money.written(text, self.currency or "USD")
        except ValueError as error:
            raise ValidationError(str(error), code="invalid") from error
        if amount < self.least:
            raise ValidationError("Write an amount above zero.", code="min_value")
        return amount


def amount_in(currency: str, form: forms.BaseForm, *names: str, says: str = "") -> None:
    """These fields of a form are amounts in `currency`. `says` replaces their help."""
    example = money.figures(25_000 * 10 ** money.exponent(currency), currency)
    for name in names:
        field = form.fields[name]
        assert isinstance(field, Amount)
        field.currency = currency
        field.help_text = f"{says or field.help_text} In {currency}, such as {example}.".strip()


def moment(help_text: str, *, label: str = "", required: bool = False) -> forms.DateTimeField:
    """A moment in UTC."""
    return forms.DateTimeField(
        widget=MomentInput(), required=required, help_text=f"{help_text} In UTC.", label=label or None
    )


def day(label: str, help_text: str = "") -> forms.DateField:
    return forms.DateField(widget=DayInput(), label=label, help_text=help_text)


def text(help_text: str = "", *, longest: int = 300, required: bool = False, label: str = "") -> forms.CharField:
    return forms.CharField(
        max_length=longest,
        required=required,
        strip=True,
        label=label or None,
        help_text=help_text,
        widget=UnfoldAdminTextInputWidget,
    )


def words(help_text: str, *, longest: int = 400, required: bool = True, label: str = "") -> forms.CharField:
    return forms.CharField(
        max_length=longest,
        required=required,
        strip=True,
        label=label or None,
        help_text=help_text,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 2, "maxlength": longest}),
    )


def choice(choices: Iterable[tuple[str, str]], help_text: str = "", *, required: bool = False) -> forms.ChoiceField:
    return forms.ChoiceField(
        choices=list(choices), widget=UnfoldAdminSelectWidget, required=required, help_text=help_text
    )


def yes_no(help_text: str, *, empty: str = "not known") -> forms.TypedChoiceField:
    """`True`, `False`, or `None` where nothing is chosen."""
    return forms.TypedChoiceField(
        choices=[("", empty), ("True", "yes"), ("False", "no")],
        coerce=lambda value: value == "True",
        empty_value=None,
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text=help_text,
    )


def as_shown(field: forms.Field, value: Any) -> str:
    """A value of a field, as people read it: a choice by its name, a moment as everywhere in the console."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(field, forms.ModelChoiceField) and field.queryset is not None and not isinstance(value, Model):
        value = field.queryset.filter(pk=value).first() if value else None
    if value in (None, "") or value == []:
        return EMPTY
    if isinstance(value, datetime):
        return moment_text(value)
    if isinstance(value, (list, tuple)):
        return ", ".join(map(str, value))
    for given, name in getattr(field, "choices", ()):
        if str(given) == str(value):
            return str(name)
    return str(field.prepare_value(value))


def differences(form: forms.BaseForm) -> list[tuple[str, str, str]]:
    """Fields in which what was sent differs from what a form opened now says: name, what that says, what was sent."""
    found = []
    for name in form.changed_data:
        if name not in form.initial or form.fields[name].widget.is_hidden:
            continue
        field = form.fields[name]
        now = as_shown(field, form.get_initial_for_field(field, name))
        sent = as_shown(field, form.cleaned_data[name]) if name in form.cleaned_data else str(form[name].data or EMPTY)
        if now != sent:
            found.append((name, now, sent))
    return found
