"""TypeIDs: every uuid comes back, nothing else gets in."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from bridge.kernel import ids
from bridge.kernel.errors import MalformedId

KINDS = st.sampled_from(sorted(ids.PREFIXES))
UUIDS = st.integers(0, 2**128 - 1).map(lambda number: uuid.UUID(int=number))


@given(kind=KINDS, value=UUIDS)
@example(kind="transfer", value=uuid.UUID(int=0))
@example(kind="transfer", value=uuid.UUID(int=2**128 - 1))
def test_every_uuid_comes_back(kind: str, value: uuid.UUID) -> None:
    text = ids.encode(kind, value)
    assert ids.decode(kind, text) == value
    assert text.startswith(ids.PREFIXES[kind] + "_")
    assert text.isascii()
    assert text == text.lower()


@given(first=UUIDS, second=UUIDS)
def test_the_order_of_ids_is_the_order_of_their_texts(first: uuid.UUID, second: uuid.UUID) -> None:
    assert (first < second) == (ids.encode("event", first) < ids.encode("event", second))


@given(kind=KINDS, other=KINDS, value=UUIDS)
def test_an_id_of_one_kind_is_no_id_of_another(kind: str, other: str, value: uuid.UUID) -> None:
    text = ids.encode(other, value)
    if kind == other:
        assert ids.decode(kind, text) == value
    else:
        with pytest.raises(MalformedId):
            ids.decode(kind, text)


@given(value=UUIDS, position=st.integers(0, 25), letter=st.characters())
def test_a_changed_letter_is_another_id_or_none(value: uuid.UUID, position: int, letter: str) -> None:
    text = ids.encode("transfer", value)
    where = len("trf_") + position
    changed = text[:where] + letter + text[where + 1 :]
    try:
        found = ids.decode("transfer", changed)
    except MalformedId:
        return
    assert (found == value) == (changed == text)
    assert ids.encode("transfer", found) == changed


HOSTILE: list[Any] = [
    None, 7, 1.5, b"trf_00000000000000000000000000", [], {}, object(), uuid.UUID(int=1), "", "trf", "trf_", "_",
    "trf_" + "0" * 25, "trf_" + "0" * 27, "TRF_" + "0" * 26, "trf_" + "8" + "0" * 25, "trf_" + "z" * 26,
    "trf_" + "O" * 26, "trf_" + "0" * 25 + "l", "trf_" + "0" * 25 + "\n", " trf_" + "0" * 26, "trf_" + "0" * 26 + " ",
    "trf_" + "٠" * 26, "trf_" + "０" * 26, "trf_" + "0" * 25 + "\x00", "trf_" + "0" * 10**6,
    "trf_" + "0" * 26 + "' OR 1=1", str(uuid.UUID(int=1)), "../../etc/passwd", "trf-" + "0" * 26,
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text)[:40])
def test_what_is_no_id_is_malformed_and_never_a_crash(text: Any) -> None:
    with pytest.raises(MalformedId) as caught:
        ids.decode("transfer", text)
    assert "trf_" in caught.value.detail


@given(text=st.one_of(st.text(), st.binary(), st.integers(), st.none(), st.lists(st.text())))
def test_arbitrary_input_is_malformed_and_never_a_crash(text: Any) -> None:
    with pytest.raises(MalformedId):
        ids.decode("transfer", text)


def test_new_ids_are_of_version_7_and_in_the_order_of_their_making() -> None:
    made = [ids.new_id() for _ in range(2_000)]
    assert {value.version for value in made} == {7}
    assert len(set(made)) == len(made)
    assert made == sorted(made)
    assert all(type(value) is uuid.UUID for value in made)


def test_an_injected_source_makes_the_ids_until_its_block_ends() -> None:
    numbers = iter(range(1, 10))
    with ids.use_source(lambda: uuid.UUID(int=next(numbers))):
        assert [ids.new_id().int for _ in range(3)] == [1, 2, 3]
    assert ids.new_id().version == 7
