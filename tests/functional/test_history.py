"""What the rules know of earlier transfers comes from places and open work, and equals what the transfers sum to."""

from __future__ import annotations

from django.db.models import Q, Sum

from bridge.sandbox.model import Fault
from tests.world import World
from transfers.engine import drain
from transfers.models import Transfer
from transfers.services import history

GONE = Q(state__in=["depositing", "completed"]) | Q(state="withdrawn", next_step="deposit")


def test_what_has_left_for_a_fund_is_counted_wherever_it_is(bridge: World) -> None:
    investor = bridge.investor()
    first, second = bridge.account(investor=investor), bridge.account(investor=investor)
    fund, other = bridge.fund(on_deposit_failure="hold"), bridge.fund()
    bridge.request(first, fund, 100_000)
    bridge.request(second, other, 110_000)
    bridge.run()
    bridge.fault(Fault.REJECT, kind="deposit", code="AC04")
    bridge.request(second, fund, 120_000)
    bridge.run()
    last = bridge.request(first, fund, 130_000)
    bridge.request(bridge.account(), fund, 140_000)
    drain()
    assert set(Transfer.objects.filter(fund=fund).values_list("state", flat=True)) >= {"completed", "withdrawn"}

    whole = Transfer.objects.filter(GONE, fund=fund)
    own = whole.filter(investor=investor).aggregate(sum=Sum("amount"))["sum"]
    assert own in (100_000, 230_000)  # without the rejected deposit, about which people decide
    assert history.arrived([last.id]) == {(fund.id, investor.id): own}
    assert history.raised([fund.id]) == {fund.id: whole.aggregate(sum=Sum("amount"))["sum"]}
    bridge.run()
    assert history.raised([fund.id, other.id])[other.id] == 110_000
