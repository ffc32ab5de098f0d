"""What the firm's people do, sensibly or not: the services must refuse what is not theirs."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import timedelta
from typing import Any

from bridge.approvals import services as approvals
from bridge.approvals.handlers import handler_for
from bridge.approvals.models import Approval
from bridge.approvals.rows import plain
from bridge.approvals.services import Proposal
from bridge.kernel.gateway import Outcome
from bridge.kernel.results import Actor, Change, Result, Role
from bridge.management.simulation.run import CHECKERS, MAKERS, STAFF, Asked, Run
from funds.models import Fund
from funds.services import set_fund_status
from transfers import facts, services
from transfers.approvals import OVERRIDE, UNFREEZE
from transfers.blockers import DEEDS, Deed, allowed
from transfers.closing import PlanKind, Terms
from transfers.closing_approvals import kind_of, payload_of
from transfers.closing_overview import plan_closing
from transfers.manual_outcomes import OUTCOME, open_instruction
from transfers.models import Transfer
from transfers.money_approvals import REDIRECT
from transfers.policy import policy
from transfers.states import State

S = State
EAGERNESS = {"cancel": 1, "reject": 1, "hold": 1, "freeze": 2, "aside": 2}  # of 4
BY_THEN_IT_CAME = timedelta(days=2)  # what was sent longer ago is at the bank, or lost


def decide(run: Run) -> None:
    """Somebody does something about a transfer: mostly what is offered, sometimes what is not."""
    rows = list(Transfer.objects.order_by("id"))
    if run.chance(0.9):
        rows = [row for row in rows if _offered(row)]
    if not rows:
        return
    row = run.rng.choice([row for row in rows if row.blocker_code or row.state == S.COMPLETED] or rows)
    deeds = _offered(row) if run.chance(0.9) and _offered(row) else sorted(VERBS)
    (deed,) = run.rng.choices(deeds, [EAGERNESS.get(deed, 4) for deed in deeds])
    do(run, deed, row, one_of(run, DEEDS[Deed(deed)].roles) if run.chance(0.9) else run.rng.choice(STAFF))


def recall(run: Run) -> None:
    """A checker wants money back that is at the fund."""
    rows = list(Transfer.objects.filter(state=S.COMPLETED, blocker_code="").order_by("id"))
    if rows:
        do(run, "recall", run.rng.choice(rows), run.rng.choice(CHECKERS))


def _offered(row: Transfer) -> list[str]:
    deeds = allowed(state=row.state, next_step=row.next_step, blocker_code=row.blocker_code)
    return [deed.value for deed in deeds if deed.value in VERBS]


def one_of(run: Run, roles: Collection[Role]) -> Actor:
    return run.rng.choice([actor for actor in STAFF if actor.role in roles])


def do(run: Run, verb: str, row: Transfer, actor: Actor) -> None:
    run.story.tell(f"{actor.id} wants to {verb} {run.story.transfer(row.id)} ({row.state})")
    change = Change(row.id, row.version if run.chance(0.5) else None, f"{verb.capitalize()}, says {actor.id}.")
    results = VERBS[verb](run, row, change, actor)
    if results:
        run.remember(results)


def _simple(service: Callable[..., Any]) -> Callable[..., list[Result]]:
    return lambda run, row, change, actor: service(changes=[change], actor=actor)


def _judging(service: Callable[..., Any]) -> Callable[..., list[Result]]:
    def judge(run: Run, row: Transfer, change: Change, actor: Actor) -> list[Result]:
        known = facts.gather(account_ids=[row.source_account_id], max_age=policy().balance_age_create)
        return service(changes=[change], actor=actor, facts=known)

    return judge


def _unfreeze(run: Run, row: Transfer, change: Change, actor: Actor) -> None:
    propose(run, Proposal(UNFREEZE, row.id, {"why": "A false match."}), actor)


def _decide_outcome(run: Run, row: Transfer, change: Change, actor: Actor) -> None:
    """Two people decide what became of an instruction, on the bank's own evidence."""
    order = open_instruction(row.id)
    if order is None:
        return
    waited = order.last_sent_at is not None and run.time.now() > order.last_sent_at + BY_THEN_IT_CAME
    payload = evidence(run, order.key, waited=waited)
    if payload is None:
        run.story.tell("  the bank cannot say yet: nobody decides")
        return
    propose(run, Proposal(OUTCOME, row.id, payload), actor)


def evidence(run: Run, key: str, *, waited: bool) -> dict[str, Any] | None:
    """What the bank's own books say on paper about a key; None while it may still act on it.

    What it settled or refused it says at once. That a key is not there says something only when the order cannot be
    on its way any more: `waited`.
    """
    if any(arrival.terms.key == key for arrival in run.house.books.arrivals.values()):
        return None
    there = [row for row in run.house.books.instructions.values() if row.terms.key == key]
    told = {"why": "The bank's letter says so.", "evidence": "letter"}
    if not there:
        return {"outcome": "rejected", **told} if waited else None
    if all(row.status == "rejected" for row in there):
        run.house.hear(key, Outcome.REJECTED, 0)  # a letter is the bank's word, too
        return {"outcome": "rejected", **told}
    if any(row.status == "acknowledged" for row in there):
        return None
    settled = sum(row.settled_amount for row in there)
    if not settled or settled + sum(row.fee for row in there) > there[0].terms.amount:
        return None  # not for this deed
    fee = sum(row.fee for row in there)
    return {"outcome": "settled", "settled_amount": settled, "fee": fee, **told}


