"""How many investors and how much money a fund takes: changed on its own, with a reason."""

from __future__ import annotations

from django.db import transaction

from bridge.events import services as events
from bridge.kernel import clock, locking
from bridge.kernel.errors import BridgeError, NotFound
from bridge.kernel.money import display
from bridge.kernel.results import Actor, Change, Done, Refused, Result
from funds.models import Fund, FundCapacity
from funds.services import refusal


class LimitTooLow(BridgeError):
    code = "limit_too_low"
    status = 409
    title = "Limit below what is taken"
    message = "{taken} taken already: the limit cannot be set to {limit}."


class LimitsUnchanged(BridgeError):
    code = "limits_unchanged"
    status = 409
    title = "Nothing changes"
    message = "These are the fund's limits already."


class LimitsReasonMissing(BridgeError):
    code = "reason_missing"
    status = 422
    title = "No reason given"
    message = "Say why the limits change, in a sentence: it is kept for ever."


def change_limits(*, change: Change, seat_limit: int | None, hard_cap: int | None, actor: Actor) -> Result:
    """Set a fund's seat limit and hard cap (minor units; `None` for no limit). The change carries the reason.

    Refused with `LimitsReasonMissing`, `NotFound`, `StaleVersion`, `LimitsUnchanged`, or `LimitTooLow` where more is
    taken already. Locks the capacity.
    """
    if not change.reason.strip():
        return Refused(change.id, LimitsReasonMissing())
    with transaction.atomic():
        moment = clock.now()
        fund = Fund.objects.select_for_update(no_key=True).filter(pk=change.id).first()
        refused = refusal(change=change, fund=fund)
        if refused is not None or fund is None:
            return refused or Refused(change.id, NotFound(what="fund"))
        (capacity,) = locking.lock(FundCapacity.objects.all(), [fund.id])
        error = _limits_error(capacity, fund.currency, seat_limit, hard_cap)
        if error is not None:
            return Refused(fund.id, error)
        data = {
            "previous": {"seat_limit": capacity.seat_limit, "hard_cap": capacity.hard_cap},
            "seat_limit": seat_limit,
            "hard_cap": hard_cap,
            "reason": change.reason,
        }
        capacity.seat_limit, capacity.hard_cap = seat_limit, hard_cap
        capacity.save(update_fields=["seat_limit", "hard_cap"])
        fund.version += 1
        fund.save(update_fields=["version"])
        fact = events.Fact("fund", fund.id, "fund.limits_changed", fund.status, fund.version, data)
        events.append(facts=[fact], actor=actor, at=moment)
        return Done(fund.id, fund.status, fund.version)


def _limits_error(
    capacity: FundCapacity, currency: str, seat_limit: int | None, hard_cap: int | None
) -> BridgeError | None:
    seats, taken = capacity.seats_taken, capacity.reserved + capacity.confirmed
    if (seat_limit, hard_cap) == (capacity.seat_limit, capacity.hard_cap):
        return LimitsUnchanged()
    if seat_limit is not None and seat_limit < seats:
        return LimitTooLow(taken=f"{seats:,} {'seat is' if seats == 1 else 'seats are'}", limit=f"{seat_limit:,}")
    if hard_cap is not None and hard_cap < taken:
        return LimitTooLow(taken=f"{display(taken, currency)} is", limit=display(hard_cap, currency))
    return None
