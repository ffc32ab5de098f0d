"""The engine's loop: drain what is due until nothing is. Woken by messages without content, or by the sweep."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Sequence

from bridge.approvals.services import expire_approvals
from bridge.kernel import clock, crashpoints, memory
from bridge.kernel.crashpoints import Point
from bridge.kernel.results import ENGINE
from bridge.kernel.transactions import DATABASE_FAULTS
from transfers import facts, services
from transfers.controls import circuits
from transfers.engine import callbacks, calls, claims, steps
from transfers.engine.pace import LEAST, Pace
from transfers.models import Transfer, Work
from transfers.policy import policy
from transfers.states import ENGINE_FAULT, Step

logger = logging.getLogger(__name__)

MAX_ROUNDS = 10_000  # a bound on one call, not on the work: the next wake-up goes on


def drain(*, batch: int | None = None, max_rounds: int = MAX_ROUNDS) -> int:
    """Do all due work and return how many pieces that was. `batch`: always so many at a time, else as `Pace` finds."""
    done, pace = expire_approvals(actor=ENGINE), Pace()
    with memory.collected_between() as collect:
        for _ in range(max_rounds):
            began = time.monotonic()
            moved = one_round(batch=batch or pace.size)
            if not moved:
                break
            pace.took(time.monotonic() - began, moved=moved)
            done += moved
            collect()
    return done


def one_round(*, batch: int = LEAST) -> int:
    """One batch of every kind of work; 0 when nothing is due."""
    try_silent_institutions()
    moved = callbacks.process(limit=batch)
    due = claims.due(steps.HANDLERS)
    for step, handler in steps.HANDLERS.items():
        if step not in due:
            continue
        ids = claims.claim(step, limit=batch)
        if ids:
            isolated(ids, handler)
            moved += len(ids)
            due = claims.due(steps.HANDLERS)  # a step may have made the next one due
    late = claims.overdue(moment=clock.now(), limit=batch)
    if late:
        crashpoints.reach(Point.EXPIRE_FOUND)
        isolated(late, steps.expire)
        moved += len(late)
    return moved + promote() + services.continue_closings(actor=ENGINE)


def try_silent_institutions() -> None:
    """Ask each whose circuit has been open for its time, one worker each, whether somebody is there."""
    while institution := circuits.due_try():
        circuits.tried(institution=institution, answered=calls.answers(institution))


def promote() -> int:
    """Give free places to those who wait for them; returns how many moved."""
    moved = 0
    for fund_id in claims.funds_with_room():
        waiting = Work.objects.filter(step=Step.PROMOTE, transfer__fund_id=fund_id)
        accounts = set(waiting.values_list("account_id", flat=True))
        known = facts.gather(account_ids=accounts, max_age=policy().balance_age_create)
        results = services.promote_waitlist(fund_id=fund_id, facts=known, actor=ENGINE)
        moved += sum(1 for result in results if getattr(result, "state", "waitlisted") != "waitlisted")
    return moved


def isolated(ids: Sequence[uuid.UUID], handler: Callable[[Sequence[uuid.UUID]], None]) -> None:
    """Run a batch; when it fails, halve it until the poisoned transfer stands alone, and block that one.

    A database that is away, or that chose this transaction as the victim of a deadlock, says nothing about any
    transfer: that goes up, and the work is due again when its lease is over.
    """
    try:
        handler(ids)
    except DATABASE_FAULTS:
        raise
    except Exception as error:
        if len(ids) > 1:
            logger.warning("a batch of %d failed (%s), halving it", len(ids), error)
            middle = len(ids) // 2
            isolated(ids[:middle], handler)
            isolated(ids[middle:], handler)
            return
        logger.exception("transfer %s cannot be worked on", ids[0])
        _set_aside(ids[0], error)


def _set_aside(transfer_id: uuid.UUID, error: Exception) -> None:
    row = Transfer.objects.filter(pk=transfer_id).values_list("blocker_code", flat=True).first()
    if row == ENGINE_FAULT:
        services.postpone_work(transfer_ids=[transfer_id], seconds=60)
        return
    message = f"Bridge could not work on this transfer ({type(error).__name__}). Engineers have the details in the log."
    services.block_transfers(transfer_ids=[transfer_id], code=ENGINE_FAULT, message=message, actor=ENGINE)
