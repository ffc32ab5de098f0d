from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import pytest

from accounts.gateway import registry as investor_side
from bridge.kernel import clock
from bridge.sandbox.model.records import Instruction
from funds.gateway import registry as fund_side
from tests.world import HARBOR, MERIDIAN, World
from transfers.models import BankInstruction, Transfer


class Bench(World):
    """A world at noon, so that a test stays within one day, with a hand in the bank's books."""

    def settle_clocks(self) -> None:
        now = clock.now()
        noon = now.replace(hour=12, minute=0, second=0, microsecond=0)
        self.advance(seconds=((noon if noon > now else noon + timedelta(days=1)) - now).total_seconds())

    @property
    def day(self) -> date:
        return clock.now().date()

    def moved(self, count: int = 1, amount: int = 1_000_000) -> list[Transfer]:
        """Transfers that have run to their end, all within the hour; the institutions' news is two hours old."""
        fund = self.fund()
        transfers = [self.request(self.account(), fund, amount) for _ in range(count)]
        self.run()
        self.advance(hours=2)
        return [self.fresh(transfer) for transfer in transfers]

    def leg(self, transfer: Transfer, kind: str) -> BankInstruction:
        return transfer.instructions.get(kind=kind)

    def fresh_states(self) -> list[str]:
        return list(Transfer.objects.order_by("id").values_list("state", flat=True))

    def at_bank(self, instruction: BankInstruction) -> Instruction:
        """The bank's own row of this instruction."""
        (found,) = [i for i in self.bank.books.instructions.values() if i.terms.key == instruction.key]
        return found


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    with (
        investor_side.use_gateways({MERIDIAN: made.house.gateway(MERIDIAN)}),
        fund_side.use_gateways({HARBOR: made.house.gateway(HARBOR)}),
    ):
        made.settle_clocks()
        yield made
