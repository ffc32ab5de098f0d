"""The one order of locks, watched by the kernel, and what it prevents."""

from __future__ import annotations

import itertools
from functools import partial

import pytest
from django.apps import apps
from django.db import models

from bridge.kernel import locking
from bridge.kernel.locking import ORDER, LockOrderViolated
from bridge.kernel.results import Change
from bridge.kernel.transactions import unit_of_work
from tests.concurrency.crowd import at_once, errors
from tests.world import CHECKER, INVESTOR, World
from transfers import services
from transfers.models import Transfer

PAIRS = list(itertools.combinations(ORDER, 2))


def model(label: str) -> type[models.Model]:
    return apps.get_model(label)


@pytest.mark.django_db(transaction=True)
class TestTheOrder:
    @pytest.mark.parametrize(("earlier", "later"), PAIRS)
    def test_down_the_order_is_allowed(self, earlier: str, later: str) -> None:
        with unit_of_work():
            locking.lock(model(earlier)._default_manager.all(), [])
            locking.lock(model(later)._default_manager.all(), [])

    @pytest.mark.parametrize(("earlier", "later"), PAIRS)
    def test_up_the_order_is_a_programming_error(self, earlier: str, later: str) -> None:
        with pytest.raises(LockOrderViolated, match="must be locked before"), unit_of_work():
            locking.lock(model(later)._default_manager.all(), [])
            locking.lock(model(earlier)._default_manager.all(), [])

    def test_the_next_unit_of_work_begins_at_the_top_again(self) -> None:
        for _ in range(2):
            with unit_of_work():
                locking.lock(model(ORDER[0])._default_manager.all(), [])
                locking.lock(model(ORDER[-1])._default_manager.all(), [])

    def test_outside_a_transaction_there_is_no_lock(self) -> None:
        with pytest.raises(RuntimeError, match="outside a transaction"):
            locking.lock(model(ORDER[0])._default_manager.all(), [])

    def test_every_name_in_the_order_is_a_model(self) -> None:
        assert [model(label)._meta.label_lower for label in ORDER] == list(ORDER)


class TestCrossingBatches:
    def test_batches_over_the_same_rows_in_opposite_order_do_not_deadlock(self, bridge: World) -> None:
        funds = [bridge.fund() for _ in range(4)]
        accounts = [bridge.account() for _ in range(12)]
        rows = [bridge.request(account, funds[n % 4]) for n, account in enumerate(accounts)]
        forward = [Change(row.id) for row in rows]
        backward = list(reversed(forward))
        calls = [
            partial(
                services.hold_transfers if n % 2 else services.cancel_transfers,
                changes=forward if n % 4 < 2 else backward,
                actor=CHECKER if n % 2 else INVESTOR,
            )
            for n in range(16)
        ]
        calls += [
            partial(bridge.requests, [(account, fund, 2_000_000 + n) for account in order for fund in funds])  # type: ignore[list-item]
            for n, order in enumerate([accounts, accounts[::-1]] * 4)
        ]
        calls += [
            partial(services.postpone_work, transfer_ids=[c.id for c in changes], seconds=0)  # type: ignore[list-item]
            for changes in (forward, backward) * 4
        ]
        assert errors(at_once(calls)) == []
        assert set(Transfer.objects.filter(pk__in=[c.id for c in forward]).values_list("state", flat=True)) == {
            "cancelled"
        }

    def test_a_held_row_does_not_stop_inserts_that_refer_to_it(self, bridge: World) -> None:
        """FOR NO KEY UPDATE: a foreign key to a locked row does not wait for the lock."""
        from django.db import connection, transaction

        from accounts.models import BalanceObservation, InvestorAccount
        from bridge.kernel import clock

        account = bridge.account()
        moment = clock.now()

        def insert() -> None:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = '5s'")
                BalanceObservation.objects.create(
                    account=account, available=1, current=1, acknowledged_before=0, fetched_at=moment
                )

        with transaction.atomic():
            locking.lock(InvestorAccount.objects.all(), [account.id])
            assert errors(at_once([insert])) == []

    def test_a_second_actor_waits_for_the_first_and_then_sees_its_work(self, bridge: World) -> None:
        transfer = bridge.request(bridge.account(), bridge.fund())
        results = at_once(
            [partial(services.cancel_transfers, changes=[Change(transfer.id, transfer.version)], actor=INVESTOR)] * 2
        )
        assert errors(results) == []
        codes = sorted(getattr(getattr(r[0], "error", None), "code", "done") for r in results)  # type: ignore[index]
        assert codes == ["done", "stale_version"]
