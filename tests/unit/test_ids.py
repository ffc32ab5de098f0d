from __future__ import annotations

import itertools
import uuid

from bridge.kernel import ids


def test_many_at_once_are_as_one_by_one() -> None:
    made = [*ids.new_ids(500), ids.new_id()]
    assert len(set(made)) == 501
    assert made == sorted(made)
    for one in made:
        assert one == uuid.UUID(str(one))
        assert (one.version, one.variant, one.is_safe) == (7, uuid.RFC_4122, uuid.SafeUUID.unknown)
        assert hash(one) == hash(uuid.UUID(int=one.int))


def test_an_injected_source_gives_them_all() -> None:
    numbers = itertools.count(1)
    with ids.use_source(lambda: uuid.UUID(int=next(numbers))):
        assert [one.int for one in [ids.new_id(), *ids.new_ids(2)]] == [1, 2, 3]
