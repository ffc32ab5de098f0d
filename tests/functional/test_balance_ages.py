"""How old a balance may be when the engine begins a withdrawal."""

from __future__ import annotations

import pytest

from accounts.models import BalanceObservation
from tests.world import World
from transfers.engine import drain
from transfers.policy import policy


@pytest.mark.parametrize(("share", "asked"), [(0.5, 0), (0.9, 1)])
def test_one_that_is_nearly_too_old_is_asked_for_again(bridge: World, share: float, asked: int) -> None:
    """It would be too old once the others of its batch are known, and its transfer would wait."""
    account, fund = bridge.account(), bridge.fund()
    transfer = bridge.request(account, fund)
    known = BalanceObservation.objects.filter(account=account)
    before = known.count()
    bridge.advance(seconds=policy().balance_age_withdrawal * share)
    drain()
    assert known.count() == before + asked
    assert bridge.fresh(transfer).state == "withdrawing"
