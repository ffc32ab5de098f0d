"""What nobody may change past the services without being noticed, not even who may switch triggers off: rows that are
gone, terms that are others than in the sealed log, postings that are of another amount than their instruction, money
at somebody else's."""

from __future__ import annotations

from bridge.approvals.checks import agreed
from bridge.events.telling import untold
from bridge.kernel.invariants import Invariant
from bridge.kernel.invariants import register as register_invariants
from transfers.reconciliation.books import FACETS

TERMS = """
    SELECT t.id AS transfer, t.state, t.amount, e.data ->> 'amount' AS told_amount, t.currency
    FROM transfers_transfer AS t JOIN LATERAL (
        SELECT data FROM events_event
        WHERE subject_type = 'transfer' AND subject_id = t.id ORDER BY seq DESC LIMIT 1
    ) AS e ON true
    WHERE (
        e.data ->> 'amount', e.data ->> 'currency', e.data ->> 'source_account', e.data ->> 'fund',
        e.data ->> 'investor'
    ) IS DISTINCT FROM (
        t.amount::text, t.currency::text, t.source_account_id::text, t.fund_id::text, t.investor_id::text
    )
"""

_OF_A_TRANSFER = {
    "instruction": ("transfers_bankinstruction", "id"),
    "work": ("transfers_work", "transfer_id"),
    "reservation": ("funds_reservation", "id"),
    "posting": ("ledger_posting", "id"),
    "entry": ("ledger_entry", "id"),
    "verification": ("funds_verification", "id"),
}
GONE = " UNION ALL ".join(
    [
        """
        SELECT 'event' AS what, e.id::text, e.subject_id AS transfer FROM events_event AS e
        WHERE e.subject_type = 'transfer' AND e.seq = 1
        AND NOT EXISTS (SELECT FROM transfers_transfer AS t WHERE t.id = e.subject_id)
        """,
        *(
            f"""
            SELECT '{what}', x.{key}::text, x.transfer_id FROM {table} AS x
            WHERE x.transfer_id IS NOT NULL
            AND NOT EXISTS (SELECT FROM transfers_transfer AS t WHERE t.id = x.transfer_id)
            """  # noqa: S608 names of our own tables
            for what, (table, key) in _OF_A_TRANSFER.items()
        ),
        """
        SELECT 'posting', p.id::text, p.transfer_id FROM ledger_posting AS p
        WHERE p.instruction_id IS NOT NULL
        AND NOT EXISTS (SELECT FROM transfers_bankinstruction AS i WHERE i.id = p.instruction_id)
        """,
    ]
)

OWNERS = """
    SELECT t.id AS transfer, 'its account, fund and family are not those of its investor and currency' AS wrong
    FROM transfers_transfer AS t
    LEFT JOIN accounts_investoraccount AS s ON s.id = t.source_account_id
    LEFT JOIN funds_fund AS f ON f.id = t.fund_id
    LEFT JOIN transfers_transfer AS p ON p.id = t.split_from_id
    WHERE s.investor_id IS DISTINCT FROM t.investor_id OR f.id IS NULL
    OR t.state <> 'rejected' AND (s.currency, f.currency) IS DISTINCT FROM (t.currency, t.currency)
    OR t.split_from_id IS NOT NULL
        AND (p.family_id, p.investor_id, p.currency) IS DISTINCT FROM (t.family_id, t.investor_id, t.currency)
    UNION ALL
    SELECT DISTINCT t.id, 'its money is or was at ' || a.kind || ' of somebody else'
    FROM ledger_entry AS e
    JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
    JOIN transfers_transfer AS t ON t.id = e.transfer_id
    LEFT JOIN accounts_investoraccount AS i ON i.id = a.owner_id
    LEFT JOIN funds_fund AS f ON f.id = a.owner_id
    WHERE a.currency <> t.currency
    OR a.owner_id IS NOT NULL AND i.investor_id IS DISTINCT FROM t.investor_id
        AND f.id IS DISTINCT FROM t.fund_id AND NOT EXISTS (
            SELECT FROM transfers_bankinstruction AS b JOIN transfers_transfer AS o ON o.id = b.transfer_id
            WHERE b.fund_id = f.id AND (o.id = t.family_id OR o.family_id = t.family_id AND o.split_from_id IS NOT NULL)
        )
"""

