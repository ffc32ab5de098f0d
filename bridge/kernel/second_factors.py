"""Second factors: whoever has a confirmed device gives the code that it shows, wherever a password is asked for.

A login without a device signs in as before. A wrong code counts as a failed sign-in, so five of them lock the
address out as five wrong passwords do; the device itself answers ever more slowly as well. No code is good twice.
"""

from __future__ import annotations

from typing import Any

from django.contrib.auth.signals import user_login_failed
from django.db import transaction
from django.http import HttpRequest
from django_otp import devices_for_user, user_has_device

from bridge.kernel.errors import BridgeError

FIELD = "otp"


class SecondFactorRefused(BridgeError):
    status = 401

    def __init__(self) -> None:
        super().__init__(errors={FIELD: [{"code": self.code, "message": self.message}]})


class SecondFactorMissing(SecondFactorRefused):
    code = "otp_missing"
    title = "A code is needed"
    message = "This login has a second factor: give the code that its app shows now, as `otp`."


class SecondFactorWrong(SecondFactorRefused):
    code = "otp_wrong"
    title = "The code is wrong"
    message = (
        "`otp` is not the code that the app shows now, or was used already. Wait for the next code, then try again."
    )


def check(*, user: Any, code: str, request: HttpRequest) -> Any | None:
    """The device of which this is the code, None for a login without devices.

    `user` is who gave the right password. Raises `SecondFactorMissing` and `SecondFactorWrong`; the second is counted.
    """
    if not user_has_device(user):
        return None
    if not code:
        raise SecondFactorMissing
    with transaction.atomic():
        devices = list(devices_for_user(user, for_verify=True))
        found = next((device for device in devices if device.verify_token(code)), None)
        if found is not None:
            for device in devices:
                device.throttle_reset()  # that it was not the other device's code is no failure of that one
    if found is None:
        user_login_failed.send(sender=__name__, credentials={"username": user.get_username()}, request=request)
        raise SecondFactorWrong
    return found


def given(request: HttpRequest) -> bool:
    """Whether this session needs no code, or began with one. Asked of the database once per request."""
    user: Any = request.user
    if user.is_verified():
        return True
    if not hasattr(request, "_has_second_factor"):
        request._has_second_factor = user_has_device(user)  # type: ignore[attr-defined]
    return not request._has_second_factor  # type: ignore[attr-defined]
