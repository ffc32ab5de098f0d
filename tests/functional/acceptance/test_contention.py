"""Many at once, over HTTP, against real processes: nobody gets what is not there, and nothing happens twice."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from bridge.embedded.paths import CHECKOUT
from tests.functional.acceptance.stack import Stack, every_page, until

pytestmark = pytest.mark.slow
AMOUNT = 1_000_00
WORKERS = 6


def _open_fund(stack: Stack, code: str, *, seats: int) -> str:
    command = [sys.executable, "-m", "tests.functional.acceptance.open_fund", code, str(seats)]
    done = subprocess.run(command, cwd=CHECKOUT, env=stack.env, capture_output=True, text=True, check=True)
    return done.stdout.split()[-1]


def _accounts(platform: httpx.Client, number: int) -> list[str]:
    """Of so many different investors, in dollars."""
    rows = every_page(platform, "/accounts", [("currency", "USD")])
    return list({row["investor"]: row["id"] for row in rows}.values())[:number]


def _at_once(url: str, client: httpx.Client, bodies: list[dict[str, Any]], keys: list[str]) -> list[httpx.Response]:
    limits = httpx.Limits(max_connections=len(bodies))
    with (
        httpx.Client(headers=client.headers, timeout=120, limits=limits, trust_env=False) as many,
        ThreadPoolExecutor(len(bodies)) as pool,
    ):
        return list(
            pool.map(
                lambda pair: many.post(f"{url}/transfers", json=pair[0], headers={"Idempotency-Key": pair[1]}),
                zip(bodies, keys, strict=True),
            )
        )


def test_64_requests_for_the_last_10_seats_take_exactly_10(stack: Stack, platform: httpx.Client) -> None:
    fund = _open_fund(stack, "ten-seats", seats=10)
    accounts = _accounts(platform, 64)
    bodies = [{"source_account": one, "fund": fund, "amount": AMOUNT, "currency": "USD"} for one in accounts]
    with stack.wide_web(workers=WORKERS) as url:
        answers = _at_once(url, platform, bodies, [f"seat-{n}" for n in range(64)])

    assert [answer.status_code for answer in answers] == [201] * 64
    states = [answer.json()["state"] for answer in answers]
    assert (states.count("approved"), states.count("waitlisted")) == (10, 54)
    query = [("fund", fund), ("state", "completed")]
    until(lambda: len(every_page(platform, "/transfers", query)) == 10, patience=60, why=stack.log)
    seats = platform.get(f"/funds/{fund}").json()["seats"]
    assert (seats["confirmed"], seats["held"], seats["available"]) == (10, 0, 0)
    allocations = every_page(platform, "/allocations", [("fund", fund)])
    assert [row["confirmed"] for row in allocations if row["confirmed"] or row["reserved"]] == [AMOUNT] * 10
    stack.check_ledger()


def test_100_posts_with_one_key_make_one_transfer(stack: Stack, platform: httpx.Client) -> None:
    fund = _open_fund(stack, "one-key", seats=10)
    (account,) = _accounts(platform, 1)
    body = {"source_account": account, "fund": fund, "amount": AMOUNT, "currency": "USD"}
    with stack.wide_web(workers=WORKERS) as url:
        answers = _at_once(url, platform, [body] * 100, ["the-one-key"] * 100)

    made = [answer for answer in answers if answer.status_code == 201]
    fresh = [answer for answer in made if "Idempotent-Replayed" not in answer.headers]
    assert len(fresh) == 1
    assert all(answer.json() == fresh[0].json() for answer in made)
    others = [answer for answer in answers if answer.status_code != 201]
    assert all((answer.status_code, answer.json()["code"]) == (409, "request_in_flight") for answer in others)
    assert all(answer.headers["Retry-After"] == "1" for answer in others)
    (only,) = every_page(platform, "/transfers", [("fund", fund)])
    assert only["id"] == fresh[0].json()["id"]
    until(lambda: platform.get(f"/transfers/{only['id']}").json()["state"] == "completed", patience=60, why=stack.log)
    stack.check_ledger()
