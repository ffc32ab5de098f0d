"""Opening ledger accounts and posting to them. Nothing else creates entries."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db import connection
from django.db.models import F

from accounts.ledger.kinds import CURRENCY_KINDS, Kind
from accounts.ledger.models import Entry, LedgerAccount, Posting
from accounts.ledger.rows import Draft
from bridge.kernel import bulk, ids, locking
from bridge.kernel.transactions import require_atomic

Key = tuple[uuid.UUID | None, str, str]


def open_accounts(*, owners: Iterable[tuple[uuid.UUID, str]], kinds: Sequence[Kind]) -> None:
    """Open these kinds for each `(owner, currency)`, and the currency's own accounts. Opening twice is harmless."""
    require_atomic()
    pairs = list(owners)
    rows = [LedgerAccount(owner_id=owner, kind=kind, currency=currency) for owner, currency in pairs for kind in kinds]
    for currency in sorted({currency for _, currency in pairs}):
        rows += [LedgerAccount(owner_id=None, kind=kind, currency=currency) for kind in CURRENCY_KINDS]
    bulk.insert(
        LedgerAccount,
        rows,
        fields=["owner_id", "kind", "currency", "balance", "version"],
        suffix="ON CONFLICT DO NOTHING",
    )


def post(*, drafts: Sequence[Draft], at: datetime) -> list[Posting]:
    """Write these postings with one INSERT each for postings and entries, and move the balances.

    Locks the ledger accounts touched, by id, last in the global order; several lines of one account become one
    balance update. `at` is when we write; each draft carries its own `effective_at`.

    Raises `LookupError` for an account that was never opened, and the database's `IntegrityError` where a balance
    would fall below zero that must not.
    """
    require_atomic()
    drafts = [draft for draft in drafts if draft.lines]
    if not drafts:
        return []
    accounts = _locked({key for draft in drafts for key in _keys(draft)})
    postings, entries = [], []
    for draft in drafts:
        posting = Posting(
            id=ids.new_id(),
            row=draft.row,
            transfer_id=draft.transfer_id,
            instruction_id=draft.instruction_id,
            effective_at=draft.effective_at,
            created_at=at,
            reverses_id=draft.reverses_id,
        )
        postings.append(posting)
        entries += [
            Entry(
                posting_id=posting.id,
                account_id=accounts[line.place.owner_id, line.place.kind, draft.currency],
                transfer_id=line.transfer_id,
                amount=line.amount,
            )
            for line in draft.lines
        ]
    bulk.insert(Posting, postings)
    bulk.insert(Entry, entries)
    deltas = bulk.total((entry.account_id, entry.amount) for entry in entries)
    LedgerAccount.objects.filter(pk__in=deltas).update(
        balance=F("balance") + bulk.ByKey("id", deltas), version=F("version") + 1
    )
    return postings


def _keys(draft: Draft) -> Iterable[Key]:
    return ((line.place.owner_id, str(line.place.kind), draft.currency) for line in draft.lines)


def _locked(keys: set[Key]) -> dict[Key, int]:
    """Ids of these accounts, whose rows are locked in id order."""
    locking.claim_rank(LedgerAccount)
    owned = [key for key in keys if key[0] is not None]
    shared = [key for key in keys if key[0] is None]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT a.id, a.owner_id, a.kind, a.currency FROM ledger_ledgeraccount AS a WHERE a.id IN ("
            " SELECT b.id FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS k(owner_id, kind, currency)"
            " JOIN ledger_ledgeraccount AS b USING (owner_id, kind, currency)"
            " UNION ALL"
            " SELECT b.id FROM unnest(%s::text[], %s::text[]) AS k(kind, currency)"
            " JOIN ledger_ledgeraccount AS b USING (kind, currency) WHERE b.owner_id IS NULL"
            ") ORDER BY a.id FOR NO KEY UPDATE",
            [
                [key[0] for key in owned],
                [key[1] for key in owned],
                [key[2] for key in owned],
                [key[1] for key in shared],
                [key[2] for key in shared],
            ],
        )
        found = {(owner, kind, currency): number for number, owner, kind, currency in cursor.fetchall()}
    missing = keys - found.keys()
    if missing:
        raise LookupError(f"No such ledger account was opened: {sorted(map(str, missing))[:3]}")
    return found
