"""Forced deadlocks: PostgreSQL undoes one of the two, and Bridge begins again, a few times, or says so."""

from __future__ import annotations

import itertools
import logging

import pytest
from django.core.cache import cache
from django.db import OperationalError

from accounts.ledger.models import LedgerAccount
from accounts.models import InvestorAccount
from bridge.kernel import transactions
from bridge.kernel.results import Change, Done, Role
from bridge.kernel.transactions import TRIES, retried, undone
from funds.models import FundCapacity
from tests import factories
from tests.concurrency.rivals import rival
from tests.world import INVESTOR, World
from transfers import facts, services
from transfers.engine import drain
from transfers.models import Transfer

AMOUNT = 1_000_000


def beginnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Which services were begun again, in order.

    At least one for each victim of the rival; more where, on a busy machine, a service that was undone takes its first
    lock anew before the rival, who waits for it, has woken up.
    """
    return [str(record.args[0]) for record in caplog.records if record.name == transactions.__name__ and record.args]  # type: ignore[index]


def cash_of(account: InvestorAccount) -> LedgerAccount:
    """What a withdrawal locks last, after the account itself."""
    return LedgerAccount.objects.get(owner_id=account.pk, kind="cash")


@pytest.fixture(autouse=True)
def heard(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, logger=transactions.__name__)


class TestServices:
    def test_a_request_that_falls_victim_begins_again_and_is_made_once(self, bridge: World, caplog) -> None:
        account, fund = bridge.account(), bridge.fund()
        capacity = FundCapacity.objects.get(fund=fund)
        with rival(first=capacity, second=account, times=2) as other:
            transfer = bridge.request(account, fund, AMOUNT)
        assert other.victims == 2
        assert set(again := beginnings(caplog)) == {"request_transfers"}
        assert 2 <= len(again) < TRIES
        assert transfer.state == "approved"
        account.refresh_from_db()
        assert (Transfer.objects.count(), account.held) == (1, AMOUNT)

    def test_a_cancellation_too(self, bridge: World, caplog) -> None:
        account, fund = bridge.account(), bridge.fund()
        transfer = bridge.request(account, fund, AMOUNT)
        with rival(first=FundCapacity.objects.get(fund=fund), second=account, times=1):
            (result,) = services.cancel_transfers(changes=[Change(transfer.id)], actor=INVESTOR)
        assert isinstance(result, Done)
        assert 1 <= len(beginnings(caplog)) < TRIES

    def test_after_a_few_tries_it_goes_up_and_nothing_is_half_done(self, bridge: World, caplog) -> None:
        account, fund = bridge.account(), bridge.fund()
        known = facts.gather(account_ids=[account.id], max_age=900)
        wanted = [services.TransferRequest(account.id, fund.id, AMOUNT, "USD")]
        with (
            rival(first=FundCapacity.objects.get(fund=fund), second=account, times=TRIES) as other,
            pytest.raises(OperationalError) as error,
        ):
            services.request_transfers(requests=wanted, actor=INVESTOR, facts=known)
        assert undone(error.value)
        assert len(beginnings(caplog)) == TRIES - 1
        assert 1 <= other.victims <= TRIES
        account.refresh_from_db()
        assert (Transfer.objects.count(), account.held) == (0, 0)


class TestTheEngine:
    def test_work_goes_on_and_none_is_stuck(self, bridge: World, caplog) -> None:
        account, fund = bridge.account(), bridge.fund()
        transfer = bridge.request(account, fund, AMOUNT)
        with rival(first=cash_of(account), second=account, times=2) as other:
            drain()
        assert other.victims == 2
        assert set(again := beginnings(caplog)) == {"begin_withdrawals"}
        assert 2 <= len(again) < TRIES
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"
        assert len(bridge.bank.books.instructions) == 2

    def test_one_that_never_gets_through_waits_for_its_lease_and_no_transfer_is_blamed(self, bridge: World) -> None:
        account, fund = bridge.account(), bridge.fund()
        transfer = bridge.request(account, fund, AMOUNT)
        with (
            rival(first=cash_of(account), second=account, times=TRIES),
            pytest.raises(OperationalError),
        ):
            drain()
        assert bridge.fresh(transfer).blocker_code == ""
        assert bridge.fresh(transfer).state == "approved"
        bridge.advance(minutes=3)
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"


class TestTheApi:
    def test_it_answers_503_with_a_time_and_the_same_key_then_works(self, bridge: World) -> None:
        cache.clear()
        account, fund = bridge.account(), bridge.fund()
        client = factories.client_of(factories.make_login(Role.SERVICE))
        body = {"source_account": account.public_id, "fund": fund.public_id, "amount": AMOUNT, "currency": "USD"}
        key = {"Idempotency-Key": "the-key"}
        with rival(first=FundCapacity.objects.get(fund=fund), second=account, times=TRIES):
            answer = client.post("/api/v1/transfers", body, headers=key)
        assert (answer.status_code, answer.json()["code"], answer["Retry-After"]) == (503, "busy", "1")
        assert Transfer.objects.count() == 0
        again = client.post("/api/v1/transfers", body, headers=key)
        assert (again.status_code, again.json()["state"]) == (201, "approved")


class TestWhatIsNoVictim:
    def test_a_database_that_is_away_is_not_tried_again(self) -> None:
        calls = itertools.count()

        @retried
        def service() -> None:
            next(calls)
            raise OperationalError("the database system is starting up")

        with pytest.raises(OperationalError):
            service()
        assert next(calls) == 1
