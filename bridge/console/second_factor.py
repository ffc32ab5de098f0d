"""The page on which a person of the firm sets up, or replaces, a second factor.

Three steps: the password (and the present code, where there is one), the app reads a key, the app's code proves that it
did. Nothing counts before the proof, and the key is shown to nobody but the session that gave the password.
"""

from __future__ import annotations

import base64
from typing import Any

import django_otp
import segno
import structlog
from django import forms
from django.contrib import messages
from django.contrib.auth import authenticate
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django_otp.plugins.otp_totp.models import TOTPDevice
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from bridge.kernel import second_factors

SESSION_KEY = "second_factor_in_the_making"
LONGEST_NAME = 64
log = structlog.get_logger(__name__)


def _code(label: str, help_text: str) -> forms.CharField:
    attrs = {"autocomplete": "one-time-code", "inputmode": "numeric", "autocapitalize": "none"}
    return forms.CharField(
        label=label, max_length=16, help_text=help_text, widget=UnfoldAdminTextInputWidget(attrs=attrs)
    )


class BeginForm(forms.Form):
    """Who sits here is who signed in."""

    name = forms.CharField(
        max_length=LONGEST_NAME,
        initial="phone",
        strip=True,
        help_text="Where the app is, for you to tell it from another.",
        widget=UnfoldAdminTextInputWidget,
    )
    password = forms.CharField(
        strip=False,
        max_length=4096,
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "current-password"}),
        help_text="Once more, so that nobody sets one up at a screen that you left.",
    )
    otp = _code("Present code", "What the app of your present second factor shows now.")

    def __init__(self, request: HttpRequest, *, has_one: bool) -> None:
        super().__init__(request.POST if request.POST.get("step") == "begin" else None)
        self.request = request
        if not has_one:
            del self.fields["otp"]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        name = self.request.user.get_username()
        # By the way of signing in: wrong ones are counted, and lock the login as they do there.
        user = authenticate(self.request, username=name, password=cleaned["password"])
        if user is None or user.pk != self.request.user.pk:
            self.add_error("password", "This is not your password, or your login is locked for a while.")
            return cleaned
        try:
            second_factors.check(user=user, code=cleaned.get("otp", ""), request=self.request)
        except second_factors.SecondFactorRefused:
            self.add_error("otp", "This is not the code that the app shows now, or it was used already.")
        return cleaned


class ProofForm(forms.Form):
    code = _code("Code", "What the app shows now, six digits.")

    def __init__(self, request: HttpRequest) -> None:
        super().__init__(request.POST if request.POST.get("step") == "prove" else None)


@sensitive_post_parameters("password", "otp", "code")
@never_cache
def own_second_factor(request: HttpRequest, *, context: dict[str, Any]) -> HttpResponse:
    """`context` is the site's, for each page."""
    present = TOTPDevice.objects.filter(user=request.user, confirmed=True).order_by("created_at").first()
    begin, proof = BeginForm(request, has_one=present is not None), ProofForm(request)
    here = HttpResponseRedirect(reverse("admin:second_factor"))
    if begin.is_bound and begin.is_valid():
        _begin(request, begin.cleaned_data["name"])
        return here
    made = _in_the_making(request)
    if made is not None and request.POST.get("step") == "stop":
        _forget(request, made)
        return here
    if made is not None and proof.is_bound and proof.is_valid():
        if _prove(request, made, proof.cleaned_data["code"]):
            messages.success(request, "Your second factor counts from now on: its code is asked for when you sign in.")
            return here
        proof.add_error("code", "This is not the code that the app shows now. Wait for the next one and try again.")
    context = {
        **context,
        "title": "Your second factor",
        "present": present,
        "begin": None if made else begin,
        "proof": proof if made else None,
        "picture": _picture(made) if made else "",
        "key": _key(made) if made else "",
    }
    return TemplateResponse(request, "console/second_factor.html", context)


def _in_the_making(request: HttpRequest) -> TOTPDevice | None:
    pk = request.session.get(SESSION_KEY)
    return pk and TOTPDevice.objects.filter(pk=pk, user=request.user, confirmed=False).first()


def _begin(request: HttpRequest, name: str) -> None:
    with transaction.atomic():
        TOTPDevice.objects.filter(user=request.user, confirmed=False).delete()
        made = TOTPDevice.objects.create(user=request.user, name=name, confirmed=False)
    request.session[SESSION_KEY] = made.pk


def _forget(request: HttpRequest, made: TOTPDevice) -> None:
    made.delete()
    del request.session[SESSION_KEY]


def _prove(request: HttpRequest, made: TOTPDevice, code: str) -> bool:
    """Whether the app has the key. Then it is the login's only device, and sessions without its code end."""
    with transaction.atomic():
        made = TOTPDevice.objects.select_for_update().get(pk=made.pk)
        if not made.verify_token(code):
            return False  # counted by the device, which answers ever more slowly
        made.confirmed = True
        made.save(update_fields=["confirmed"])
        TOTPDevice.objects.filter(user_id=made.user_id).exclude(pk=made.pk).delete()
    django_otp.login(request, made)
    request.session.cycle_key()
    del request.session[SESSION_KEY]
    log.info("second_factor_set", user_id=made.user_id, device=made.pk)
    return True


def _picture(made: TOTPDevice) -> SafeString:
    """The key as a QR code, in SVG without styles: the page's policy allows none."""
    code = segno.make(made.config_url, error="m")
    text = code.svg_inline(scale=5, border=4, light="#fff", svgclass="bridge-qr", lineclass=None)
    return mark_safe(text)  # noqa: S308 drawn from squares, without a text of anybody's


def _key(made: TOTPDevice) -> str:
    """The key as apps take it by hand: base32 in groups of four."""
    text = base64.b32encode(made.bin_key).decode().rstrip("=")
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))
