"""64 clients, one fund of 100 seats, everything mixed, and somebody who looks at the limits all the while."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from functools import partial

from django.db import connection, connections, transaction

from accounts.models import InvestorAccount
from bridge.kernel import clock, invariants
from bridge.kernel.results import ENGINE, Change, Done
from funds.models import Allocation, Fund, FundCapacity
from tests.concurrency.crowd import at_once, errors
from tests.world import INVESTOR, World
from transfers import facts, services
from transfers.engine import claims, loop
from transfers.models import Transfer

SEATS, CLIENTS, AMOUNT = 100, 64, 1_000_000
CAP = 108 * AMOUNT
WATCHED = ("I6 allocations", "I6 capacity", "I6 transfers", "I5")


class Watcher(threading.Thread):
    """Checks the limits again and again, each time in one snapshot, until it is told to stop."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.done = threading.Event()
        self.broken: list[object] = []
        self.looks = 0

    def run(self) -> None:
        every = [one for one in invariants.all_invariants() if one.name in WATCHED]
        assert len(every) == len(WATCHED)
        while not self.done.is_set():
            with transaction.atomic():
                with connection.cursor() as cursor:
                    cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
                self.broken += [verdict for one in every if not (verdict := invariants.verify(one)).holds]
            self.looks += 1
        connections.close_all()


def client(
    seed: int, fund: Fund, accounts: list[InvestorAccount], known: facts.Facts, mine: list[Transfer]
) -> Callable[[], int]:
    """Asks, tops up and cancels at random; returns how many requests it made."""

    def act() -> int:
        dice = random.Random(seed)
        asked = 0
        for turn in range(8):
            if mine and dice.random() < 0.3:
                services.cancel_transfers(changes=[Change(mine.pop(dice.randrange(len(mine))).id)], actor=INVESTOR)
                continue
            account = dice.choice(accounts)
            wanted = services.TransferRequest(account.id, fund.id, AMOUNT + seed * 10 + turn, account.currency)
            (result,) = services.request_transfers(requests=[wanted], actor=INVESTOR, facts=known)
            assert isinstance(result, Done)
            mine.append(Transfer(id=result.id))
            asked += 1
        return asked

    return act


def shuffle_places() -> int:
    """What the engine does about places meanwhile: expiries and promotions."""
    for _ in range(30):
        late = claims.overdue(moment=clock.now(), limit=50)
        if late:
            services.expire_transfers(transfer_ids=late, actor=ENGINE)
        loop.promote()
    return 0


def test_seats_and_dollars_never_exceed_their_limits_at_any_moment(bridge: World) -> None:
    fund = bridge.fund(seat_limit=SEATS, hard_cap=CAP)
    early = [bridge.account() for _ in range(20)]
    bridge.requests([(account, fund, AMOUNT) for account in early])
    bridge.advance(days=6)  # these reservations are over: they expire while the others come
    accounts = [[bridge.account() for _ in range(2)] for _ in range(CLIENTS)]
    everybody = [account.id for two in accounts for account in two]
    known = facts.gather(account_ids=everybody, max_age=900)
    watcher = Watcher()
    watcher.start()
    calls = [client(seed, fund, two, known, []) for seed, two in enumerate(accounts)]
    results = at_once([*calls, partial(shuffle_places), partial(shuffle_places)])
    watcher.done.set()
    watcher.join(60)

    assert errors(results) == []
    assert watcher.looks > 3
    assert watcher.broken == []
    capacity = FundCapacity.objects.get(fund=fund)
    assert capacity.seats_taken <= SEATS
    assert capacity.reserved + capacity.confirmed <= CAP
    assert Allocation.objects.filter(fund=fund, reserved__gt=0).count() == capacity.seats_taken
    states = set(Transfer.objects.values_list("state", flat=True))
    assert {"approved", "cancelled", "expired", "waitlisted"} <= states
