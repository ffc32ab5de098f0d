from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.world import World, world


@pytest.fixture
def bridge(transactional_db: None) -> Iterator[World]:
    """A world whose commits are real, for many threads; it ends with every invariant checked."""
    with world() as made:
        yield made
        made.check()
