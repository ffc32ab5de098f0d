"""Operational logs are forgotten after their time; what proves where money is cannot be registered as one."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from axes.models import AccessLog
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from knox.models import AuthToken

from bridge.kernel import clock, retention
from bridge.kernel.retention import Log
from tests.factories import make_login

pytestmark = pytest.mark.django_db


def prune(*arguments: str) -> dict[str, int]:
    out = StringIO()
    call_command("prune", "--json", *arguments, stdout=out)
    return {row["log"]: row["rows"] for row in json.loads(out.getvalue())["logs"]}


def signed_in(days_ago: int) -> None:
    row = AccessLog.objects.create(username="someone", ip_address="192.0.2.1", user_agent="", path_info="/admin/login/")
    AccessLog.objects.filter(pk=row.pk).update(attempt_time=clock.now() - timedelta(days=days_ago))


def test_what_is_old_goes_and_the_rest_stays(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "AT_ONCE", 2)
    for days in (200, 150, 100, 91, 89, 1):
        signed_in(days)
    for hours in (-1, 1):
        Session.objects.create(session_key=f"key{hours}", expire_date=clock.now() + timedelta(hours=hours))
    AuthToken.objects.create(make_login(), expiry=timedelta(days=-8))
    AuthToken.objects.create(make_login(username="other"), expiry=timedelta(hours=1))

    wanted = {"sign-ins": 4, "failed-sign-ins": 0, "sessions": 1, "tokens": 1}
    assert prune("--dry-run") == wanted
    assert AccessLog.objects.count() == 6
    assert prune() == wanted
    assert prune() == dict.fromkeys(wanted, 0)
    assert (AccessLog.objects.count(), Session.objects.get().session_key, AuthToken.objects.count()) == (2, "key1", 1)


def test_a_sandbox_that_is_ahead_forgets_nothing_that_is_alive() -> None:
    clock.advance(by=timedelta(days=400))
    for hours in (-1, 1):
        Session.objects.create(session_key=f"key{hours}", expire_date=clock.real() + timedelta(hours=hours))
    AuthToken.objects.create(make_login(), expiry=timedelta(hours=1))
    AccessLog.objects.create(username="someone", ip_address="192.0.2.1", user_agent="", path_info="/admin/login/")

    assert prune() == {"sign-ins": 0, "failed-sign-ins": 0, "sessions": 1, "tokens": 0}
    assert Session.objects.get().session_key == "key1"


def test_a_log_that_bridge_writes_goes_by_bridges_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "_registry", {})
    retention.register(Log("own", "", "sessions.Session", "expire_date", timedelta(days=1)))
    Session.objects.create(session_key="key", expire_date=clock.real())
    assert prune() == {"own": 0}

    clock.advance(by=timedelta(days=2))

    assert prune() == {"own": 1}


def test_only_some_and_another_age() -> None:
    signed_in(20)
    assert prune("--only", "sessions", "--days", "10") == {"sessions": 0}
    assert prune("--only", "sign-ins", "--days", "10") == {"sign-ins": 1}


@pytest.mark.parametrize("arguments", [("--only", "postings"), ("--days", "-1"), ("--days", "99999999")])
def test_nonsense_is_refused(arguments: tuple[Any, ...]) -> None:
    with pytest.raises(CommandError):
        prune(*arguments)


@pytest.mark.parametrize(
    "model", ["ledger.Posting", "ledger.Entry", "events.Event", "funds.Verification", "transfers.Transfer"]
)
def test_what_is_permanent_is_no_log(model: str) -> None:
    with pytest.raises(ValueError, match="kept for ever"):
        retention.register(Log("mistake", "", model, "at", timedelta(days=1)))
