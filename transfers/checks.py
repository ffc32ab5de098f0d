"""What must always be true of transfers, their instructions, holds, places, events and work."""

from __future__ import annotations

from bridge.kernel.invariants import Invariant
from bridge.kernel.invariants import register as register_invariants
from transfers.states import ENDED, HELD, LIVE, RESERVING, State


def _list(states: tuple[str, ...]) -> str:
    return ", ".join(f"'{state}'" for state in states)


PLACES_OF_MONEY = {
    "withdrawal_in_transit": State.WITHDRAWING,
    "clearing": State.WITHDRAWN,
    "deposit_in_transit": State.DEPOSITING,
    "refund_in_transit": State.REFUNDING,
    "frozen": State.FROZEN,
}

_PAIRS = ", ".join(f"('{kind}', '{state}')" for kind, state in PLACES_OF_MONEY.items())
_SUMS = """
    SELECT e.transfer_id, a.kind, sum(e.amount) AS amount
    FROM ledger_entry AS e JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
    WHERE e.transfer_id IS NOT NULL GROUP BY e.transfer_id, a.kind
"""

MONEY_IS_WHERE_THE_STATE_SAYS = f"""
    SELECT t.id AS transfer, t.state, p.kind, coalesce(s.amount, 0) AS amount
    FROM transfers_transfer AS t
    CROSS JOIN (VALUES {_PAIRS}) AS p(kind, state)
    LEFT JOIN ({_SUMS}) AS s ON s.transfer_id = t.id AND s.kind = p.kind
    WHERE coalesce(s.amount, 0) < 0 OR (coalesce(s.amount, 0) > 0) <> (t.state = p.state)
"""

NO_CLEARING_BESIDE_AN_ADVANCE = f"""
    SELECT t.family_id AS family, sum(s.amount) FILTER (WHERE s.kind = 'clearing') AS clearing,
        sum(s.amount) FILTER (WHERE s.kind = 'firm_advance') AS advance
    FROM transfers_transfer AS t JOIN ({_SUMS}) AS s ON s.transfer_id = t.id
    GROUP BY t.family_id
    HAVING bool_or(s.kind = 'firm_advance' AND s.amount < 0) AND bool_or(s.kind = 'clearing' AND s.amount > 0)
        AND NOT bool_or(s.kind = 'frozen' AND s.amount > 0)
"""

INSTRUCTIONS_EXPLAIN_THE_MONEY = f"""
    SELECT t.family_id AS family, sum(i.net) + sum(l.recovered) AS by_instructions, sum(l.inside) AS by_ledger
    FROM transfers_transfer AS t
    LEFT JOIN LATERAL (
        SELECT coalesce(sum(CASE
            WHEN kind = 'withdrawal' THEN settled_amount - returned_amount
            WHEN kind = 'recall' THEN 0
            WHEN state IN ({_list(LIVE)}) AND state <> 'pending' THEN returned_amount - amount
            ELSE returned_amount - settled_amount - fee END), 0) AS net
        FROM transfers_bankinstruction WHERE transfer_id = t.id
    ) AS i ON true
    LEFT JOIN LATERAL (
        SELECT coalesce(sum(e.amount) FILTER (WHERE a.kind IN ('clearing', 'frozen')), 0) AS inside,
            coalesce(sum(-e.amount) FILTER (WHERE a.kind = 'firm_advance'), 0)
            + coalesce(sum(e.amount) FILTER (WHERE a.kind = 'clearing' AND p.row IN ('S2', 'A4', 'X1', 'X2')), 0)
            + coalesce(sum(e.amount) FILTER (WHERE a.kind = 'firm_advance' AND p.row IN ('A2', 'S2', 'X2')), 0)
                AS recovered
        FROM ledger_entry AS e JOIN ledger_ledgeraccount AS a ON a.id = e.account_id
        JOIN ledger_posting AS p ON p.id = e.posting_id
        WHERE e.transfer_id = t.id
    ) AS l ON true
    GROUP BY t.family_id HAVING sum(i.net) + sum(l.recovered) <> sum(l.inside)
"""

HOLDS = f"""
    SELECT a.id AS account, a.held, coalesce(s.amount, 0) AS transfers
    FROM accounts_investoraccount AS a LEFT JOIN (
        SELECT source_account_id, sum(amount) AS amount FROM transfers_transfer
        WHERE state IN ({_list(HELD)}) GROUP BY source_account_id
    ) AS s ON s.source_account_id = a.id
    WHERE a.held <> coalesce(s.amount, 0)
"""

BEGUN = """
    SELECT a.id AS account, a.withdrawals_begun, a.withdrawals_acknowledged, coalesce(s.begun, 0) AS instructions,
        coalesce(s.acknowledged, 0) AS acknowledged
    FROM accounts_investoraccount AS a LEFT JOIN (
        SELECT account_id, sum(amount) FILTER (WHERE state <> 'rejected' OR acknowledged_at IS NOT NULL) AS begun,
            sum(amount) FILTER (WHERE acknowledged_at IS NOT NULL) AS acknowledged
        FROM transfers_bankinstruction WHERE kind = 'withdrawal' GROUP BY account_id
    ) AS s ON s.account_id = a.id
    WHERE a.withdrawals_begun <> coalesce(s.begun, 0) OR a.withdrawals_acknowledged <> coalesce(s.acknowledged, 0)
"""

