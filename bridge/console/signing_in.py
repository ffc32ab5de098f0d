"""The form by which people enter the console: login, password, and the code of whoever has a second factor."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.forms import AuthenticationForm
from unfold.widgets import BASE_INPUT_CLASSES

from bridge.kernel import second_factors


class SignInForm(AuthenticationForm):
    otp = forms.CharField(
        label="Code",
        required=False,
        max_length=16,
        help_text="Only if you have a second factor: what its app shows now.",
        widget=forms.TextInput(
            attrs={
                "autocomplete": "one-time-code",
                "inputmode": "numeric",
                "autocapitalize": "none",
                "class": " ".join(BASE_INPUT_CLASSES),
            }
        ),
    )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean()
        user = self.get_user()
        if user is not None and not self.errors:
            try:
                user.otp_device = second_factors.check(user=user, code=cleaned.get("otp", ""), request=self.request)
            except second_factors.SecondFactorMissing:
                self.add_error("otp", "Your login has a second factor: give the code that its app shows now.")
            except second_factors.SecondFactorWrong:
                self.add_error("otp", "This is not the code that the app shows now, or it was used already.")
        return cleaned
