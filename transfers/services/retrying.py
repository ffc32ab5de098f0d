"""A rejected deposit that passes with time is tried again by itself, before the fund's policy refunds or holds it.

Only codes that say "not now" count: of ISO 20022 (external status reason codes) an agent that was offline, timed out
or could not process, and a missed cut-off. A closed or unknown account, a wrong amount or a refusal never passes by
itself, and neither does a code that we do not know. A retry is a new instruction with a new key.
"""

from __future__ import annotations

from typing import Final

from transfers.models import BankInstruction, Transfer
from transfers.services import family, orders
from transfers.services.batch import Batch
from transfers.states import NextStep, State, Step

PASSES_WITH_TIME: Final = frozenset(
    {
        "AB03",  # aborted: settlement timed out
        "AB05",  # time-out at the creditor's agent
        "AB06",  # time-out at the instructed agent
        "AB07",  # an agent is offline
        "AB08",  # the creditor's agent is offline
        "AB09",  # error at the creditor's agent
        "AB10",  # error at the instructed agent
        "ED05",  # settlement failed
        "TM01",  # after the cut-off time
        "closed",  # the bank is closed
        "unavailable",
    }
)


def next_step(batch: Batch, transfer: Transfer, order: BankInstruction) -> NextStep | None:
    """The deposit again where that may help and has not been tried often enough; nothing where the fund's policy
    decides. Never while the family owes the firm: what comes back then has another use."""
    if order.return_code not in PASSES_WITH_TIME or order.attempt > orders.terms(order, transfer).deposit_retries:
        return None
    kin = batch.family_of(transfer)
    batch.load_books(kin)
    if family.advanced(batch.books, kin) > 0 or family.written_off(batch.books, kin):
        return None
    return NextStep.DEPOSIT


def later(batch: Batch, transfer: Transfer, order: BankInstruction) -> None:
    """Not at once: after the wait that is in force."""
    if transfer.state == State.WITHDRAWN and transfer.next_step == NextStep.DEPOSIT:
        due = orders.terms(order, transfer).after(batch.at, "deposit_retry_wait")
        batch.schedule(transfer, Step.DEPOSIT, due)
