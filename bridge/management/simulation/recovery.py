"""The healthy phase: no faults, no crashes, every message arrives, people do what is safe, all deadlines pass.

Whatever is on the bridge afterwards must be there for a reason that a person can read.
"""

from __future__ import annotations

import uuid

from django.db import connection

from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.kernel import clock
from bridge.kernel.errors import BridgeError
from bridge.kernel.results import Change
from bridge.management.simulation import checks, clients, outside, people
from bridge.management.simulation.run import CLOCKWORK, COMPLIANCE, Run
from transfers.blockers import ALWAYS, DEEDS, Deed, allowed
from transfers.engine import claims, loop
from transfers.models import InboundCallback, Transfer
from transfers.reconciliation.running import reconcile
from transfers.services.batch import REVIEW
from transfers.states import State

MINUTE, HOUR, DAY = 60, 3_600, 86_400
WAITS = (2, 40, 10 * MINUTE, HOUR, DAY, 4 * DAY)
MOST_ROUNDS = 40
_DUE = """
    SELECT EXISTS (SELECT FROM transfers_inboundcallback WHERE processed_at IS NULL)
        OR EXISTS (SELECT FROM transfers_work WHERE due_at <= %(now)s)
        OR EXISTS (SELECT FROM transfers_transfer WHERE expires_at <= %(now)s AND ended_at IS NULL)
        OR EXISTS (SELECT FROM funds_closing WHERE state = 'running')
"""
NEVER = (*ALWAYS, Deed.HOLD, Deed.RECALL)  # safe, and of no help


def recover(run: Run) -> None:
    run.house.be_well()
    run.perform("answer clients", clients.ask_all_again)
    for wait in WAITS:
        run.perform("work", _work)
        run.perform("people help", _help)
        run.time.advance(wait)
    _until_quiet(run)
    run.perform("compare", _compare)
    run.perform("repeat lost news", _repeat_lost_news)
    _until_quiet(run)


def _work(run: Run) -> None:
    """Everything that is due, at Bridge and at the bank, until both are quiet."""
    for _ in range(12):
        outside.deliver(run)
        if not _due():
            return
        loop.one_round()
        run.time.advance(1)


def _due() -> bool:
    """Whether a sweep would find anything at all."""
    with connection.cursor() as cursor:
        cursor.execute(_DUE, {"now": clock.now()})
        (due,) = cursor.fetchone()
    return bool(due or claims.funds_with_room())


def _until_quiet(run: Run) -> None:
    """Let the bank's own calendar run out, and people work off what it leaves."""
    for _ in range(MOST_ROUNDS):
        run.perform("work", _work)
        before = _decided(run)
        run.perform("people help", _help)
        moment = run.house.next_moment()
        if moment is None and _decided(run) == before:
            return
        wait = HOUR if moment is None else (moment - run.time.now()).total_seconds()
        run.time.advance(max(wait, 0) + 1)
    run.violate("f: a healthy bank brings everything to an end", "people and bank go on and on")


def _decided(run: Run) -> tuple[int, set[uuid.UUID]]:
    """What people have done and asked for so far; a second look that changes nothing of it changes nothing."""
    return len(run.told), set(Approval.objects.filter(state=Approval.State.OPEN).values_list("id", flat=True))


def _help(run: Run) -> None:
    """Everybody works off the queues. The second person comes at once, or the next time, when things have moved on."""
    if run.chance(0.5):
        _agree(run)
        _decide(run)
    else:
        _decide(run)
        _agree(run)


def _decide(run: Run) -> None:
    """People take one of the deeds that the registry offers for the blocker."""
    for row in Transfer.objects.exclude(blocker_code="").order_by("id"):
        offered = allowed(state=row.state, next_step=row.next_step, blocker_code=row.blocker_code)
        deeds = [deed for deed in offered if deed not in NEVER and deed.value in people.VERBS]
        if not deeds or (Deed.OUTCOME in deeds and not _is_for_people(row)):
            continue
        deed = run.rng.choice(deeds)
        try:
            people.do(run, deed.value, row, people.one_of(run, DEEDS[deed].roles))
        except BridgeError as refused:
            run.story.tell(f"  refused: {refused.detail}")


def _agree(run: Run) -> None:
    """The second person says yes to everything that is open."""
    for asked in Approval.objects.filter(state=Approval.State.OPEN).order_by("id"):
        who = COMPLIANCE[1] if asked.maker != COMPLIANCE[1].id else COMPLIANCE[0]
        if not people.agree(run, asked, who) and asked.kind == REVIEW:
            run.remember(approvals.reject(changes=[Change(asked.id)], actor=who))


def _is_for_people(row: Transfer) -> bool:
    """Bridge has stopped asking: the bank has forgotten the key."""
    return row.state in (State.WITHDRAWING, State.DEPOSITING, State.REFUNDING) and row.work.due_at is None


def _compare(run: Run) -> None:
    """The daily reconciliation of those days on which the bank booked what we do not know of."""
    unknown = {row.terms.key for row in checks.unlike(run)}
    lines = [line for lines in run.house.books.activity.values() for line in lines]
    for day in sorted({line.at.date() for line in lines if line.key in unknown}):
        reconcile(date=day, actor=CLOCKWORK)
    checks.look_at_differences(run)


def _repeat_lost_news(run: Run) -> None:
    """Asked about the differences, the bank says once more what became of each instruction."""
    for order in checks.unlike(run):
        run.house.bank.notices.announce(order, run.time.now())
        run.story.tell(f"the bank repeats its news about {order.terms.key[-6:]}")
    assert not InboundCallback.objects.filter(processed_at__isnull=True).exists()
