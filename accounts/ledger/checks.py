from __future__ import annotations

from bridge.kernel.invariants import Invariant
from bridge.kernel.invariants import register as register_invariants

ZERO_SUM = """
    SELECT p.id AS posting, p.row, a.currency, coalesce(sum(e.amount), 0) AS total
    FROM ledger_posting AS p
    LEFT JOIN ledger_entry AS e ON e.posting_id = p.id
    LEFT JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
    GROUP BY p.id, p.row, a.currency
    HAVING coalesce(sum(e.amount), 0) <> 0 OR count(e.id) = 0
"""

RUNNING_BALANCE = """
    SELECT a.id AS account, a.owner_id, a.kind, a.currency, a.balance, coalesce(s.total, 0) AS entries
    FROM ledger_ledgeraccount AS a
    LEFT JOIN (SELECT account_id, sum(amount) AS total FROM ledger_entry GROUP BY account_id) AS s
        ON s.account_id = a.id
    WHERE a.balance <> coalesce(s.total, 0)
"""

NOT_NEGATIVE = """
    SELECT id AS account, owner_id, kind, currency, balance FROM ledger_ledgeraccount
    WHERE balance < 0 AND kind NOT IN ('cash', 'fees', 'outside', 'firm_advance')
"""

TAGGED = """
    SELECT e.id AS entry, a.kind, e.amount FROM ledger_entry AS e JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
    WHERE e.transfer_id IS NULL AND a.kind NOT IN ('suspense', 'outside', 'fees', 'firm_advance')
"""

# Only an X2 reverses, it negates every line, and each posting follows a row of the table.
ROWS = """
    SELECT id AS posting, row, reverses_id AS reverses, 'is no row of the posting table' AS wrong
    FROM ledger_posting WHERE row !~ '^(W[1-5]|D[1-5]|R[1-5]|A[1-4]|S[1-3]|F1|Z[12]|X[12])$'
    UNION ALL
    SELECT id, row, reverses_id, 'an X2 reverses a posting, and nothing else does'
    FROM ledger_posting WHERE (row = 'X2') <> (reverses_id IS NOT NULL)
    UNION ALL
    SELECT DISTINCT x.id, x.row, x.reverses_id, 'does not negate what it reverses'
    FROM (
        SELECT p.id, p.row, p.reverses_id FROM ledger_posting AS p
        JOIN ledger_entry AS e ON e.posting_id IN (p.id, p.reverses_id)
        WHERE p.reverses_id IS NOT NULL
        GROUP BY p.id, p.row, p.reverses_id, e.account_id, e.transfer_id HAVING sum(e.amount) <> 0
    ) AS x
"""

KEYS = """
    SELECT e.id AS entry, e.posting_id AS posting, e.account_id AS account, 'points to nothing' AS wrong
    FROM ledger_entry AS e
    LEFT JOIN ledger_posting AS p ON p.id = e.posting_id
    LEFT JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
    WHERE p.id IS NULL OR a.id IS NULL
"""


def register() -> None:
    register_invariants(
        Invariant("I1", "Every posting has entries, which sum to zero per currency.", ZERO_SUM),
        Invariant("I1 keys", "Every entry belongs to a posting and to an account.", KEYS),
        Invariant("I1 rows", "Every posting follows a row of the table, and an X2 negates what it reverses.", ROWS),
        Invariant("I2", "Every balance equals the sum of its entries.", RUNNING_BALANCE),
        Invariant("I9", "No account is below zero except cash, fees, outside and firm_advance.", NOT_NEGATIVE),
        Invariant("I9 tags", "Every entry carries its transfer, except what concerns no transfer.", TAGGED),
    )
