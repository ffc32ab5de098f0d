"""A ledger of one investor account and one fund, without the rest of Bridge."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
from django.db import DatabaseError, transaction

from accounts.ledger import services
from accounts.ledger.kinds import FUND_KINDS, INVESTOR_KINDS, Kind
from accounts.ledger.models import LedgerAccount, Posting
from accounts.ledger.queries import balance
from accounts.ledger.rows import Draft, Line, Parties, Place
from bridge.kernel import ids, invariants

AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
BANK_DATE = datetime(2026, 3, 1, 9, 0, tzinfo=UTC)


@dataclass(frozen=True)
class Books:
    who: Parties

    def new_transfer(self) -> Parties:
        """Another transfer between the same two."""
        return Parties(ids.new_id(), self.who.account_id, self.who.fund_id, "USD", BANK_DATE)

    def account(self, kind: Kind, *, fund: bool = False) -> LedgerAccount:
        owner = self.who.fund_id if fund else self.who.account_id
        return LedgerAccount.objects.get(owner_id=owner, kind=kind, currency="USD")

    def of_investor(self, kind: Kind) -> int:
        return balance(owner_id=self.who.account_id, kind=kind, currency="USD")

    def of_fund(self, kind: Kind) -> int:
        return balance(owner_id=self.who.fund_id, kind=kind, currency="USD")

    def shared(self, kind: Kind) -> int:
        return balance(owner_id=None, kind=kind, currency="USD")


def open_books() -> Books:
    who = Parties(ids.new_id(), ids.new_id(), ids.new_id(), "USD", BANK_DATE)
    with transaction.atomic():
        services.open_accounts(owners=[(who.account_id, "USD")], kinds=INVESTOR_KINDS)
        services.open_accounts(owners=[(who.fund_id, "USD")], kinds=FUND_KINDS)
    return Books(who)


def post(*drafts: Draft) -> list[Posting]:
    with transaction.atomic():
        written = Posting.objects.in_bulk(services.post(drafts=drafts, at=AT))
    return list(written.values())


def raw_posting() -> Posting:
    """A posting without entries, as nobody but a test writes it."""
    return Posting.objects.create(row="W1", effective_at=AT, created_at=AT)


def line(owner: uuid.UUID | None, kind: Kind, amount: int, transfer: uuid.UUID | None = None) -> Line:
    return Line(Place(owner, kind), amount, transfer)


@contextmanager
def refused(because: str) -> Iterator[None]:
    """The database refuses what the block does, for this reason; the transaction around it lives on."""
    with pytest.raises(DatabaseError, match=because), transaction.atomic():
        yield


def broken_books() -> dict[str, list[dict[str, object]]]:
    """`broken` of a ledger alone, whose transfers are nothing but ids."""
    return {name: rows for name, rows in broken().items() if name != "I7 kept"}


def broken() -> dict[str, list[dict[str, object]]]:
    """The invariants that do not hold, with their rows."""
    return {verdict.name: verdict.rows for verdict in invariants.verify_all() if not verdict.holds}
