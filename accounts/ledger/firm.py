"""The firm's own money in a settlement account, asked of the ledger.

`firm_advance` has two kinds of lines: untagged ones are the firm's funding (its float), those tagged with a transfer
are what it advanced for that transfer, an open claim until it is repaid or written off.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import connection

from accounts.ledger.kinds import Kind
from accounts.ledger.models import LedgerAccount
from accounts.ledger.queries import balance
from bridge.kernel import locking

_UNTAGGED = """
    SELECT coalesce(sum(e.amount), 0)::bigint
    FROM ledger_entry AS e JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
    WHERE a.owner_id IS NULL AND a.kind = 'firm_advance' AND a.currency = %s AND e.transfer_id IS NULL
"""
_CLAIMS = """
    SELECT e.transfer_id, -sum(e.amount)::bigint FROM ledger_entry AS e
    JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
    WHERE a.owner_id IS NULL AND a.kind = 'firm_advance' AND e.transfer_id IS NOT NULL AND {condition}
    GROUP BY e.transfer_id HAVING sum(e.amount) <> 0 ORDER BY e.transfer_id
"""


@dataclass(frozen=True, slots=True)
class Float:
    """In minor units: what the firm put in and has not used up, and what of it is out as advances."""

    currency: str
    own: int
    claims: int

    @property
    def free(self) -> int:
        """What may be used or taken out. Below zero, investors' money stands in for the firm's."""
        return self.own - self.claims


def float_of(currency: str) -> Float:
    """The firm's float in this currency, as it is in the caller's transaction."""
    with connection.cursor() as cursor:
        cursor.execute(_UNTAGGED, [currency])
        (own,) = cursor.fetchone()
    return Float(currency, own, own - balance(owner_id=None, kind=Kind.FIRM_ADVANCE, currency=currency))


def free_alone(currency: str) -> int:
    """What of the float is free, in minor units, and stays so until the transaction ends: for who uses it without
    having been asked. Locks the firm's ledger account, which is low in the order of ledger accounts."""
    found = LedgerAccount.objects.filter(owner_id=None, kind=Kind.FIRM_ADVANCE, currency=currency)
    locked = locking.lock(LedgerAccount.objects.all(), found.values_list("pk", flat=True))
    return sum(row.balance for row in locked)


def currencies() -> list[str]:
    """Every currency in which accounts were opened."""
    rows = LedgerAccount.objects.filter(owner_id=None, kind=Kind.FIRM_ADVANCE)
    return list(rows.order_by("currency").values_list("currency", flat=True))


def open_claims(currency: str) -> dict[uuid.UUID, int]:
    """What the firm has advanced per transfer and has not got back, in minor units."""
    return _claims("a.currency = %s", [currency])


def claims_on(transfer_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, int]:
    """The same of these transfers; those without a claim are left out."""
    return _claims("e.transfer_id = ANY(%s::uuid[])", [list(transfer_ids)])


def _claims(condition: str, params: list[Any]) -> dict[uuid.UUID, int]:
    with connection.cursor() as cursor:
        cursor.execute(_CLAIMS.format(condition=condition), params)
        return dict(cursor.fetchall())
