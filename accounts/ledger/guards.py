"""What the database refuses about postings, entries and their accounts, checked once per statement."""

from __future__ import annotations

import pgtrigger


def entries_balance() -> pgtrigger.Trigger:
    """All entries of one INSERT belong to postings of this transaction, name accounts that were opened, and sum to
    zero per posting and currency.

    One pass. The look-ups are subqueries of one row, which use the primary keys whatever the planner thinks of the
    tables' sizes; a join read the whole of both tables.
    """
    return pgtrigger.Trigger(
        name="entries_balance",
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=pgtrigger.Insert,
        referencing=pgtrigger.Referencing(new="fresh"),
        declare=[("old", "bigint"), ("nowhere", "bigint"), ("unbalanced", "bigint")],
        func="""
            SELECT
                count(*) FILTER (
                    WHERE (SELECT p.tx FROM ledger_posting AS p WHERE p.id = s.posting_id)
                    IS DISTINCT FROM pg_current_xact_id()
                ),
                count(*) FILTER (WHERE s.currency IS NULL),
                count(*) FILTER (WHERE s.total <> 0)
            INTO old, nowhere, unbalanced
            FROM (
                SELECT e.posting_id, e.currency, sum(e.amount) AS total
                FROM (
                    SELECT posting_id, amount,
                        (SELECT a.currency FROM ledger_ledgeraccount AS a WHERE a.id = fresh.account_id) AS currency
                    FROM fresh
                ) AS e
                GROUP BY e.posting_id, e.currency
            ) AS s;
            IF old > 0 THEN
                RAISE EXCEPTION 'entry_of_old_posting: entries are written together with their posting';
            END IF;
            IF nowhere > 0 THEN
                RAISE EXCEPTION 'entry_without_account: no such account was opened';
            END IF;
            IF unbalanced > 0 THEN
                RAISE EXCEPTION 'posting_not_balanced: the entries of a posting must sum to zero per currency';
            END IF;
            RETURN NULL;
        """,
    )
