"""The same actions as in `manage.py simulate`, chosen by Hypothesis, so that what fails shrinks to a small case.

Every promise is checked after every step, not only at the end.
"""

from __future__ import annotations

import os
from contextlib import ExitStack
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from bridge.kernel import invariants
from bridge.management.simulation import cast, checks, clients, news, outside, people, recovery, routine, workers
from bridge.management.simulation.play import inside
from bridge.management.simulation.run import Run
from tests import flushing

FULL = bool(os.environ.get("BRIDGE_TEST_FULL"))
CHANCE = st.randoms(use_true_random=False)


class Bridge(RuleBasedStateMachine):
    """Clients, people, workers, banks and time, one after the other."""

    def __init__(self) -> None:
        super().__init__()
        flushing.flush()
        self.stack = ExitStack()
        self.run = Run.of(0, aloud=True)

    @initialize(rng=CHANCE)
    def somebody_opens(self, rng: Random) -> None:
        self.stack.enter_context(inside(self.run))
        self.run.rng = rng
        cast.open_everything(self.run)
        self.run.house.plan_faults()
        self.run.menu = [(1, "callbacks", outside.deliver), (1, "worker", workers.round_), (1, "people", people.decide)]
        self.run.crashing = self.run.interleaving = True

    def act(self, rng: Random, *actions) -> None:
        self.run.rng = rng
        for action in actions:
            self.run.perform(action.__name__, action)
            self.run.time.advance(1)

    @rule(rng=CHANCE)
    def a_client_asks(self, rng: Random) -> None:
        self.act(rng, clients.ask)

    @rule(rng=CHANCE)
    def a_client_asks_again(self, rng: Random) -> None:
        self.act(rng, clients.ask_again)

    @rule(rng=CHANCE)
    def an_investor_cancels(self, rng: Random) -> None:
        self.act(rng, clients.cancel)

    @rule(rng=CHANCE)
    def workers_do_a_round(self, rng: Random) -> None:
        self.act(rng, workers.round_, outside.deliver, workers.round_)

    @rule(rng=CHANCE)
    def a_worker_takes_something(self, rng: Random) -> None:
        self.act(rng, workers.claim)

    @rule(rng=CHANCE)
    def a_worker_does_what_it_took(self, rng: Random) -> None:
        self.act(rng, workers.go_on)

    @rule(rng=CHANCE)
    def callbacks_arrive(self, rng: Random) -> None:
        self.act(rng, outside.deliver, workers.callbacks_)

    @rule(rng=CHANCE)
    def somebody_decides(self, rng: Random) -> None:
        self.act(rng, people.decide, people.second)

    @rule(rng=CHANCE)
    def a_fund_changes(self, rng: Random) -> None:
        self.act(rng, people.change_fund, workers.promote)

    @rule(rng=CHANCE)
    def the_day_is_reconciled(self, rng: Random) -> None:
        self.act(rng, routine.import_, routine.reconcile_)

    @rule(rng=CHANCE)
    def time_passes(self, rng: Random) -> None:
        self.act(rng, outside.pause, workers.expire)

    @invariant()
    def every_promise_is_kept(self) -> None:
        broken = {verdict.name: verdict.rows for verdict in invariants.verify_all() if not verdict.holds}
        assert broken == {}, "\n".join(self.run.story.lines)
        news.look_at_what_was_applied(self.run)
        assert self.run.violations == [], "\n".join(self.run.story.lines)

    def teardown(self) -> None:
        try:
            self.run.rng = Random(1)
            self.run.crashing = self.run.interleaving = False
            self.run.hands.clear()
            recovery.recover(self.run)
            checks.check_everything(self.run)
            assert self.run.violations == [], "\n".join(self.run.story.lines)
        finally:
            self.stack.close()


@pytest.mark.django_db(transaction=True)
def test_no_order_of_events_breaks_a_promise() -> None:
    run_state_machine_as_test(
        Bridge,
        settings=settings(
            max_examples=100 if FULL else 6,
            stateful_step_count=40 if FULL else 15,
            deadline=None,
            derandomize=not FULL,
            database=None,
            phases=(Phase.generate, Phase.shrink) if FULL else (Phase.generate,),
            suppress_health_check=list(HealthCheck),
        ),
    )