ORDERS = """
    SELECT i.id AS instruction, i.kind, i.transfer_id AS transfer
    FROM transfers_bankinstruction AS i
    JOIN transfers_transfer AS t ON t.id = i.transfer_id
    LEFT JOIN accounts_investoraccount AS a ON a.id = i.account_id
    LEFT JOIN funds_fund AS f ON f.id = i.fund_id
    LEFT JOIN transfers_bankinstruction AS d ON d.id = i.recalls_id
    LEFT JOIN transfers_transfer AS o ON o.id = d.transfer_id
    WHERE i.currency <> t.currency
    OR i.kind = 'withdrawal' AND i.account_id IS DISTINCT FROM t.source_account_id
    OR i.account_id IS NOT NULL AND (a.investor_id, a.currency) IS DISTINCT FROM (t.investor_id, i.currency)
    OR i.fund_id IS NOT NULL AND f.currency IS DISTINCT FROM i.currency
    OR i.kind = 'recall' AND (d.kind, d.fund_id, o.family_id) IS DISTINCT FROM ('deposit', i.fund_id, t.family_id)
"""

LEGS = f"""
    SELECT i.id AS instruction, i.kind, i.settled_amount, i.fee, i.returned_amount, coalesce(b.settled, 0) AS settled,
        coalesce(b.fee, 0) AS fee_booked, coalesce(b.returned, 0) AS returned
    FROM transfers_bankinstruction AS i LEFT JOIN (
        SELECT m.id, sum(m.amount) FILTER (WHERE m.facet = 'settled') AS settled,
            sum(m.amount) FILTER (WHERE m.facet = 'fee') AS fee,
            sum(m.amount) FILTER (WHERE m.facet = 'returned') AS returned
        FROM (
            SELECT p.instruction_id AS id, {FACETS} AS facet, e.amount
            FROM ledger_posting AS p
            JOIN ledger_entry AS e ON e.posting_id = p.id
            JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
            WHERE p.instruction_id IS NOT NULL
        ) AS m GROUP BY m.id
    ) AS b ON b.id = i.id
    WHERE i.kind <> 'recall' AND (i.settled_amount, i.fee, i.returned_amount)
        <> (coalesce(b.settled, 0), coalesce(b.fee, 0), coalesce(b.returned, 0))
"""  # noqa: S608 our own text

RECEIPTS = untold(
    table="transfers_receipt",
    subject="receipt",
    state="r.state",
    more="(e.data ->> 'amount', e.data ->> 'currency') IS DISTINCT FROM (r.amount::text, r.currency::text)",
)
BREAKS = untold(
    table="transfers_break",
    subject="break",
    state="CASE WHEN r.resolved_at IS NULL THEN 'open' ELSE 'resolved' END",
)
STOPS = untold(
    table="transfers_stop", subject="stop", state="CASE WHEN r.lifted_at IS NULL THEN 'set' ELSE 'lifted' END"
)
AGREED = agreed("transfers_parameters", "'parameters.change'")


def register() -> None:
    register_invariants(
        Invariant("I3 owners", "Each transfer's money is at its investor's or its fund's, in one currency.", OWNERS),
        Invariant("I4 legs", "The postings of each instruction are what it says of itself.", LEGS),
        Invariant("I7 terms", "Each transfer has the terms of its last event.", TERMS),
        Invariant("I7 kept", "Each transfer of the log, the ledger and the instructions is still there.", GONE),
        Invariant("I7 receipts", "Each receipt is as its last event says.", RECEIPTS),
        Invariant("I7 breaks", "Each break is as its last event says.", BREAKS),
        Invariant("I7 stops", "Each stop is as its last event says.", STOPS),
        Invariant("I7 parameters", "Two people agreed to all parameters.", AGREED),
        Invariant(
            "I8 terms", "Each instruction is in its transfer's currency, at its investor's or fund's bank.", ORDERS
        ),
    )
