"""Mistakes in what clients and people are told, and in who may decide."""

from __future__ import annotations

from tests.simulation.bugs import Bug, Edit

PEOPLE = (
    Bug(
        "no_deduplication",
        "The idempotency key is not looked up: a client that asks again gets a second transfer.",
        (
            Edit(
                "bridge/kernel/idempotency.py",
                "            stored = {n - 1: row for n, *row in bulk.execute(_STORED, _scopes(self._keys)).fetchall()}\n",
                "            stored = {}\n",
            ),
            Edit(
                "bridge/kernel/idempotency.py",
                "    bulk.insert_columns(IdempotencyKey, values)\n",
                '    bulk.insert_columns(IdempotencyKey, values, suffix="ON CONFLICT DO NOTHING")\n',
            ),
        ),
    ),
    Bug(
        "key_kept_outside_the_transaction",
        "The answer is kept under its key after the commit: a crash between makes the next try a new request.",
        (
            Edit(
                "transfers/services/requesting.py",
                "        idempotency.keep_each([(keys[number], answer) for number, answer in answers.items()], at=moment)\n",
                "        from django.db import transaction\n\n"
                "        pairs = [(keys[number], answer) for number, answer in answers.items()]\n\n"
                "        def keep() -> None:\n"
                "            with unit_of_work() as later:\n"
                "                idempotency.keep_each(pairs, at=later)\n\n"
                "        transaction.on_commit(keep)\n",
            ),
        ),
    ),
    Bug(
        "notified_outside_the_transaction",
        "People are told after the commit: a crash between, and nobody ever hears of it.",
        (
            Edit(
                "transfers/services/batch.py",
                "        self._announce(written)\n",
                "        def tell() -> None:\n"
                "            with transaction.atomic():\n"
                "                self._announce(written)\n\n"
                "        transaction.on_commit(tell)\n",
            ),
        ),
    ),
    Bug(
        "locks_in_another_order",
        "Places are locked before the accounts: sooner or later two transactions wait for each other.",
        (
            Edit(
                "transfers/services/deciding.py",
                "    batch.lock_accounts({row.source_account_id for row in rows})\n    batch.lock_places_of(rows)\n",
                "    batch.lock_places_of(rows)\n    batch.lock_accounts({row.source_account_id for row in rows})\n",
            ),
        ),
    ),
    Bug(
        "approval_not_bound",
        "What was approved is not compared with what is there now: the second person agrees to something else.",
        (
            Edit(
                "bridge/approvals/services.py",
                "        elif bound_hash(row.kind, row.subject_id, row.payload, now_seen) != row.bound_hash:\n",
                "        elif not now_seen and not row.bound_hash:\n",
            ),
        ),
    ),
)
