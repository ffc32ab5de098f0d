from __future__ import annotations

from bridge.approvals.checks import agreed
from bridge.events.telling import untold
from bridge.kernel.invariants import Invariant
from bridge.kernel.invariants import register as register_invariants

ALLOCATION_SUMS = """
    SELECT a.id AS allocation, a.reserved, a.confirmed, coalesce(s.reserved, 0) AS reservations_reserved,
        coalesce(s.confirmed, 0) AS reservations_confirmed
    FROM funds_allocation AS a LEFT JOIN (
        SELECT allocation_id, coalesce(sum(amount) FILTER (WHERE state = 'reserved'), 0) AS reserved,
            coalesce(sum(amount) FILTER (WHERE state = 'confirmed'), 0) AS confirmed
        FROM funds_reservation GROUP BY allocation_id
    ) AS s ON s.allocation_id = a.id
    WHERE a.reserved <> coalesce(s.reserved, 0) OR a.confirmed <> coalesce(s.confirmed, 0)
"""

CAPACITY = """
    SELECT f.id AS fund, c.seats_taken, coalesce(s.seats, 0) AS allocations, c.seat_limit, c.reserved,
        c.confirmed, coalesce(s.reserved, 0) AS allocated_reserved, coalesce(s.confirmed, 0) AS allocated_confirmed,
        c.hard_cap
    FROM funds_fund AS f LEFT JOIN funds_fundcapacity AS c ON c.fund_id = f.id LEFT JOIN (
        SELECT fund_id, count(*) FILTER (WHERE reserved + confirmed > 0) AS seats, sum(reserved) AS reserved,
            sum(confirmed) AS confirmed
        FROM funds_allocation GROUP BY fund_id
    ) AS s ON s.fund_id = f.id
    WHERE c.fund_id IS NULL OR c.seats_taken <> coalesce(s.seats, 0) OR c.reserved <> coalesce(s.reserved, 0)
        OR c.confirmed <> coalesce(s.confirmed, 0) OR c.seats_taken > c.seat_limit
        OR c.reserved + c.confirmed > c.hard_cap
"""

RULES = untold(
    table="funds_ruleparameters",
    subject="rule_parameters",
    state="r.state",
    more="(e.data ->> 'rule', e.data ->> 'fund', e.data -> 'values')"
    " IS DISTINCT FROM (r.rule, r.fund_id::text, r.values)",
)

AGREED = f"""
    SELECT 'override' AS what, o.* FROM ({agreed("funds_ruleoverride", "'transfer.override'")}) AS o
    UNION ALL
    SELECT 'closing', c.* FROM ({agreed("funds_closing", "'fund.' || replace(r.kind, '-', '_')")}) AS c
"""  # noqa: S608 our own text


def register() -> None:
    register_invariants(
        Invariant("I6 allocations", "Every allocation equals the sum of its reservations.", ALLOCATION_SUMS),
        Invariant("I6 capacity", "Seats and dollars taken equal the allocations and stay in their limits.", CAPACITY),
        Invariant("I7 rules", "Each set of rule parameters is as its last event says.", RULES),
        Invariant("I7 agreed", "Two people agreed to each override and to each closing.", AGREED),
    )
