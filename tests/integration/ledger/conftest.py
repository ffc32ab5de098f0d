from __future__ import annotations

import pytest

from tests.integration.ledger.books import Books, open_books


@pytest.fixture
def books(db: None) -> Books:
    """One investor account and one fund with their ledger accounts, in a transaction that is rolled back."""
    return open_books()
