from __future__ import annotations

from collections.abc import Iterator

import pytest

from accounts.gateway import registry as investor_side
from funds.gateway import registry as fund_side
from tests.functional.stories.manual import Page
from tests.functional.treasury.conftest import Treasury
from tests.world import HARBOR, MERIDIAN


@pytest.fixture
def page(db: None) -> Iterator[Page]:
    """A page whose banks do nothing until the story says so; it ends with every invariant checked."""
    world = Treasury(delay=365 * 86_400.0)
    with (
        investor_side.use_gateways({MERIDIAN: world.house.gateway(MERIDIAN)}),
        fund_side.use_gateways({HARBOR: world.house.gateway(HARBOR)}),
    ):
        world.settle_clocks()
        made = Page(world)
        yield made
        world.check()
