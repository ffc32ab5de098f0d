"""What the database refuses about postings and entries, checked once per statement.

Counted, not asked with EXISTS: see `transfers.guards`.
"""

from __future__ import annotations

import pgtrigger


def entries_balance() -> pgtrigger.Trigger:
    """All entries of one INSERT belong to postings of this transaction and sum to zero per posting and currency."""
    return pgtrigger.Trigger(
        name="entries_balance",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        referencing=pgtrigger.Referencing(new="fresh"),
        func="""
            IF (
                SELECT count(*) FROM fresh LEFT JOIN ledger_posting AS p ON p.id = fresh.posting_id
                WHERE p.tx IS DISTINCT FROM pg_current_xact_id()
            ) > 0 THEN
                RAISE EXCEPTION 'entry_of_old_posting: entries are written together with their posting';
            END IF;
            IF (
                SELECT count(*) FROM (
                    SELECT 1 FROM fresh JOIN ledger_ledgeraccount AS a ON a.id = fresh.account_id
                    GROUP BY fresh.posting_id, a.currency HAVING sum(fresh.amount) <> 0
                ) AS unbalanced
            ) > 0 THEN
                RAISE EXCEPTION 'posting_not_balanced: the entries of a posting must sum to zero per currency';
            END IF;
            RETURN NULL;
        """,
    )
