from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.world import World, world


@pytest.fixture
def bridge(db: None) -> Iterator[World]:
    """A world in one transaction that is rolled back; it ends with every invariant checked."""
    with world() as made:
        yield made
        made.check()


@pytest.fixture
def honouring(bridge: World) -> World:
    """The fund's bank sends back what is recalled."""
    bridge.bank.books.settings.recall_honoured = True
    return bridge