_MUST_RESERVE = tuple(state for state in RESERVING if state != State.WITHDRAWN)
PLACES = f"""
    SELECT t.id AS transfer, t.state, t.amount, r.state AS reservation, r.amount AS reserved
    FROM transfers_transfer AS t LEFT JOIN funds_reservation AS r ON r.transfer_id = t.id
    LEFT JOIN funds_allocation AS a ON a.id = r.allocation_id
    WHERE (r.state = 'reserved' AND t.state NOT IN ({_list(RESERVING)}))
        OR (t.state IN ({_list(_MUST_RESERVE)}) AND (r.state IS DISTINCT FROM 'reserved' OR r.amount <> t.amount))
        OR ((r.state IS NOT DISTINCT FROM 'confirmed') <> (t.state = 'completed'))
        OR (r.state = 'confirmed' AND r.amount <> t.amount)
        OR (r.state <> 'released' AND (a.fund_id, a.investor_id) IS DISTINCT FROM (t.fund_id, t.investor_id))
"""

EVENTS = """
    SELECT t.id AS transfer, t.state, t.version, e.seq, e.state AS event_state, e.version AS event_version
    FROM transfers_transfer AS t LEFT JOIN LATERAL (
        SELECT seq, state, version FROM events_event
        WHERE subject_type = 'transfer' AND subject_id = t.id ORDER BY seq DESC LIMIT 1
    ) AS e ON true
    WHERE e.seq IS NULL OR e.state <> t.state OR e.version <> t.version
"""

ONE_LIVE = f"""
    SELECT transfer_id AS transfer, kind, count(*) AS live FROM transfers_bankinstruction
    WHERE state IN ({_list(LIVE)}) GROUP BY transfer_id, kind HAVING count(*) > 1
"""

KEYS = "SELECT key, count(*) AS uses FROM transfers_bankinstruction GROUP BY key HAVING count(*) > 1"

NOTHING_STRANDED = f"""
    SELECT t.id AS transfer, t.state, w.step, w.due_at, t.blocker_code
    FROM transfers_transfer AS t LEFT JOIN transfers_work AS w ON w.transfer_id = t.id
    WHERE (t.state NOT IN ({_list(ENDED)}) AND (w.transfer_id IS NULL OR (
            w.due_at IS NULL AND t.blocker_code = '' AND NOT EXISTS (
                SELECT 1 FROM transfers_bankinstruction AS i
                WHERE i.transfer_id = t.id AND i.state IN ({_list(LIVE)})))))
        OR (t.state IN ({_list(ENDED)}) AND t.blocker_code = '' AND w.transfer_id IS NOT NULL)
        OR (t.state IN ({_list(ENDED)}) AND w.transfer_id IS NULL AND EXISTS (
            SELECT 1 FROM transfers_bankinstruction AS i WHERE i.transfer_id = t.id AND i.state IN ({_list(LIVE)})))
"""

ADVANCES_IN_SIGHT = f"""
    SELECT t.id AS transfer, t.state, -sum(e.amount) AS advanced
    FROM ledger_entry AS e JOIN ledger_ledgeraccount AS a ON a.id = e.account_id AND a.kind = 'firm_advance'
    JOIN transfers_transfer AS t ON t.id = e.transfer_id
    WHERE t.blocker_code = '' AND t.state IN ({_list(ENDED)})
    GROUP BY t.id, t.state HAVING sum(e.amount) < 0
"""


def register() -> None:
    register_invariants(
        Invariant("I3", "Each transfer's money is where its state says.", MONEY_IS_WHERE_THE_STATE_SAYS),
        Invariant("I3 family", "No family has clearing beside an open advance.", NO_CLEARING_BESIDE_AN_ADVANCE),
        Invariant("I4", "Instructions alone explain the money in clearing.", INSTRUCTIONS_EXPLAIN_THE_MONEY),
        Invariant("I5", "Holds equal the amounts in review and approved.", HOLDS),
        Invariant("I5 begun", "Withdrawals begun and acknowledged equal the instructions.", BEGUN),
        Invariant("I6 transfers", "Reservations equal what their transfers' states say.", PLACES),
        Invariant("I7", "Each transfer's last event has its state and version.", EVENTS),
        Invariant("I8", "At most one live instruction of a kind per transfer.", ONE_LIVE),
        Invariant("I8 keys", "No idempotency key is used twice.", KEYS),
        Invariant("I11", "Every open transfer has due work, a live instruction or a blocker.", NOTHING_STRANDED),
        Invariant(
            "I11 advances", "Every advance that is open is shown on a transfer that has ended.", ADVANCES_IN_SIGHT
        ),
    )
