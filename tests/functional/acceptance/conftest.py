from __future__ import annotations

from collections.abc import Iterator

import httpx
import pytest

from tests.functional.acceptance.stack import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """One for all acceptance tests: each leaves it whole, and says so with `check_ledger`."""
    made = Stack(tmp_path_factory.mktemp("acceptance") / "state")
    try:
        made.wait()
        yield made
    finally:
        made.stop()


@pytest.fixture
def platform(stack: Stack) -> Iterator[httpx.Client]:
    """A client in the service role."""
    headers = {"Authorization": f"Bearer {stack.token('service')}"}
    with httpx.Client(base_url=stack.api, headers=headers, timeout=60, trust_env=False) as client:
        yield client
