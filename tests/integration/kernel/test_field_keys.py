"""A new key for account numbers goes in front of the old one, and everything is read and found as before."""

from __future__ import annotations

import base64

import pytest
from django.db import IntegrityError, transaction

from accounts import services as accounts
from accounts.models import InvestorAccount
from tests import factories
from tests.factories import SETUP

NUMBER = "12345678"


@pytest.fixture
def new_key() -> dict[str, str]:
    return {"new": base64.b64encode(b"k" * 32).decode()}


def opened() -> InvestorAccount:
    row = accounts.NewAccount(factories.make_investor().id, "meridian", "Checking", "USD", NUMBER)
    (account,) = accounts.open_accounts(rows=[row], actor=SETUP)
    return account


def test_a_number_from_before_is_read_and_is_still_taken(db: None, settings, new_key: dict[str, str]) -> None:
    before = opened()
    settings.BRIDGE_FIELD_KEYS = {**new_key, **settings.BRIDGE_FIELD_KEYS}

    assert before.reveal_number() == NUMBER
    with pytest.raises(accounts.AccountNumberTaken):
        opened()


def test_the_database_too_refuses_a_number_from_before(db: None, settings, new_key: dict[str, str]) -> None:
    opened()
    other = InvestorAccount(investor=factories.make_investor(), institution="meridian", name="B", currency="USD")
    settings.BRIDGE_FIELD_KEYS = {**new_key, **settings.BRIDGE_FIELD_KEYS}
    other.set_number(NUMBER)
    other.created_at = other.investor.created_at

    assert other.number_sealed.startswith("new:")
    with pytest.raises(IntegrityError, match="account_number_once"), transaction.atomic():
        other.save(force_insert=True)


def test_a_number_hashed_with_a_former_first_key_is_taken_too(db: None, settings, new_key: dict[str, str]) -> None:
    old = dict(settings.BRIDGE_FIELD_KEYS)
    settings.BRIDGE_FIELD_KEYS = new_key
    opened()
    settings.BRIDGE_FIELD_KEYS = {**new_key, **old}

    with pytest.raises(accounts.AccountNumberTaken):
        opened()
