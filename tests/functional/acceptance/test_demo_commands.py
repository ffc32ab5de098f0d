"""The demo's commands on running services: what they print, and what they refuse."""

from __future__ import annotations

import io
import json
import stat
import subprocess
import sys

import httpx
import pytest
from django.core.management import CommandError, call_command
from django.test import override_settings

from bridge.embedded.paths import CHECKOUT
from tests.functional.acceptance.stack import Stack, every_page

pytestmark = pytest.mark.slow
ROLES = {"investor": 8, "service": 2, "maker": 2, "checker": 2, "compliance": 1, "auditor": 1}


def _fails(stack: Stack, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=CHECKOUT, env=stack.env, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    return done.stderr


def test_demo_data_that_is_there_stays_as_it_is(stack: Stack, platform: httpx.Client) -> None:
    before = every_page(platform, "/accounts")
    assert stack.command("demo_data").strip() == "The demo data is there already."
    assert json.loads(stack.command("demo_data", "--json")) == {"logins": 0, "investors": 0, "accounts": 0, "funds": 0}
    assert every_page(platform, "/accounts") == before
    assert len({row["investor"] for row in before}) == 200


def test_the_table_of_logins_opens_the_api_and_is_its_owners_only(stack: Stack) -> None:
    table = stack.here.state / "demo_logins.json"
    assert stat.S_IMODE(table.stat().st_mode) == 0o600
    rows = json.loads(table.read_text())
    assert len({row["password"] for row in rows}) == len(rows) == sum(ROLES.values()) + 1
    checker = next(row for row in rows if row["username"] == "checker1")
    given = {name: checker[name] for name in ("username", "password")}
    signed_in = httpx.post(f"{stack.api}/tokens", json=given, trust_env=False, timeout=30)
    assert signed_in.status_code == 201


@pytest.mark.parametrize("role", ROLES)
def test_demo_token_prints_a_token_and_nothing_else(stack: Stack, role: str) -> None:
    printed = stack.command("demo_token", role, "--index", str(ROLES[role] - 1))
    assert len(printed.split()) == 1
    headers = {"Authorization": f"Bearer {printed.strip()}"}
    assert httpx.get(f"{stack.api}/funds", headers=headers, trust_env=False, timeout=30).status_code == 200


def test_an_investors_token_opens_the_own_accounts_only(stack: Stack) -> None:
    headers = {"Authorization": f"Bearer {stack.token('investor')}"}
    with httpx.Client(base_url=stack.api, headers=headers, trust_env=False, timeout=30) as client:
        assert len({row["investor"] for row in every_page(client, "/accounts")}) == 3


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("demo_token", "king"), "There is no role 'king'. There are: investor, service"),
        (("demo_token", "maker", "--index", "2"), "--index is 0 to 1"),
        (("demo_token", "maker", "--index", "-1"), "--index is 0 to 1"),
        (("demo", "--transfers", "0"), "--transfers is 1 to"),
        (("demo", "--faults", "earthquake"), "'earthquake' is no level"),
        (("demo", "--timeout", "-5"), "--timeout is a number of seconds above zero"),
    ],
)
def test_bad_input_gets_a_plain_reason(stack: Stack, arguments: tuple[str, ...], why: str) -> None:
    assert why in _fails(stack, *arguments)


@pytest.mark.parametrize("arguments", [("demo_token", "investor"), ("demo_data",), ("demo",)])
@override_settings(BRIDGE_SANDBOX_MODE=False)
@pytest.mark.django_db
def test_outside_a_sandbox_they_refuse(arguments: tuple[str, ...]) -> None:
    printed = io.StringIO()
    with pytest.raises(CommandError, match="for the embedded sandbox only"):
        call_command(*arguments, stdout=printed)
    assert printed.getvalue() == ""


def test_a_batch_that_gets_too_little_time_says_what_is_open_and_fails(stack: Stack) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "demo", "--transfers", "20", "--seed", "3", "--timeout", "0.5", "--json"],
        cwd=CHECKOUT, env=stack.env, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    if done.stdout:
        told = json.loads(done.stdout)
        assert told["holds"] is False
        reasons = "\n".join(told["problems"])
    else:  # the time was over while it still asked, and the reason is the last line on standard error
        reasons = done.stderr.strip().splitlines()[-1]
    assert any(said in reasons for said in ("is still", "got no answer in time", "no reply"))
