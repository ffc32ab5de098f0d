"""Less arrived than was ordered: what was credited counts, and the policy says what becomes of the transfer."""

from __future__ import annotations

from accounts.ledger import rows
from bridge.kernel.money import display
from transfers.models import Transfer
from transfers.policy import policy
from transfers.services.batch import Batch
from transfers.states import NextStep, Step


def take(batch: Batch, transfer: Transfer, credited: int) -> None:
    """Decide what comes after a withdrawal that credited less than its amount (minor units) and note it all but the
    event: `accept` goes on with what there is, `top_up` adds the firm's own money (A4) where there is enough, `refund`
    sends it back, and what is short by more than the tolerance waits for people, unless it is refunded.

    Needs the locks of the transfer and its place; the transfer is in `withdrawn` already. A top-up locks the firm's
    ledger account: what others or this batch have used is not there twice.
    """
    assert batch.places is not None
    short = transfer.amount - credited
    choice = choose(transfer, short, batch)
    if choice == "top_up":
        batch.post(rows.short_pay_topped_up(batch.parties(transfer, None), amount=short))
        batch.schedule(transfer, Step.DEPOSIT, batch.at)
        return
    ordered = transfer.amount
    transfer.amount = credited
    batch.places.resize(transfer.id, credited)
    if choice == "accept":
        batch.schedule(transfer, Step.DEPOSIT, batch.at)
    elif choice == "refund":
        transfer.next_step = NextStep.REFUND
        batch.schedule(transfer, Step.REFUND, batch.at)
    else:
        transfer.next_step = NextStep.NONE
        message = (
            f"{display(credited, transfer.currency)} arrived of {display(ordered, transfer.currency)}. "
            "Go on with what there is, top it up, or refund it."
        )
        transfer.block("short_paid", message, at=batch.at)
        batch.schedule(transfer, Step.BLOCKED, None)


def choose(transfer: Transfer, short: int, batch: Batch) -> str:
    """`accept`, `top_up`, `refund` or `hold`, by the policy in force for the fund."""
    rules = policy(fund_id=transfer.fund_id, at=batch.at)
    if rules.short_pay == "refund":
        return "refund"
    if short > rules.short_pay_tolerance.get(transfer.currency, 0):
        return "hold"
    if rules.short_pay == "top_up" and batch.free_float(transfer.currency) < short:
        return "hold"
    return rules.short_pay
