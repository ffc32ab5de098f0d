"""The engine's loop: drain what is due until nothing is. Woken by messages without content, or by the sweep."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from bridge.approvals.services import expire_approvals
from bridge.kernel import clock, crashpoints, memory
from bridge.kernel.crashpoints import Point
from bridge.kernel.results import ENGINE
from transfers import facts, services
from transfers.controls import circuits
from transfers.engine import callbacks, calls, claims, steps
from transfers.engine.isolation import isolated
from transfers.engine.pace import LEAST, Pace
from transfers.models import Work
from transfers.policy import policy
from transfers.states import Step

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
        queue = Work.objects.filter(step=Step.PROMOTE, transfer__fund_id=fund_id).order_by("transfer_id")
        waiting = dict(queue.values_list("transfer_id", "account_id"))
        known = facts.gather(account_ids=set(waiting.values()), max_age=policy().balance_age_create)

        def give(ids: Sequence[uuid.UUID], known: facts.Facts = known) -> None:
            nonlocal moved
            results = services.promote_waitlist(transfer_ids=ids, facts=known, actor=ENGINE)
            moved += sum(1 for result in results if getattr(result, "state", "waitlisted") != "waitlisted")

        isolated(list(waiting), give)
    return moved
