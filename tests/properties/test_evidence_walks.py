"""A random walk over everything that a lying bank can say, and what people do about it; then calm until all rests.

After every step each invariant of the books holds; at the end nothing is on the bridge, nothing advanced, nothing
open. 30,000 walks with BRIDGE_TEST_FULL=1; `BRIDGE_WALK=seed` plays one.
"""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable

from bridge.kernel.gateway import Outcome
from tests.paper import Desk, on_paper
from transfers.models import BankInstruction, Transfer
from transfers.states import ENDED, LIVE, NextStep, State

FULL = bool(os.environ.get("BRIDGE_TEST_FULL"))
WALKS = 30_000 if FULL else 300
FOUND = (18_479,)  # seeds that once found something
AMOUNT = 100_000
Act = Callable[[], None]


class Walk:
    """One seeded walk over one desk."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.desk = Desk(room=self.random.choice([10**12, 4 * AMOUNT]))
        self.desk.fund_firm(100 * AMOUNT)
        for fund in self.desk.funds:
            fund.on_deposit_failure = self.random.choice(["refund", "hold"])
        for _ in range(2):
            self.desk.approved(AMOUNT)
        self.again = 0
        self.done: Counter[str] = Counter()

    def run(self, steps: int = 40) -> None:
        for _ in range(steps):
            self._one(calm=False)
        for _ in range(400):
            if not self._one(calm=True):
                break
        else:
            raise AssertionError("it never rests")
        for row in self.desk.transfers.values():
            assert row.state in ENDED, (row.state, row.blocker_code)
            assert row.blocker_code in ("", "no_place"), row.blocker_code
            assert not self.desk.whereabouts(row.id).advanced
        on_the_bridge = ("withdrawal_in_transit", "clearing", "deposit_in_transit", "refund_in_transit", "frozen")
        assert not any(v for (_, kind), v in self.desk.balances.items() if kind in (*on_the_bridge, "suspense"))

    def _one(self, *, calm: bool) -> bool:
        rows = list(self.desk.transfers.values())
        self.random.shuffle(rows)
        for row in rows:
            acts = self.planned(row) if calm else self.planned(row) * 8 + self.surprises(row)
            if acts:
                name, act = self.random.choice(acts)
                act()
                self.done[name] += 1
                self.again += name.endswith("again")
                self.desk.check()
                return True
        return False

    def planned(self, row: Transfer) -> list[tuple[str, Act]]:
        """What happens when nobody lies."""
        desk, live, acts = self.desk, self._live(row), list[tuple[str, Act]]()
        placed = desk.places.reserved_for(row.id) > 0
        if live:
            acts.append(("settles", lambda: desk.settles(live)))
        elif row.state == State.APPROVED:
            acts.append(("withdrawal", lambda: self._begin(row, "withdrawal")))
        elif row.state == State.WITHDRAWN and row.next_step == NextStep.NONE:
            to = NextStep.DEPOSIT if placed and self.random.random() < 0.5 else NextStep.REFUND
            acts.append(("directs", lambda: desk.direct(row, to)))
        elif row.state == State.WITHDRAWN:
            kind = "deposit" if row.next_step == NextStep.DEPOSIT and placed else "refund"
            acts.append((kind, lambda: self._begin(row, kind)))
        elif row.state == State.FROZEN:
            acts.append(("unfreezes", lambda: desk.unfreeze(row)))
        elif desk.whereabouts(row.id).advanced:
            acts.append(("writes off", lambda: desk.write_off(row)))
            if desk.whereabouts(row.id).at_fund:
                acts.append(("fund returns", lambda: self._fund_returns(row)))
        return acts

    def surprises(self, row: Transfer) -> list[tuple[str, Act]]:
        """What banks do besides, and what people decide."""
        desk, live, where = self.desk, self._live(row), self.desk.whereabouts(row.id)
        acts: list[tuple[str, Act]] = []
        if live:
            acts += [
                ("rejects", lambda: desk.rejects(live)),
                ("settles short", lambda: desk.settles(live, amount=live.amount - min(20, live.amount - 1))),
                ("settles less a fee", lambda: desk.settles(live, fee=min(25, live.amount - 1))),
                ("settles, all of it kept", lambda: desk.settles(live, amount=0, fee=live.amount)),
                ("settles for nothing", lambda: desk.settles(live, amount=0)),
                ("settles for more", lambda: desk.settles(live, amount=live.amount + 20)),
                ("returns before our result", lambda: self._returns_at_once(live)),
            ]
        for order in desk.orders:
            if order.transfer_id == row.id and order.state not in LIVE:
                acts += self._afterwards(row, order)
        if row.state == State.WITHDRAWN:
            if self.random.random() < 0.3:
                acts.append(("freezes", lambda: desk.freeze(row)))
                acts.append(("identified", lambda: desk.identify(row, 30)))
                acts.append(("topped up", lambda: desk.top_up(row, 20)))
            if row.amount > 1_000 and len(desk.family(row)) < 5:
                acts.append(("cut back", lambda: desk.split(row, row.amount // 3)))
        elif row.state in ENDED and where.advanced:
            acts.append(("paid again", lambda: desk.identify(row, where.advanced)))
        return acts

    def _afterwards(self, row: Transfer, order: BankInstruction) -> list[tuple[str, Act]]:
        desk, acts = self.desk, list[tuple[str, Act]]()
        left = order.settled_amount - order.returned_amount
        if self.again < 3:
            acts.append((f"{order.kind} again", lambda: desk.settles(order, amount=order.amount)))
        if order.kind == "deposit":
            left = min(left, sum(desk.whereabouts(kin.id).at_fund for kin in desk.family(row)))
        if left <= 0:
            return acts
        acts.append((f"{order.kind} returned", lambda: desk.returns(order, left)))
        if order.kind == "deposit":
            acts.append(("deposit half returned", lambda: desk.returns(order, max(left // 2, 1))))
            acts.append(("deposit returned with interest", lambda: desk.returns(order, left, extra=12)))
        if order.kind != "withdrawal" and left > 25:
            acts.append((f"{order.kind} returned less a fee", lambda: desk.returns(order, left, fee=25)))
        return acts

    def _begin(self, row: Transfer, kind: str) -> None:
        self.desk.begin(row, kind)

    def _fund_returns(self, row: Transfer) -> None:
        """On its own instruction or, after a split, on the one that brought the money there."""
        desk = self.desk
        there = desk.whereabouts(row.id).at_fund
        for order in desk.orders:
            family = {kin.id for kin in desk.family(row)}
            left = order.settled_amount - order.returned_amount
            if order.kind == "deposit" and order.transfer_id in family and order.state not in LIVE and left > 0:
                desk.returns(order, min(left, there))
                return
        desk.write_off(row)

    def _returns_at_once(self, live: BankInstruction) -> None:
        self.desk.report(live, Outcome.RETURNED, settled_amount=live.amount, returned_amount=live.amount)

    def _live(self, row: Transfer) -> BankInstruction | None:
        return next((o for o in self.desk.orders if o.transfer_id == row.id and o.state in LIVE), None)


class TestWalks:
    def test_the_books_hold_whatever_banks_say(self) -> None:
        only = os.environ.get("BRIDGE_WALK")
        seeds = [int(only)] if only else sorted({*range(WALKS), *FOUND})
        done: Counter[str] = Counter()
        arrows: Counter[tuple[str, str]] = Counter()
        rows: Counter[str] = Counter()
        for seed in seeds:
            walk = Walk(seed)
            try:
                with on_paper():
                    walk.run()
            except Exception as error:
                raise AssertionError(f"walk {seed} (BRIDGE_WALK={seed} plays it): {error!r}") from error
            done += walk.done
            arrows += walk.desk.arrows
            rows += walk.desk.rows
        print(f"\n{len(seeds)} walks: {dict(done)}\narrows {dict(arrows)}\nrows {dict(sorted(rows.items()))}")
        if not only:
            assert min(done.values()) >= WALKS // 100, done
            assert {"W5", "D5", "R5", "W4", "D4", "R4", "A1", "A2", "A4", "S2", "X1", "Z2"} <= rows.keys()
