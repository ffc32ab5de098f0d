"""One seed from beginning to end: a phase in which everything may fail, a phase in which nothing does, the checks."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

from django.db import connection

from accounts.gateway import registry as investor_side
from bridge.kernel import clock, crashpoints, ids, pool
from bridge.kernel.gateway import Order
from bridge.management.simulation import cast, checks, clients, news, outside, people, recovery, routine, workers
from bridge.management.simulation.digest import digest_of
from bridge.management.simulation.house import HARBOR, MERIDIAN
from bridge.management.simulation.run import Run
from funds.gateway import registry as fund_side
from transfers import waking

ACTIONS = (40, 50, 70)
MENU = [
    (6, "request", clients.ask),
    (3, "repeat a request", clients.ask_again),
    (1, "cancel", clients.cancel),
    (16, "engine round", workers.round_),
    (2, "sweep", workers.drain),
    (6, "claim", workers.claim),
    (6, "go on", workers.go_on),
    (4, "apply callbacks", workers.callbacks_),
    (2, "promote", workers.promote),
    (3, "expire", workers.expire),
    (1, "work off closings", workers.close_funds),
    (1, "seal", workers.seal),
    (7, "deliver callbacks", outside.deliver),
    (12, "pause", outside.pause),
    (1, "spend", outside.spend),
    (1, "close or open an account", outside.close_or_open),
    (10, "people decide", people.decide),
    (5, "second person", people.second),
    (2, "recall", people.recall),
    (1, "change a fund", people.change_fund),
    (1, "reconcile", routine.reconcile_),
    (1, "import a statement", routine.import_),
    (1, "explain a difference", routine.explain),
]
RARE = (1, "close a fund", people.close_fund)
MOODS = (0, 1, 1, 1, 1, 3)  # a run has more of one thing and less of another


@dataclass
class Outcome:
    """What one seed came to."""

    seed: int
    digest: str
    violations: list[dict[str, str]]
    faults: dict[str, int]
    crashes: dict[str, int]
    actions: int
    transfers: int
    states: dict[str, int] = field(default_factory=dict)
    story: list[str] = field(default_factory=list)

    def as_json(self) -> dict[str, Any]:
        found = asdict(self)
        found.pop("story")
        return found


def play(seed: int, *, aloud: bool = False, targets: list[str] | None = None) -> Outcome:
    """Run one seed on the database of this process, which must be as the migrations left it."""
    run = Run.of(seed, aloud=aloud)
    with inside(run):
        run.story.chapter(f"Seed {seed}")
        cast.open_everything(run)
        run.house.plan_faults()
        if aloud:
            _introduce(run)
        _everything_may_fail(run, targets)
        fired = run.house.fired()
        run.story.chapter("Nothing fails any more")
        recovery.recover(run)
        run.story.chapter("Checks")
        checks.check_everything(run)
        news.look_at_what_was_applied(run)
        if not run.violations:
            run.story.tell("every promise was kept")
        digest = digest_of(run)
    return Outcome(
        seed=seed,
        digest=digest,
        violations=[asdict(item) for item in run.violations],
        faults={name: fired[name] for name in sorted(fired)},
        crashes=dict(sorted(run.crashes.items())),
        actions=sum(run.actions.values()),
        transfers=sum(checks.states().values()),
        states=checks.states(),
        story=run.story.lines,
    )


def _everything_may_fail(run: Run, targets: list[str] | None) -> None:
    """The fault phase. Crashes come to `targets`, to nine points of the seed's choice where those are not given."""
    points = sorted(crashpoints.Point)
    run.targets = set(targets if targets is not None else run.rng.sample(points, 9))
    run.menu = menu(run)
    if any(fault.startswith("recall") for fault in run.house.fired()):
        run.menu.append((20, "recall", people.recall))
        _the_day_before(run)
    elif run.chance(0.5):
        _the_day_before(run)
    run.crashing = run.interleaving = True
    run.story.chapter("Everything may fail")
    for _ in range(run.rng.choice((1, 3, 5))):
        run.perform("request", clients.ask)
    for _ in range(run.rng.choice(ACTIONS)):
        run.step()
        checks.look_at_what_was_given_up(run)
        news.look_at_what_was_applied(run)
    run.crashing = run.interleaving = False
    run.hands.clear()


def _the_day_before(run: Run) -> None:
    """Some transfers have come a long way when it begins: the bank already lies, but nothing crashes."""
    run.story.chapter("The day before")
    for _ in range(2):
        run.perform("request", clients.ask)
    for wait in (1, 1, 30, 60, 120, 600):
        run.perform("engine round", workers.round_)
        run.perform("deliver callbacks", outside.deliver)
        run.time.advance(wait)


def menu(run: Run) -> list[tuple[int, str, Callable[[Run], None]]]:
    """What may happen in this run. Engine, requests and time are in every one."""
    wanted = [*MENU, RARE] if run.chance(0.2) else MENU
    return [(max(weight * run.rng.choice(MOODS), weight // 5), name, act) for weight, name, act in wanted]


@contextmanager
def inside(run: Run) -> Iterator[None]:
    """Time, ids, banks and wake-ups are those of the run; errors that the engine logs are violations."""
    with ExitStack() as stack:
        stack.enter_context(clock.use_source(run.time.now))
        stack.enter_context(ids.use_source(run.time.new_id))
        stack.enter_context(pool.serially())
        stack.enter_context(waking.use_waker(lambda: None))
        stack.enter_context(investor_side.use_gateways({MERIDIAN: run.house.gateway(MERIDIAN)}))
        stack.enter_context(fund_side.use_gateways({HARBOR: run.house.gateway(HARBOR)}))
        stack.enter_context(crashpoints.armed(run.reached))
        stack.enter_context(_heard(run))
        run.house.before_call = lambda order, what: _before(run, order, what)
        run.house.after_call = run.waiting_for_a_bank
        yield
    assert not connection.in_atomic_block


def _before(run: Run, order: Order | None, what: str) -> None:
    run.waiting_for_a_bank(what)
    if order is not None:
        checks.look_at_order(run, order)


@contextmanager
def _heard(run: Run) -> Iterator[None]:
    """Whatever is logged as an error is one: the engine survives its own faults, a simulation must not hide them."""

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            cause = record.exc_info[1] if record.exc_info else None
            run.violate("no unexpected error", f"{record.getMessage()} {type(cause).__name__}: {cause}")

    ear = Ear(logging.ERROR)
    loggers = [logging.getLogger(name) for name in ("transfers", "accounts", "funds", "notifications", "bridge")]
    before = [(logger.propagate, logger.level) for logger in loggers]
    for logger in loggers:
        logger.addHandler(ear)
        logger.propagate, logger.level = False, logging.ERROR
    try:
        yield
    finally:
        for logger, (propagate, level) in zip(loggers, before, strict=True):
            logger.removeHandler(ear)
            logger.propagate, logger.level = propagate, level


def _introduce(run: Run) -> None:
    for rule in run.house.books.faults.rules.values():
        often = f"{rule.probability:.0%} of the time" + (f", {rule.count} times at most" if rule.count else "")
        run.story.tell(f"the bank will {rule.fault.replace('_', ' ')} at {rule.call}, {often}")
    for account in run.accounts:
        there = run.house.books.accounts[MERIDIAN, account.reveal_number()]
        run.story.tell(f"{run.story.name('account', account.id)} has {there.available} {account.currency} minor units")
    for fund in run.funds:
        run.story.tell(f"{run.story.name('fund', fund.id)} takes {fund.currency}, {fund.on_deposit_failure} on failure")
