"""What must always be true of receipts and of the firm's float: the settlement account's money beside transfers."""

from __future__ import annotations

from bridge.kernel.invariants import Invariant
from bridge.kernel.invariants import register as register_invariants

SUSPENSE = """
    SELECT coalesce(l.currency, r.currency) AS currency, coalesce(l.balance, 0) AS suspense,
        coalesce(r.open, 0) AS receipts
    FROM (SELECT currency, balance FROM ledger_ledgeraccount WHERE kind = 'suspense' AND owner_id IS NULL) AS l
    FULL JOIN (
        SELECT currency, sum(amount) AS open FROM transfers_receipt WHERE state = 'unidentified' GROUP BY currency
    ) AS r USING (currency)
    WHERE coalesce(l.balance, 0) <> coalesce(r.open, 0)
"""

# Each receipt and movement names its own postings, and each such posting is named once.
BOOKED = """
    WITH named AS (
        SELECT opened_by AS posting, 'S1' AS row, 'receipt' AS what, id FROM transfers_receipt
        UNION ALL
        SELECT closed_by, CASE state WHEN 'sent_back' THEN 'S3' ELSE 'S2' END, 'receipt', id FROM transfers_receipt
        WHERE closed_by IS NOT NULL
        UNION ALL
        SELECT posting_id, CASE kind WHEN 'charge' THEN 'F1' ELSE 'A3' END, 'movement', id FROM transfers_floatmovement
    )
    SELECT coalesce(n.posting, p.id) AS posting, coalesce(n.row, p.row) AS row, n.what, n.id
    FROM named AS n
    FULL JOIN (
        SELECT id, row, EXISTS (SELECT 1 FROM ledger_posting AS x WHERE x.reverses_id = o.id) AS undone
        FROM ledger_posting AS o WHERE row IN ('S1', 'S2', 'S3', 'A3', 'F1')
    ) AS p ON p.id = n.posting
    WHERE p.id IS NULL OR n.row IS DISTINCT FROM p.row AND NOT (p.undone AND n.id IS NULL)
"""

REVERSED = """
    SELECT m.id AS movement, m.reversed_at, x.id AS reversal
    FROM transfers_floatmovement AS m LEFT JOIN ledger_posting AS x ON x.reverses_id = m.posting_id
    WHERE (m.reversed_at IS NULL) <> (x.id IS NULL)
"""

# In the account that says what it is: what came in in suspense, the firm's own money, what the bank took.
AMOUNTS = """
    WITH named AS (
        SELECT id, 'receipt' AS what, opened_by AS posting, 'suspense' AS kind, amount, currency FROM transfers_receipt
        UNION ALL
        SELECT id, 'receipt', closed_by, 'suspense', -amount, currency FROM transfers_receipt
        WHERE closed_by IS NOT NULL
        UNION ALL
        SELECT id, 'movement', posting_id, CASE kind WHEN 'charge' THEN 'fees' ELSE 'firm_advance' END,
            CASE kind WHEN 'taken_out' THEN -amount ELSE amount END, currency
        FROM transfers_floatmovement
    )
    SELECT n.id, n.what, n.posting, n.amount, n.currency, coalesce(b.amount, 0) AS booked
    FROM named AS n LEFT JOIN LATERAL (
        SELECT sum(e.amount) AS amount FROM ledger_entry AS e JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
        WHERE e.posting_id = n.posting AND a.kind = n.kind AND a.currency = n.currency
    ) AS b ON true
    WHERE b.amount IS DISTINCT FROM n.amount
"""


def register() -> None:
    register_invariants(
        Invariant("I12 suspense", "Suspense is the sum of the unidentified receipts, per currency.", SUSPENSE),
        Invariant("I12 booked", "Each receipt and movement of the float has its postings, and they have it.", BOOKED),
        Invariant("I12 amounts", "The postings of each receipt and movement are of its amount and currency.", AMOUNTS),
        Invariant("I12 reversed", "A movement of the float counts as reversed when its posting is.", REVERSED),
    )
