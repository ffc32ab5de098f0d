"""Moving the sandbox's clock and deciding in its bank's place, against a real sandbox bank."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings

from accounts.gateway import registry
from bridge.kernel import clock
from bridge.kernel.results import Role
from tests import factories
from tests.integration.sandbox.process import MASTER, SandboxProcess
from transfers import engine

URL = "/api/v1/simulations"
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def served(tmp_path: Path) -> Iterator[SandboxProcess]:
    process = SandboxProcess(tmp_path)
    process.furnish(delay=7 * 24 * 3600)
    with override_settings(BRIDGE_SANDBOX_URL=process.url, BRIDGE_SANDBOX_SECRET=MASTER, BRIDGE_SANDBOX_MODE=True):
        yield process
    process.stop()


@pytest.fixture
def withdrawing(served: SandboxProcess) -> Iterator[Any]:
    """A transfer whose withdrawal the bank has accepted and will settle in a week."""
    account = factories.make_account(factories.make_investor())
    number = {"institution": "meridian", "number": account.reveal_number(), "owner": "investor"}
    details = {"balance": 1_000_000, "routing": factories.ROUTING, "currency": "USD"}
    served.control("POST", "/control/accounts", {"accounts": [number | details]})
    with registry.use_gateways({"meridian": served.investor_bank()}):
        transfer = factories.make_transfer(account, factories.make_fund(), amount=5_000)
        engine.drain()
        transfer.refresh_from_db(fields=["version"])
        yield transfer


@pytest.fixture
def service(db: None) -> Any:
    return factories.client_of(factories.make_login(Role.SERVICE))


def test_advancing_the_clock_moves_bridge_and_bank_alike(served: SandboxProcess, service: Any) -> None:
    before, banks_before = clock.now(), served.control("GET", "/control/clock")["offset_seconds"]

    answer = service.post(f"{URL}/clock/advance", {"seconds": 86_400})

    assert answer.status_code == 200
    assert timedelta(days=1) <= clock.now() - before < timedelta(days=1, minutes=5)
    assert served.control("GET", "/control/clock")["offset_seconds"] == banks_before + 86_400


@pytest.mark.parametrize(("verb", "status"), [("settle", "settled"), ("reject", "rejected")])
def test_the_bank_decides_as_told(
    withdrawing: Any, served: SandboxProcess, service: Any, verb: str, status: str
) -> None:
    answer = service.post(f"{URL}/transfers/{withdrawing.public_id}/{verb}", {"reason": "a test"})

    assert answer.status_code == 200, answer.content
    assert [row["status"] for row in served.books()["instructions"]] == [status]


def test_nothing_can_be_returned_before_it_is_settled(withdrawing: Any, service: Any) -> None:
    answer = service.post(f"{URL}/transfers/{withdrawing.public_id}/return", {})

    assert (answer.status_code, answer.json()["code"]) == (409, "no_instruction")


def test_a_bank_that_does_not_answer_moves_no_clock(served: SandboxProcess, service: Any) -> None:
    before = clock.now()
    served.kill()

    answer = service.post(f"{URL}/clock/advance", {"seconds": 86_400})

    assert (answer.status_code, answer.json()["code"]) == (409, "sandbox_refused")
    assert clock.now() - before < timedelta(minutes=5)


def test_outside_a_sandbox_there_is_nothing_here(service: Any) -> None:
    with override_settings(BRIDGE_SANDBOX_MODE=False):
        for path in ("clock/advance", f"transfers/{factories.typeid('transfer')}/settle"):
            answer = service.post(f"{URL}/{path}", {"seconds": 5})
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_what_was_rejected_settles_after_all(withdrawing: Any, served: SandboxProcess, service: Any) -> None:
    service.post(f"{URL}/transfers/{withdrawing.public_id}/reject", {"code": "R29"})
    withdrawing.instructions.update(state="rejected", ended_at=clock.now())  # what the callback would tell Bridge

    answer = service.post(f"{URL}/transfers/{withdrawing.public_id}/settle", {"again": True})

    assert answer.status_code == 200, answer.content
    (row,) = served.books()["instructions"]
    assert (row["status"], row["settled_amount"]) == ("settled", 5_000)


@pytest.mark.parametrize(
    ("effect", "told", "known"),
    [("none", "unknown", []), ("done", "unknown", ["acknowledged"]), ("late", "unknown", [])],
)
def test_the_answer_to_one_transfers_order_is_lost(
    served: SandboxProcess, service: Any, effect: str, told: str, known: list[str]
) -> None:
    account = factories.make_account(factories.make_investor())
    row = {"institution": "meridian", "number": account.reveal_number(), "owner": "investor", "balance": 1_000_000}
    served.control("POST", "/control/accounts", {"accounts": [row | {"routing": factories.ROUTING, "currency": "USD"}]})
    with registry.use_gateways({"meridian": served.investor_bank()}):
        fund = factories.make_fund()
        other = factories.make_transfer(account, fund, amount=4_000)
        transfer = factories.make_transfer(account, fund, amount=5_000)
        answer = service.post(f"{URL}/transfers/{transfer.public_id}/time-out", {"effect": effect, "seconds": 3600})
        assert answer.status_code == 201, answer.content
        engine.drain()

    assert other.instructions.get().state == "acknowledged"
    assert transfer.instructions.get().state == told
    keys = {transfer.instructions.get().key}
    assert [i["status"] for i in served.books()["instructions"] if i["key"] in keys] == known


def test_any_fault_can_be_asked_for_and_nonsense_is_refused_in_words(served: SandboxProcess, service: Any) -> None:
    answer = service.post(f"{URL}/faults", {"fault": "wrong_amount", "institution": "meridian", "delta": -20})
    assert (answer.status_code, answer.json()["fault"], answer.json()["count"]) == (201, "wrong_amount", 1)
    (rule,) = served.control("GET", "/control/faults")["results"]
    assert (rule["delta"], rule["institution"]) == (-20, "meridian")

    answer = service.post(f"{URL}/faults", {"fault": "wrong_amount", "call": "balance"})
    assert (answer.status_code, answer.json()["code"]) == (409, "sandbox_refused")
    assert service.post(f"{URL}/faults", {"fault": "nonsense"}).status_code == 400
    answer = service.post(f"{URL}/faults", {"fault": "wrong_amount", "institution": "nope"})
    message = "There is no such institution. There are: harbor, meridian."
    assert answer.status_code == 400
    assert answer.json()["errors"] == {"institution": [{"code": "unknown_name", "message": message}]}


def test_money_under_no_key(served: SandboxProcess, service: Any) -> None:
    answer = service.post(f"{URL}/movements", {"amount": -2_500, "currency": "USD", "kind": "fee"})

    assert answer.status_code == 201, answer.content
    assert answer.json()["direction"] == "debit"
    assert served.settlement().balance("USD").current == -2_500