def _redirect(run: Run, row: Transfer, change: Change, actor: Actor) -> None:
    """Two people send it to another fund, where there is one; a deposit to the first may settle all the same."""
    others = [fund for fund in run.funds if fund.id != row.fund_id]
    if not others:
        run.story.tell("  there is no other fund")
        return
    wanted = {"fund": str(run.rng.choice(others).id), "why": "The investor asked for it in writing."}
    propose(run, Proposal(REDIRECT, row.id, wanted), actor)


def propose(run: Run, proposal: Proposal, actor: Actor) -> Approval:
    made = approvals.propose(proposal=proposal, actor=actor)
    run.asked[made.id] = Asked(made.kind, made.subject_id, dict(made.payload), actor.id)
    run.story.tell(f"  {actor.id} asks for a second person")
    return made


def second(run: Run) -> None:
    """A second person looks at what is open, whoever asked for it."""
    open_ = list(Approval.objects.filter(state=Approval.State.OPEN).order_by("id"))
    if not open_:
        return
    row = run.rng.choice(open_)
    actor = one_of(run, handler_for(row.kind).checkers) if run.chance(0.9) else run.rng.choice(STAFF)
    yes = run.chance(0.8)
    run.story.tell(f"{actor.id} says {'yes' if yes else 'no'} to '{row.summary}'")
    if yes:
        agree(run, row, actor)
        return
    change = Change(row.id, row.version if run.chance(0.5) else None, "Looked at it.")
    run.remember(approvals.reject(changes=[change], actor=actor))


def agree(run: Run, row: Approval, actor: Actor) -> bool:
    """Say yes; whether that was accepted. What is agreed to must be what was asked for, as it was when it was asked."""
    remember(run, row)
    handler = handler_for(row.kind)
    as_it_is = None if handler.decide else plain(handler.look(row.subject_id))
    done = run.remember(approvals.approve(changes=[Change(row.id, reason="Looked at it.")], actor=actor))
    if done and as_it_is is not None and as_it_is != row.seen:
        run.violate("e: this very payload was approved", f"{row.summary}: asked for {row.seen}, agreed to {as_it_is}")
    return bool(done)


def remember(run: Run, row: Approval) -> None:
    """Reviews are opened by services: note them as they are when somebody first looks."""
    run.asked.setdefault(row.id, Asked(row.kind, row.subject_id, dict(row.payload), row.maker))


def _override(run: Run, row: Transfer, change: Change, actor: Actor) -> None:
    """Ask that a rule be set aside for this transfer, as it is now: once it has settled it may be less."""
    rule = run.rng.choice(("duplicate", "velocity", "velocity", "second_person"))  # the last may not be set aside
    propose(run, Proposal(OVERRIDE, row.id, {"rule": rule, "why": "Known to us."}), actor)


def change_fund(run: Run) -> None:
    fund = run.rng.choice(run.funds)
    status = run.rng.choice((*[Fund.Status.OPEN] * 5, Fund.Status.PAUSED, Fund.Status.CLOSING))
    run.story.tell(f"{run.story.name('fund', fund.id)} is set to {status}")
    set_fund_status(changes=[Change(fund.id)], status=status, actor=run.rng.choice(CHECKERS))


def close_fund(run: Run) -> None:
    """A closing: frozen, planned, asked for; somebody else agrees, or does not."""
    fund = run.rng.choice(run.funds)
    kind = run.rng.choice(sorted(PlanKind))
    target = run.rng.choice((0, 40_000_00, 100_000_00)) if kind == PlanKind.CUT_BACK else None
    run.story.tell(f"{run.story.name('fund', fund.id)} is to be closed: {kind}")
    set_fund_status(changes=[Change(fund.id)], status=Fund.Status.CLOSING, actor=CHECKERS[0])
    terms = Terms(kind, target)
    plan = plan_closing(fund_id=fund.id, terms=terms)
    made = propose(run, Proposal(kind_of(kind), fund.id, payload_of(terms, plan.hash)), run.rng.choice(MAKERS))
    if run.chance(0.7):
        agree(run, made, run.rng.choice(CHECKERS))


# By the name of the deed in `transfers.blockers`.
VERBS: dict[str, Callable[[Run, Transfer, Change, Actor], list[Result] | None]] = {
    "approve": _judging(services.approve_transfers),
    "reject": _simple(services.reject_transfers),
    "hold": _simple(services.hold_transfers),
    "refund": _simple(services.refund_transfers),
    "retry": _simple(services.retry_transfers),
    "resume": _simple(services.retry_transfers),
    "recall": _simple(services.recall_transfers),
    "leave": _simple(services.give_up_recalls),
    "freeze": _simple(services.freeze_transfers),
    "unfreeze": _unfreeze,
    "outcome": _decide_outcome,
    "aside": _override,
    "redirect": _redirect,
    "cancel": _simple(services.cancel_transfers),
}
