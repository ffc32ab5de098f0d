"""Workers whose machines' clocks are ten minutes wrong decide as everybody else: the database's time decides."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from accounts.gateway import registry as investor_side
from accounts.models import InvestorAccount
from bridge.kernel import clock, invariants
from bridge.sandbox.wire import derive_credentials
from tests import factories
from tests.integration.sandbox.process import MASTER, SandboxProcess
from transfers.models import BankInstruction, Transfer, Work

TEN_MINUTES = 600
ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.django_db(transaction=True)


class Town:
    """One Bridge, one bank process, and workers that may lie."""

    def __init__(self, bank: SandboxProcess) -> None:
        self.bank = bank
        self.fund = factories.make_fund()
        self._put(self.fund.reveal_number(), "harbor", "fund", 0)

    def _put(self, number: str, institution: str, owner: str, balance: int) -> None:
        row = {"institution": institution, "number": number, "owner": owner, "balance": balance}
        row |= {"routing": factories.ROUTING, "currency": "USD"}
        self.bank.control("POST", "/control/accounts", {"accounts": [row]})

    def account(self) -> InvestorAccount:
        account = factories.make_account(factories.make_investor())
        self._put(account.reveal_number(), "meridian", "investor", 100_000_00)
        return account

    def worker(self, lie: float, *, batch: int = 100) -> subprocess.Popen[str]:
        settings = connection.settings_dict
        given = {"lie": lie, "batch": batch, "database": {key: settings[key] for key in ("NAME", "HOST", "PORT")}}
        for institution in ("meridian", "harbor"):
            keys = derive_credentials(MASTER, institution)
            given[institution] = {"base_url": self.bank.url, "api_key": keys.api_key, "secret": keys.secret}
        command = [sys.executable, "-m", "tests.concurrency.lying_worker", json.dumps(given)]
        return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def work(self, *lies: float, batch: int = 100) -> None:
        """One engine per lie, all at once, each until nothing is due."""
        for process in [self.worker(lie, batch=batch) for lie in lies]:
            _, errors = process.communicate(timeout=120)
            assert process.returncode == 0, errors


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Town]:
    bank = SandboxProcess(tmp_path)
    bank.furnish(delay=0)
    with investor_side.use_gateways({"meridian": bank.investor_bank()}):
        yield Town(bank)
    bank.stop()
    assert [verdict.name for verdict in invariants.verify_all() if not verdict.holds] == []


def decisions(row: Transfer) -> dict[str, Any]:
    """What was decided about a transfer, and the waits that were set, counted from the database's time."""
    legs = BankInstruction.objects.filter(transfer=row).order_by("id")
    return {
        "state": Transfer.objects.get(pk=row.pk).state,
        "legs": [(leg.kind, leg.state, leg.key_expires_at - leg.created_at) for leg in legs],
        "work": list(Work.objects.filter(transfer=row).values_list("step", "tries")),
    }


@pytest.mark.parametrize("lie", [-TEN_MINUTES, 0, TEN_MINUTES])
def test_a_lying_worker_decides_what_an_honest_one_does(town: Town, lie: float) -> None:
    over = factories.make_transfer(town.account(), town.fund, amount=1_000_00)
    clock.advance(by=timedelta(minutes=10))
    nearly = factories.make_transfer(town.account(), town.fund, amount=1_000_00)
    clock.advance(by=timedelta(days=5, minutes=-5))
    fresh = factories.make_transfer(town.account(), town.fund, amount=1_000_00)
    moment = clock.now()
    assert over.expires_at + timedelta(minutes=10) > moment > over.expires_at
    assert nearly.expires_at - timedelta(minutes=10) < moment < nearly.expires_at

    town.work(lie)

    assert decisions(over) == {"state": "expired", "legs": [], "work": []}
    week = timedelta(days=7)
    done = {"state": "completed", "legs": [("withdrawal", "settled", week), ("deposit", "settled", week)], "work": []}
    assert decisions(nearly) == decisions(fresh) == done
    created = [leg.created_at for leg in BankInstruction.objects.all()]
    assert all(moment <= at < moment + timedelta(minutes=5) for at in created)


def test_workers_who_disagree_about_the_time_do_every_piece_of_work_once(town: Town) -> None:
    accounts = [town.account() for _ in range(6)]
    rows = [factories.make_transfer(account, town.fund, amount=1_000_00 + n) for n in range(3) for account in accounts]
    town.work(-TEN_MINUTES, TEN_MINUTES, 0, batch=4)

    states = Counter(Transfer.objects.filter(pk__in=[row.pk for row in rows]).values_list("state", flat=True))
    assert states == {"completed": len(rows)}
    there = Counter(row["key"] for row in town.bank.books()["instructions"])
    assert set(there.values()) == {1}
    assert len(there) == 2 * len(rows)
