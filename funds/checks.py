from __future__ import annotations

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
    SELECT c.fund_id AS fund, c.seats_taken, coalesce(s.seats, 0) AS allocations, c.seat_limit, c.reserved,
        c.confirmed, coalesce(s.reserved, 0) AS allocated_reserved, coalesce(s.confirmed, 0) AS allocated_confirmed,
        c.hard_cap
    FROM funds_fundcapacity AS c LEFT JOIN (
        SELECT fund_id, count(*) FILTER (WHERE reserved + confirmed > 0) AS seats, sum(reserved) AS reserved,
            sum(confirmed) AS confirmed
        FROM funds_allocation GROUP BY fund_id
    ) AS s ON s.fund_id = c.fund_id
    WHERE c.seats_taken <> coalesce(s.seats, 0) OR c.reserved <> coalesce(s.reserved, 0)
        OR c.confirmed <> coalesce(s.confirmed, 0) OR c.seats_taken > c.seat_limit
        OR c.reserved + c.confirmed > c.hard_cap
"""


def register() -> None:
    register_invariants(
        Invariant("I6 allocations", "Every allocation equals the sum of its reservations.", ALLOCATION_SUMS),
        Invariant("I6 capacity", "Seats and dollars taken equal the allocations and stay in their limits.", CAPACITY),
    )
