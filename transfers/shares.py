"""Who keeps how much when a fund takes less than was promised to it. Pure.

Amounts are integers of minor units of one currency, and always add up to the cent.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """One transfer's amount. `order` is its place among the requests: the smallest was first."""

    transfer_id: uuid.UUID
    investor_id: uuid.UUID
    amount: int
    order: int


def apportion(weights: Sequence[int], total: int) -> list[int]:
    """Divide `total` in proportion to `weights` by the method of the largest remainder; equal ones by position.

    Nobody gets more than their weight: a total above the sum of the weights gives each its weight.
    """
    whole = sum(weights)
    if total >= whole:
        return list(weights)
    shares = [weight * total // whole for weight in weights]
    rest = total - sum(shares)
    by_remainder = sorted(range(len(weights)), key=lambda n: (-(weights[n] * total % whole), n))
    for n in by_remainder[:rest]:
        shares[n] += 1
    return shares


def pro_rata(claims: Sequence[Claim], *, target: int, minimum: int = 0) -> dict[uuid.UUID, int]:
    """What each transfer keeps when all are cut in proportion to `target`.

    Investors are cut alike, then each one's transfers. With a `minimum` no investor is cut to less than that: the
    smallest who would be is out entirely, and what that frees goes to the others, until nobody is.
    """
    totals = _totals(claims)
    order = {investor: n for n, investor in enumerate(totals)}
    staying = sorted(totals, key=lambda investor: (totals[investor], -order[investor]))
    left, gone = sum(totals.values()), 0
    for investor in staying:  # far below: no cent of a remainder could help
        if left <= target or totals[investor] * target // left + 1 >= minimum:
            break
        left -= totals[investor]
        gone += 1
    kept = _by_investor(totals, order, staying[gone:], target)
    while minimum and any(kept[one] < min(minimum, totals[one]) for one in staying[gone:]):
        gone += 1
        kept = _by_investor(totals, order, staying[gone:], target)
    own: dict[uuid.UUID, list[Claim]] = {investor: [] for investor in totals}
    for claim in _ordered(claims):
        own[claim.investor_id].append(claim)
    found: dict[uuid.UUID, int] = {}
    for investor, theirs in own.items():
        found |= _within(theirs, kept.get(investor, 0))
    return found


def first_come(claims: Sequence[Claim], *, target: int, minimum: int = 0) -> dict[uuid.UUID, int]:
    """What each transfer keeps when the first requests are served first.

    The one that no longer fits whole keeps what is left. With a `minimum` an investor who would be cut to less than
    that is out entirely, and the next in order are asked.
    """
    totals = _totals(claims)
    out: set[uuid.UUID] = set()
    while True:
        kept = _fill(claims, target, minimum, out)
        sums: dict[uuid.UUID, int] = dict.fromkeys(totals, 0)
        for claim in claims:
            sums[claim.investor_id] += kept[claim.transfer_id]
        below = [one for one in totals if 0 < sums[one] < min(minimum, totals[one])]
        if not below:
            return kept
        out.add(below[-1])


def _fill(claims: Sequence[Claim], target: int, minimum: int, out: set[uuid.UUID]) -> dict[uuid.UUID, int]:
    kept: dict[uuid.UUID, int] = {}
    has: dict[uuid.UUID, int] = {}
    for claim in _ordered(claims):
        share = 0 if claim.investor_id in out else min(claim.amount, target)
        before = has.get(claim.investor_id, 0)
        if share < claim.amount and not before and share < minimum:
            share = 0  # too little to begin with; the next may fit
        kept[claim.transfer_id] = share
        has[claim.investor_id] = before + share
        target -= share
    return kept


def _ordered(claims: Sequence[Claim]) -> list[Claim]:
    return sorted(claims, key=lambda claim: claim.order)


def _totals(claims: Sequence[Claim]) -> dict[uuid.UUID, int]:
    """Per investor, in the order of their first requests."""
    totals: dict[uuid.UUID, int] = {}
    for claim in _ordered(claims):
        totals[claim.investor_id] = totals.get(claim.investor_id, 0) + claim.amount
    return totals


def _by_investor(
    totals: dict[uuid.UUID, int], order: dict[uuid.UUID, int], staying: Sequence[uuid.UUID], target: int
) -> dict[uuid.UUID, int]:
    wanted = sorted(staying, key=order.__getitem__)
    return dict(zip(wanted, apportion([totals[one] for one in wanted], target), strict=True))


def _within(claims: Sequence[Claim], total: int) -> dict[uuid.UUID, int]:
    shares = apportion([claim.amount for claim in claims], total)
    return {claim.transfer_id: share for claim, share in zip(claims, shares, strict=True)}
