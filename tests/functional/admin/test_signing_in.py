"""Entering the console: a password, and the code of whoever has a second factor."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse
from django_otp.plugins.otp_totp.models import TOTPDevice

from bridge.admin_site import SIGNED_OUT
from bridge.kernel.results import Role
from bridge.roles import ensure_groups
from tests import factories
from tests.functional.admin.conftest import SignIn
from tests.functional.api.test_tokens import shown_by, with_device
from transfers.models import Stop

URL = "/admin/login/"


def enter(username: str, **given: str) -> tuple[Client, str]:
    client = Client()
    answer = client.post(URL, {"username": username, "password": factories.PASSWORD, **given})
    return client, answer.content.decode()


@pytest.mark.django_db
class TestASecondFactor:
    def test_is_asked_for(self) -> None:
        ensure_groups()
        user, device = with_device(Role.MAKER)

        outside, page = enter(user.username)
        assert outside.get("/admin/").status_code == 302
        assert "Your login has a second factor" in page

        wrong = f"{(int(shown_by(device)) + 1) % 1_000_000:06d}"
        outside, page = enter(user.username, otp=wrong)
        assert outside.get("/admin/").status_code == 302
        assert "This is not the code" in page
        TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)

        inside, _ = enter(user.username, otp=shown_by(device))
        assert inside.get("/admin/").status_code == 200

    def test_is_not_asked_of_who_has_none(self) -> None:
        ensure_groups()
        for user in (factories.make_login(Role.MAKER), with_device(Role.MAKER, confirmed=False)[0]):
            inside, _ = enter(user.username)
            assert inside.get("/admin/").status_code == 200

    def test_ends_a_session_that_began_before_it(self, sign_in: SignIn) -> None:
        console = sign_in(Role.MAKER)
        assert console.status("/admin/") == 200
        TOTPDevice.objects.create(user=console.user, name="phone", confirmed=True)
        assert console.status("/admin/") == 302

    def test_wrong_codes_lock_as_wrong_passwords_do(self) -> None:
        ensure_groups()
        user, device = with_device(Role.MAKER)
        right = shown_by(device)
        for _ in range(5):
            enter(user.username, otp=f"{(int(right) + 1) % 1_000_000:06d}")
        TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
        outside, _ = enter(user.username, otp=right)
        assert outside.get("/admin/").status_code == 302


class TestASessionThatEnded:
    def test_a_step_that_was_lost_is_told_before_and_after_signing_in(self, sign_in: SignIn) -> None:
        console = sign_in(Role.MAKER)
        url = reverse("admin:transfers_stop_set")
        console.client.logout()
        asked = console.client.post(url, {"why": "A bank lies."}, follow=True)
        assert SIGNED_OUT in asked.content.decode()
        address = asked.redirect_chain[-1][0]
        form = {"username": console.user.username, "password": factories.PASSWORD}
        wrong = console.client.post(address, {**form, "password": "no"}, follow=True)
        assert wrong.request["PATH_INFO"] == URL
        inside = console.client.post(address, form, follow=True)
        assert inside.request["PATH_INFO"] == url
        assert SIGNED_OUT in inside.content.decode()
        assert not Stop.objects.exists()

    def test_a_page_that_was_only_looked_at_says_nothing(self, sign_in: SignIn) -> None:
        console = sign_in(Role.MAKER)
        url = reverse("admin:transfers_stop_set")
        console.client.logout()
        asked = console.client.get(url, follow=True)
        assert SIGNED_OUT not in asked.content.decode()

    def test_leaving_twice_is_no_lost_step(self, sign_in: SignIn) -> None:
        console = sign_in(Role.MAKER)
        console.client.logout()
        asked = console.client.post(reverse("admin:logout"), follow=True)
        assert SIGNED_OUT not in asked.content.decode()
