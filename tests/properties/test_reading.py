"""What is read without a serializer is what the serializer reads, for whatever comes."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rest_framework import serializers

from bridge.kernel import ids
from bridge.kernel.errors import IdempotencyKeyMalformed, IdempotencyKeyMissing
from bridge.kernel.money import MAX_AMOUNT
from transfers.api.reading import plain, read_row
from transfers.api.serializers import BulkRowSerializer, TransferRequestSerializer

GOOD = {
    "source_account": ids.encode("account", ids.new_id()),
    "fund": ids.encode("fund", ids.new_id()),
    "amount": 1_000,
    "currency": "USD",
}
ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-2, 2), st.floats(allow_nan=False), st.text("aZ9 é\n\x1f", max_size=5),
    st.just([]),
    st.sampled_from([" a", "a ", "", " ", "é", "x" * 100, "x" * 101, "USD", "usd", "XXX", " USD", 1.0, 10**15,
                     MAX_AMOUNT, {}, {"a": "b"}, {"": "b"}, {"a": 1}, {"a" * 41: "b"}, {"a": "b" * 501}, GOOD["fund"],
                     GOOD["source_account"].upper(), "\x1f", "a\x1fb", "x" * 255, "x" * 256]),
)  # fmt: skip
NAMES = st.sampled_from([*GOOD, "external_id", "metadata", "idempotency_key", "other"])
BODIES = st.dictionaries(NAMES, ODD, max_size=3).map(lambda changes: {**GOOD, **changes})
PARTS = st.sets(NAMES, max_size=2)


def by_serializer(serializer: serializers.Serializer, raw: Any) -> Any:
    try:
        return serializer.run_validation(raw)
    except serializers.ValidationError as error:
        return error.detail


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BODIES, PARTS)
def test_a_body_that_is_plain_is_what_the_serializer_reads(body: dict[str, Any], absent: set[str]) -> None:
    raw = {name: value for name, value in body.items() if name not in absent}
    found = plain(raw)
    if found is not None:
        assert found == by_serializer(TransferRequestSerializer(), raw)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(BODIES, PARTS)
def test_a_row_is_what_the_serializer_reads(body: dict[str, Any], absent: set[str]) -> None:
    raw = {name: value for name, value in {"idempotency_key": "k", **body}.items() if name not in absent}
    before, key = dict(raw), raw.get("idempotency_key")
    try:
        found = read_row(raw, BulkRowSerializer())
    except (IdempotencyKeyMissing, IdempotencyKeyMalformed):
        assert key is None or not (key.isascii() and key.isprintable() and 0 < len(key.strip()) == len(key) <= 255)
        return
    except serializers.ValidationError as error:
        found = error.detail
    assert found == by_serializer(BulkRowSerializer(), raw)
    assert raw == before


def test_what_clients_usually_send_is_plain() -> None:
    usual: list[dict[str, Any]] = [{}, {"external_id": "order 7"}, {"metadata": {}}, {"metadata": {"desk": "ü"}}]
    for more in usual:
        raw = {**GOOD, **more}
        assert plain(raw) == by_serializer(TransferRequestSerializer(), raw)
        assert plain(raw) is not None
