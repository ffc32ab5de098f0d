"""What the engine's workers do: whole rounds, or one step that they claimed a while ago."""

from __future__ import annotations

from bridge.approvals import services as approvals
from bridge.events import services as events
from bridge.kernel import clock
from bridge.kernel.results import ENGINE
from bridge.management.simulation.run import CLOCKWORK, Hand, Run
from transfers import services
from transfers.engine import callbacks, claims, isolation, loop, steps

WORKERS = ("worker A", "worker B", "worker C")


def round_(run: Run) -> None:
    """One worker does one batch of everything."""
    run.story.tell("a worker looks for what is due")
    loop.one_round(batch=run.rng.choice((1, 2, 200)))


def drain(run: Run) -> None:
    """The sweep: everything that is due."""
    run.story.tell("the sweep")
    loop.drain(batch=run.rng.choice((2, 200)), max_rounds=8)


def claim(run: Run) -> None:
    """A worker takes a piece of work, and does not come to it yet."""
    name = run.rng.choice(WORKERS)
    if name in run.hands:
        return go_on(run)
    for step in run.rng.sample(list(steps.HANDLERS), len(steps.HANDLERS)):
        taken = claims.claim(step, limit=run.rng.choice((1, 2, 50)))
        if taken:
            run.hands[name] = Hand(step, taken)
            run.story.tell(f"{name} takes the step '{step}' of {_names(run, taken)}")
            return None
    return None


def go_on(run: Run) -> None:
    """A worker does what it took, perhaps after its lease was over."""
    if not run.hands:
        return
    name = run.rng.choice(sorted(run.hands))
    hand = run.hands.pop(name)
    if run.crashing and run.chance(0.15):
        run.story.tell(f"{name} dies with '{hand.step}' in its hands")
        return
    run.story.tell(f"{name} does '{hand.step}' of {_names(run, hand.ids)}")
    isolation.isolated(hand.ids, steps.HANDLERS[hand.step])


def callbacks_(run: Run) -> None:
    run.story.tell("a worker applies stored callbacks")
    callbacks.process(limit=run.rng.choice((1, 3, 200)))


def promote(run: Run) -> None:
    loop.promote()


def expire(run: Run) -> None:
    late = claims.overdue(moment=clock.now(), limit=50)
    if late:
        run.story.tell(f"the time of {_names(run, late)} is over")
        isolation.isolated(late, steps.expire)
    approvals.expire_approvals(actor=CLOCKWORK)


def close_funds(run: Run) -> None:
    services.continue_closings(actor=ENGINE)


def seal(run: Run) -> None:
    events.seal()


def _names(run: Run, found: list) -> str:
    return ", ".join(run.story.transfer(number) for number in found)
