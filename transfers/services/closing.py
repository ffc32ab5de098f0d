"""Carrying out a plan that two people approved: first the decision with all its steps, then the steps in batches.

The decision is a part of the approval's unit of work. The plan is computed again under the lock of the fund's
capacity, through which every transfer must that takes or gives back a place, and refused when its hash is another than
the one approved. A transfer that only begins a step does not come by there: what a step finds changed it leaves, or
does what is right now. From then on the steps are rows. Each batch is a unit of work of its own that marks
its rows as done, so whoever comes next, after a crash too, goes on where it stopped; the engine does so by itself.
"""

from __future__ import annotations

import logging
import uuid
from datetime import datetime
from typing import Any

from django.db import transaction

from bridge.approvals.models import Approval
from bridge.events import services as events
from bridge.kernel import bulk, clock, ids, locking
from bridge.kernel.errors import BridgeError
from bridge.kernel.results import Actor, Change
from bridge.kernel.transactions import require_atomic, retried, unit_of_work
from funds.models import Closing, ClosingStep, Fund, FundCapacity
from funds.services import set_fund_status
from transfers import sentences, waking
from transfers.closing import NothingToCut, Plan, PlanKind, Terms
from transfers.closing_overview import closing_overview, plan_closing
from transfers.models import Transfer
from transfers.services import cutting
from transfers.services.batch import Batch
from transfers.states import State

logger = logging.getLogger(__name__)

BATCH = 100
IN_FLIGHT = (State.WITHDRAWING, State.DEPOSITING, State.REFUNDING)


class PlanStale(BridgeError):
    code = "plan_stale"
    status = 409
    title = "The plan is out of date"
    message = "Something changed after the plan was shown. Look at it again, and ask for it anew."


class ClosingRuns(BridgeError):
    code = "closing_runs"
    status = 409
    title = "Another plan is being carried out"
    message = "The plan '{kind}' is being carried out. Let it end first; only a return of everything may replace it."


class FundNotClosing(BridgeError):
    code = "fund_not_closing"
    status = 409
    title = "The fund is not closing"
    message = "The fund is {status}. Set it to closing first: that freezes new requests."


def begin_closing(*, approval: Approval, actor: Actor, at: datetime) -> Closing:
    """Record the approved plan with a step for each transfer that it touches; the engine works them off.

    A part of the decision's unit of work, which has locked the approval. Raises `FundNotClosing`, `ClosingRuns`, and
    `PlanStale` where the plan is no longer the one that both people saw. Locks a closing that runs, the fund and its
    capacity.
    """
    require_atomic()
    terms, fund_id = terms_of(approval), approval.subject_id
    running = Closing.objects.select_for_update(no_key=True).filter(fund_id=fund_id, state=Closing.State.RUNNING)
    before = running.first()
    fund = Fund.objects.select_for_update(no_key=True).get(pk=fund_id)
    may_begin(fund, terms, before)
    locking.lock(FundCapacity.objects.all(), [fund_id])
    plan = unchanged_plan(fund_id, terms, approval.payload)
    if before is not None:
        _end(before, fund, Closing.State.SUPERSEDED, actor)
    closing = Closing.objects.create(
        id=ids.new_id(),
        fund=fund,
        kind=terms.kind,
        parameters=terms.as_json(),
        plan_hash=plan.hash,
        made_by=approval.maker,
        approved_by=actor.id,
        approval_id=approval.id,
        created_at=at,
    )
    steps = [
        ClosingStep(
            closing_id=closing.id,
            transfer_id=item.position.transfer_id,
            action=str(item.action),
            keep=item.keep,
            give_back=item.give_back,
        )
        for item in plan.steps
    ]
    bulk.insert(ClosingStep, steps)
    if terms.kind == PlanKind.RETURN_ALL and fund.status != Fund.Status.CLOSED:
        # What is on its way then turns back before its deposit, by the rules.
        set_fund_status(
            changes=[Change(fund_id, reason=sentences.CLOSING[terms.kind])], status=Fund.Status.CLOSED, actor=actor
        )
        fund.refresh_from_db()
    data = {
        "closing": closing.id,
        "kind": str(terms.kind),
        "plan": plan.hash,
        "steps": len(steps),
        "keep": sum(item.keep for item in plan.items),
        "give_back": sum(item.give_back for item in plan.items),
    }
    fact = events.Fact("fund", fund_id, "fund.closing_begun", fund.status, fund.version, data)
    events.append(facts=[fact], actor=actor, at=at)
    transaction.on_commit(waking.wake)
    return closing


def unchanged_plan(fund_id: uuid.UUID, terms: Terms, payload: dict[str, Any]) -> Plan:
    """The plan as it is now, if it is the one that the payload names. Raises `PlanStale`."""
    try:
        plan = plan_closing(fund_id=fund_id, terms=terms)
    except NothingToCut as nothing:
        raise PlanStale() from nothing
    if plan.hash != payload.get("plan"):
        raise PlanStale()
    return plan


def may_begin(fund: Fund, terms: Terms, running: Closing | None) -> None:
    """Raises `FundNotClosing` or `ClosingRuns`."""
    allowed: tuple[str, ...] = (Fund.Status.CLOSING,)
    if terms.kind == PlanKind.RETURN_ALL:
        allowed = (Fund.Status.CLOSING, Fund.Status.CLOSED)
    if fund.status not in allowed:
        raise FundNotClosing(status=fund.status)
    if running is not None and (terms.kind != PlanKind.RETURN_ALL or running.kind == PlanKind.RETURN_ALL):
        raise ClosingRuns(kind=running.kind)


