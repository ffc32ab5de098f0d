"""One hash over everything that a run left behind: two runs of a seed must give the same one."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db import connection

from bridge.kernel import bulk
from bridge.management.simulation.run import Run

# Numbers that a sequence gave out depend on what ran before in this database; everything else must repeat.
_QUERIES = (
    "SELECT id, source_account_id, account_seq, fund_id, amount, requested_amount, state, version, next_step, "
    "blocker_code, blocker_message, expires_at, approved_by, split_from_id, created_at, updated_at, ended_at "
    "FROM transfers_transfer ORDER BY id",
    "SELECT id, transfer_id, kind, attempt, key, amount, state, settled_amount, returned_amount, fee, return_code, "
    "sends, submitted_at, settled_at, ended_at FROM transfers_bankinstruction ORDER BY id",
    "SELECT subject_type, subject_id, seq, id, type, state, version, actor, data, at, hash FROM events_event "
    "ORDER BY subject_type, subject_id, seq",
    "SELECT p.id, p.row, p.transfer_id, p.instruction_id, p.effective_at, p.created_at, a.owner_id, a.kind, "
    "a.currency, e.transfer_id, e.amount FROM ledger_posting AS p JOIN ledger_entry AS e ON e.posting_id = p.id "
    "JOIN ledger_ledgeraccount AS a ON a.id = e.account_id ORDER BY p.id, a.kind, a.owner_id, e.transfer_id, e.amount",
    "SELECT id, type, transfer_id, audiences, title, body, at FROM notifications_notification ORDER BY id",
    "SELECT id, kind, subject_id, payload, bound_hash, maker, checker, state, decided_at FROM approvals_approval "
    "ORDER BY id",
    "SELECT transfer_id, step, due_at, tries FROM transfers_work ORDER BY transfer_id",
    "SELECT institution, callback_id, received_at, processed_at, problem FROM transfers_inboundcallback "
    "ORDER BY institution, callback_id",
    "SELECT institution, reference, kind, ours, theirs, first_seen_at, resolved_at FROM transfers_break "
    "ORDER BY institution, reference, first_seen_at",
)


def digest_of(run: Run) -> str:
    """SHA-256 over Bridge's rows and the bank's, as 16 hexadecimal digits."""
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        for query in _QUERIES:
            cursor.execute(query)
            for row in cursor.fetchall():
                digest.update(bulk.dumps([_plain(value) for value in row]).encode())
    for number, order in sorted(run.house.books.instructions.items()):
        digest.update(f"{number} {order.terms} {order.status} {order.settled_amount} {order.returned_amount}".encode())
    digest.update(str(run.time.now()).encode())
    return digest.hexdigest()[:16]


def _plain(value: Any) -> Any:
    return bytes(value).hex() if isinstance(value, bytes | memoryview) else value
