"""Setting up a second factor in the console: the password, the key, a code as proof; nothing counts before it."""

from __future__ import annotations

import pytest
from django.test import Client
from django_otp.plugins.otp_totp.models import TOTPDevice

from bridge.kernel.results import Role
from bridge.roles import ensure_groups
from tests import factories
from tests.functional.admin.conftest import BACKEND, Console, SignIn
from tests.functional.admin.test_signing_in import enter
from tests.functional.api.test_tokens import shown_by, with_device

PAGE = "/admin/second-factor/"
BEGIN = {"step": "begin", "name": "phone", "password": factories.PASSWORD}


def wrong(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06d}"


def begun(console: Console) -> TOTPDevice:
    assert "This is the code" in console.post(PAGE, BEGIN)
    return TOTPDevice.objects.get(user=console.user, confirmed=False)


@pytest.mark.django_db
class TestSettingUp:
    def test_the_code_is_asked_for_from_the_proof_on(self, sign_in: SignIn) -> None:
        console = sign_in(Role.MAKER)
        assert "Your login has none" in console.get(PAGE)
        device = begun(console)
        assert console.status("/admin/") == 200

        told = console.post(PAGE, {"step": "prove", "code": shown_by(device)})

        assert "counts from now on" in told
        assert TOTPDevice.objects.get(user=console.user).confirmed
        assert console.status("/admin/") == 200, "this session has given the code"
        outside, page = enter(console.user.username)
        assert outside.get("/admin/").status_code == 302
        assert "Your login has a second factor" in page

    def test_the_app_reads_the_key_from_the_page(self, sign_in: SignIn) -> None:
        console = sign_in(Role.MAKER)
        device = begun(console)
        page = console.get(PAGE)
        key = device.config_url.partition("secret=")[2].partition("&")[0]
        assert " ".join(key[at : at + 4] for at in range(0, len(key), 4)) in page
        assert 'class="bridge-qr"' in page
        assert "style=" not in page[page.index("bridge-qr") : page.index("</svg>", page.index("bridge-qr"))]

    def test_a_wrong_password_shows_no_key(self, sign_in: SignIn) -> None:
        console = sign_in(Role.MAKER)
        assert "This is not your password" in console.post(PAGE, {**BEGIN, "password": "wrong"})
        assert not TOTPDevice.objects.exists()

    def test_five_wrong_passwords_lock_the_login(self, sign_in: SignIn) -> None:
        console = sign_in(Role.MAKER)
        for _ in range(4):
            console.post(PAGE, {**BEGIN, "password": "wrong"})
        assert console.client.post(PAGE, {**BEGIN, "password": "wrong"}).status_code == 429
        assert console.client.post(PAGE, BEGIN).status_code == 429
        assert not TOTPDevice.objects.exists()

    def test_a_wrong_code_proves_nothing(self, sign_in: SignIn) -> None:
        console = sign_in(Role.MAKER)
        device = begun(console)
        told = console.post(PAGE, {"step": "prove", "code": wrong(shown_by(device))})
        assert "This is not the code" in told
        assert not TOTPDevice.objects.get().confirmed
        outside, _ = enter(console.user.username)
        assert outside.get("/admin/").status_code == 200

    def test_another_session_sees_no_key(self, sign_in: SignIn) -> None:
        console = sign_in(Role.MAKER)
        device = begun(console)
        other = Client()
        other.force_login(console.user, backend=BACKEND)
        page = other.get(PAGE).content.decode()
        assert "bridge-qr" not in page
        other.post(PAGE, {"step": "prove", "code": shown_by(device)})
        assert not TOTPDevice.objects.get().confirmed

    def test_it_can_be_stopped(self, sign_in: SignIn) -> None:
        console = sign_in(Role.MAKER)
        begun(console)
        assert "Set it up" in console.post(PAGE, {"step": "stop"})
        assert not TOTPDevice.objects.exists()

    def test_nobody_from_outside_gets_there(self, client: Client) -> None:
        assert client.get(PAGE).status_code == 302
        client.force_login(factories.make_login(Role.INVESTOR), backend=BACKEND)
        assert client.get(PAGE).status_code == 302


@pytest.mark.django_db
class TestReplacing:
    def test_wants_the_present_code_and_ends_the_present_device(self) -> None:
        ensure_groups()
        user, old = with_device(Role.MAKER)
        inside, _ = enter(user.username, otp=shown_by(old))
        page = inside.post(PAGE, BEGIN).content.decode()
        assert "This field is required" in page
        TOTPDevice.objects.filter(pk=old.pk).update(last_t=-1)  # as if the next code were shown by now
        answer = inside.post(PAGE, {**BEGIN, "otp": wrong(shown_by(old))}).content.decode()
        assert "This is not the code" in answer
        TOTPDevice.objects.update(throttling_failure_count=0, throttling_failure_timestamp=None)
        inside.post(PAGE, {**BEGIN, "name": "new phone", "otp": shown_by(old)})
        new = TOTPDevice.objects.get(user=user, confirmed=False)
        assert TOTPDevice.objects.get(user=user, confirmed=True) == old, "until the proof the old one counts"

        elsewhere = Client()
        elsewhere.force_login(user, backend=BACKEND)
        inside.post(PAGE, {"step": "prove", "code": shown_by(new)})

        assert TOTPDevice.objects.get(user=user).name == "new phone"
        assert inside.get("/admin/").status_code == 200
        assert elsewhere.get("/admin/").status_code == 302


@pytest.mark.django_db
def test_a_superuser_takes_a_lost_device_away(superuser: Console) -> None:
    ensure_groups()
    user, device = with_device(Role.MAKER)
    superuser.post(f"/admin/otp_totp/totpdevice/{device.pk}/delete/", {"post": "yes"})
    assert not TOTPDevice.objects.exists()
    inside, _ = enter(user.username)
    assert inside.get("/admin/").status_code == 200


@pytest.mark.django_db
def test_nobody_else_takes_a_device_away(sign_in: SignIn) -> None:
    _, device = with_device(Role.MAKER)
    console = sign_in(Role.COMPLIANCE)
    assert console.client.post(f"/admin/otp_totp/totpdevice/{device.pk}/delete/", {"post": "yes"}).status_code == 403
    assert TOTPDevice.objects.exists()