def terms_of(approval: Approval) -> Terms:
    """What the approval's payload asks for. Raises `UnknownPlan`."""
    kind = approval.kind.removeprefix("fund.").replace("_", "-")
    return Terms.of({name: value for name, value in approval.payload.items() if name != "plan"}, kind=kind)


@retried
def work_off(*, closing_id: uuid.UUID, actor: Actor, limit: int = BATCH, after: int = 0) -> tuple[int, int]:
    """Do up to `limit` of its steps whose transfers are at rest: how many, and the last step looked at (0: no more).

    One unit of work. Does nothing while somebody else is at it.
    """
    with unit_of_work() as moment:
        closing = _running(closing_id)
        if closing is None:
            return 0, 0
        steps = _at_rest(closing, after, limit)
        if not steps:
            return 0, 0
        batch = Batch(actor=actor, at=moment)
        rows = batch.lock_transfers(step.transfer_id for step in steps)
        batch.lock_accounts({row.source_account_id for row in rows.values()})
        batch.lock_places_of(list(rows.values()))
        done = []
        for step in steps:
            cut = _cut(batch, closing, rows[step.transfer_id], step.keep)
            if cut is None:
                continue
            step.state, step.result, step.done_at = ClosingStep.State.DONE, cut.result, moment
            step.child_id = cut.child.id if cut.child else None
            done.append(step)
        batch.save()
        bulk.update(ClosingStep, done, fields=["state", "result", "child_id", "done_at"])
        return len(done), steps[-1].id


def continue_closings(*, actor: Actor, batch: int = BATCH) -> int:
    """Go on with every plan that is being carried out; returns how many steps were done."""
    running = list(Closing.objects.filter(state=Closing.State.RUNNING).order_by("id").values_list("id", flat=True))
    return sum(carry_on(closing_id=closing_id, actor=actor, batch=batch) for closing_id in running)


def carry_on(*, closing_id: uuid.UUID, actor: Actor, batch: int = BATCH) -> int:
    """Work off, batch by batch, all that can be done now. A batch that fails is done one by one; a step that fails
    alone stays, and is tried again the next time."""
    total, after = 0, 0
    while True:
        try:
            done, last = work_off(closing_id=closing_id, actor=actor, limit=batch, after=after)
        except Exception:
            if batch == 1:
                logger.exception("a step of the closing %s cannot be done", closing_id)
                last = _next_id(closing_id, after)
                done = 0
            else:
                logger.warning("a batch of the closing %s failed, trying its steps one by one", closing_id)
                return total + carry_on(closing_id=closing_id, actor=actor, batch=1)
        total += done
        if not last:
            break
        after = last
    end_if_done(closing_id=closing_id, actor=actor)
    return total


@retried
def end_if_done(*, closing_id: uuid.UUID, actor: Actor) -> bool:
    """End the closing when every step is done. A settling also waits until nothing is open, and closes the fund."""
    with unit_of_work():
        closing = _running(closing_id)
        if closing is None or closing.steps.filter(state=ClosingStep.State.PENDING).exists():
            return False
        fund_id = closing.fund_id
        if closing.kind == PlanKind.SETTLE:
            if not closing_overview(fund_id=fund_id).is_settled:
                return False
            set_fund_status(changes=[Change(fund_id, reason="Everything has settled.")], status="closed", actor=actor)
        fund = Fund.objects.select_for_update(no_key=True).get(pk=fund_id)
        _end(closing, fund, Closing.State.DONE, actor)
        return True


def _cut(batch: Batch, closing: Closing, row: Transfer, keep: int) -> cutting.Cut | None:
    if row.fund_id != closing.fund_id:
        return cutting.Cut("It was redirected to another fund.")
    kind = PlanKind(closing.kind)
    return cutting.cut(batch, row, keep=keep, reason=sentences.CLOSING[kind], only_unmoved=kind == PlanKind.SETTLE)


def _at_rest(closing: Closing, after: int, limit: int) -> list[ClosingStep]:
    pending = closing.steps.filter(state=ClosingStep.State.PENDING, id__gt=after).order_by("id")
    moving = Transfer.objects.filter(fund_id=closing.fund_id, state__in=IN_FLIGHT).values("id")
    return list(pending.exclude(transfer_id__in=moving)[:limit])


def _next_id(closing_id: uuid.UUID, after: int) -> int:
    pending = ClosingStep.objects.filter(closing_id=closing_id, state=ClosingStep.State.PENDING, id__gt=after)
    return pending.order_by("id").values_list("id", flat=True).first() or 0


def _running(closing_id: uuid.UUID) -> Closing | None:
    rows = Closing.objects.select_for_update(no_key=True, skip_locked=True)
    return rows.filter(pk=closing_id, state=Closing.State.RUNNING).first()


def _end(closing: Closing, fund: Fund, state: str, actor: Actor) -> None:
    moment = clock.now()
    closing.state, closing.ended_at = state, moment
    closing.save(update_fields=["state", "ended_at"])
    data = {"closing": closing.id, "kind": closing.kind, "result": str(state)}
    fact = events.Fact("fund", fund.id, "fund.closing_ended", fund.status, fund.version, data)
    events.append(facts=[fact], actor=actor, at=moment)
