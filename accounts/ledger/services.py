"""Opening ledger accounts and posting to them. Nothing else creates entries."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from django.db.models import F

from accounts.ledger.kinds import CURRENCY_KINDS, Kind
from accounts.ledger.models import Entry, LedgerAccount, Posting
from accounts.ledger.rows import Draft
from bridge.kernel import binary, bulk, compiled, ids, locking
from bridge.kernel.compiled import Own
from bridge.kernel.transactions import require_atomic

Key = tuple[int | None, str, str]  # of an account: its owner's uuid as a number, its kind, its currency


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
    numbers = [draft.posting_id or ids.new_id() for draft in drafts]
    posting, keys, transfer, amount = _spread(numbers, drafts)
    known = _locked(set(keys))
    account = [known[key] for key in keys]
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
    bulk.insert_columns(Entry, {"posting": posting, "account": account, "transfer_id": transfer, "amount": amount})
    deltas = bulk.total(zip(account, amount, strict=True))
    _move({account_id: (delta,) for account_id, delta in deltas.items()})
    return numbers


def _spread(
    numbers: Sequence[uuid.UUID], drafts: Sequence[Draft]
) -> tuple[list[uuid.UUID], list[Key], list[uuid.UUID | None], list[int]]:
    """Of every line its posting, account, transfer and amount."""
    posting: list[uuid.UUID] = []
    keys: list[Key] = []
    transfer: list[uuid.UUID | None] = []
    amount: list[int] = []
    for number, draft in zip(numbers, drafts, strict=True):
        currency = draft.currency
        for (owner, kind), moved, transfer_id in draft.lines:
            posting.append(number)
            keys.append((None if owner is None else owner.int, str.__str__(kind), currency))
            transfer.append(transfer_id)
            amount.append(moved)
    return posting, keys, transfer, amount


_lock = compiled.Tuples(
    lambda: (
        LedgerAccount.objects.filter(compiled.AnyOf("pk", "bigint", "ids"))
        .select_for_update(no_key=True)
        .order_by("pk")
        .values_list("pk")
    )
)
_move = compiled.UpdateEach(
    LedgerAccount, "id", ("moved",), balance=F("balance") + Own("moved"), version=F("version") + 1
)
# Subqueries of one row: they use the index whatever the planner thinks of the table's size.
_NUMBERS = """
    SELECT (
        SELECT a.id FROM ledger_ledgeraccount AS a
        WHERE a.owner_id = k.owner_id AND a.kind = k.kind AND a.currency = k.currency
    )
    FROM unnest(%s::uuid[], %s::text[], %s::text[]) WITH ORDINALITY AS k (owner_id, kind, currency, place)
    ORDER BY k.place
"""
_SHARED = _NUMBERS.replace("a.owner_id = k.owner_id", "a.owner_id IS NULL")


def _locked(keys: set[Key]) -> dict[Key, int]:
    """Ids of these accounts, whose rows are locked in id order.

    First the ids, then the locks: whose an account is never changes, but a locking query that joins would pass over a
    row that somebody changed while it waited.
    """
    found: dict[Key, int] = {}
    for text, some in (
        (_NUMBERS, [key for key in keys if key[0] is not None]),
        (_SHARED, [key for key in keys if key[0] is None]),
    ):
        if some:
            owners = binary.uuids_of([key[0] for key in some])
            rows = bulk.execute(text, [owners, *(binary.texts([key[part] for key in some]) for part in (1, 2))])
            found |= zip(some, [row[0] for row in rows.fetchall()], strict=True)
    missing = [key for key in keys if found[key] is None]
    if missing:
        raise LookupError(f"No such ledger account was opened: {sorted(map(str, missing))[:3]}")
    locking.claim_rank(LedgerAccount)
    _lock(ids=binary.any_of(sorted(set(found.values()))))
    return found
