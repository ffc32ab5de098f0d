"""Opening ledger accounts and posting to them. Nothing else creates entries."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import F

from accounts.ledger.kinds import CURRENCY_KINDS, Kind
from accounts.ledger.models import Entry, LedgerAccount, Posting
from accounts.ledger.rows import Draft
from bridge.kernel import bulk, columns, ids, locking
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


def post(*, drafts: Sequence[Draft], at: datetime) -> list[uuid.UUID]:
    """Write these postings with one INSERT each for postings and entries, move the balances, and return their ids.

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
    numbers = [draft.posting_id or ids.new_id() for draft in drafts]
    bulk.insert_columns(
        Posting,
        {
            "id": numbers,
            "row": [draft.row for draft in drafts],
            "transfer_id": [draft.transfer_id for draft in drafts],
            "instruction_id": [draft.instruction_id for draft in drafts],
            "effective_at": [draft.effective_at for draft in drafts],
            "created_at": [at] * len(drafts),
            "reverses": [draft.reverses_id for draft in drafts],
        },
    )
    lines = [
        (number, accounts[line.place.owner_id, line.place.kind, draft.currency], line.transfer_id, line.amount)
        for number, draft in zip(numbers, drafts, strict=True)
        for line in draft.lines
    ]
    posting, account, transfer, amount = map(list, zip(*lines, strict=True))
    bulk.insert_columns(Entry, {"posting": posting, "account": account, "transfer_id": transfer, "amount": amount})
    deltas = bulk.total(zip(account, amount, strict=True))
    LedgerAccount.objects.filter(bulk.Among("pk", deltas)).update(
        balance=F("balance") + bulk.ByKey("id", deltas), version=F("version") + 1
    )
    return numbers


def _keys(draft: Draft) -> Iterable[Key]:
    return ((line.place.owner_id, str(line.place.kind), draft.currency) for line in draft.lines)


_NUMBERS = """
    SELECT a.id, a.owner_id, a.kind, a.currency
    FROM unnest(%s::uuid[], %s::text[], %s::text[]) AS k (owner_id, kind, currency)
    JOIN ledger_ledgeraccount AS a USING (owner_id, kind, currency)
    UNION ALL
    SELECT a.id, a.owner_id, a.kind, a.currency
    FROM unnest(%s::text[], %s::text[]) AS k (kind, currency)
    JOIN ledger_ledgeraccount AS a USING (kind, currency) WHERE a.owner_id IS NULL
"""


def _locked(keys: set[Key]) -> dict[Key, int]:
    """Ids of these accounts, whose rows are locked in id order.

    First the ids, then the locks: whose an account is never changes, but a locking query that joins would pass over a
    row that somebody changed while it waited.
    """
    owned = [key for key in keys if key[0] is not None]
    shared = [key for key in keys if key[0] is None]
    found = bulk.execute(
        _NUMBERS,
        [
            columns.uuids(key[0] for key in owned if key[0] is not None),
            *(columns.texts([key[part] for key in some]) for some in (owned, shared) for part in (1, 2)),
        ],
    )
    numbers = {(owner, kind, currency): number for number, owner, kind, currency in found.fetchall()}
    locking.lock(LedgerAccount.objects.only("id"), numbers.values())
    missing = keys - numbers.keys()
    if missing:
        raise LookupError(f"No such ledger account was opened: {sorted(map(str, missing))[:3]}")
    return numbers
