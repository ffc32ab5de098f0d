"""How often a balance to look at came from the cache is counted, with why it did not."""

from __future__ import annotations

import pytest
from django.test import override_settings
from prometheus_client import REGISTRY

from accounts import cache
from bridge.kernel import ids

BALANCE = {"available": 1}
NOWHERE = {"default": {"BACKEND": "django_redis.cache.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}}


def counted() -> dict[str, float]:
    return {
        result: REGISTRY.get_sample_value("bridge_balance_cache_reads_total", {"result": result}) or 0
        for result in ("hit", "miss", "stale", "unreachable")
    }


@pytest.mark.parametrize("result", ["hit", "miss", "stale", "unreachable"])
def test_a_look_up_is_counted_by_its_result(result: str) -> None:
    account, before = ids.new_id(), counted()
    if result != "miss":
        cache.write(account, BALANCE, ticket=cache.ticket(account))
    if result == "stale":
        cache.invalidate([account])
    with override_settings(**({"CACHES": NOWHERE} if result == "unreachable" else {})):
        found = cache.read(account)

    assert found == (BALANCE if result == "hit" else None)
    assert counted() == before | {result: before[result] + 1}
