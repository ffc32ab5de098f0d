"""Fields of the console's own forms: moments and days in UTC by the browser's own pickers, yes-no-unknown, ids."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Any

from django import forms
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget


class MomentInput(UnfoldAdminTextInputWidget):
    input_type = "datetime-local"

    def format_value(self, value: Any) -> str | None:
        return f"{value:%Y-%m-%dT%H:%M}" if isinstance(value, datetime) else value


class DayInput(UnfoldAdminTextInputWidget):
    input_type = "date"

    def format_value(self, value: Any) -> str | None:
        return f"{value:%Y-%m-%d}" if isinstance(value, date) else value


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
