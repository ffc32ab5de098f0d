"""The 43 places where a crash could hurt, by name.

`reach(point)` stands at each of them and does nothing but look at one variable. A test arms it: in its own process
with `armed(handler)`, whose handler may raise `Crashed`, or in another process with `BRIDGE_CRASH_AT=name` or
`name:nth` in the environment, which kills that process with SIGKILL when it comes there (for the nth time). Only a
sandbox may be armed.

Each name carries where it stands and what is true there; `tests/architecture/test_crash_points.py` compares both with
the code, `tests/crash` kills a process and PostgreSQL at every one.

The three points of the outbox are the rows of notifications and the wake-up of the engine that follows their commit:
nothing else leaves Bridge after a commit.
"""

from __future__ import annotations

import itertools
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from typing import Protocol

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from bridge.kernel import together

_VARIABLE = "BRIDGE_CRASH_AT"
Handler = Callable[["Point"], None]


class Crashed(BaseException):
    """A crash in the simulation: derived from `BaseException`, so that no handler of errors swallows it."""


class Moment(StrEnum):
    """The eight moments of a leg."""

    CLAIMED = "claimed"
    INTENT_WRITTEN = "intent_written"
    INTENT_COMMITTED = "intent_committed"
    CALLING = "calling"
    CALLED = "called"
    ASKED = "asked"
    OUTCOME_WRITTEN = "outcome_written"
    OUTCOME_COMMITTED = "outcome_committed"


_REQUESTING = "transfers.services.requesting"
_STEPS, _CALLS = "transfers.engine.steps", "transfers.engine.calls"
_APPLY = "transfers.services.outcomes.apply_within"


class Point(StrEnum):
    """A place where a crash could hurt: its name, the function in which it stands, and what is true there."""

    where: str
    what: str

    def __new__(cls, name: str, where: str, what: str) -> Point:
        member = str.__new__(cls, name)
        member._value_, member.where, member.what = name, where, what
        return member

    SUBMIT_WRITTEN = "submit.written", f"{_REQUESTING}._open", "transfers, holds and places written"
    SUBMIT_ANSWER_KEPT = (
        "submit.answer_kept",
        f"{_REQUESTING}.request_transfers_once",
        "the answer stands under its key, nothing is committed",
    )
    SUBMIT_COMMITTED = (
        "submit.committed",
        f"{_REQUESTING}.request_transfers_once",
        "committed, the client has no answer",
    )

    APPROVE_WRITTEN = "approve.written", "transfers.services.deciding.decided", "the approval is written, not committed"
    APPROVE_COMMITTED = "approve.committed", "transfers.services.deciding.approve_transfers", "committed, no answer"

    WITHDRAW_CLAIMED = "withdraw.claimed", f"{_STEPS}.withdraw", "the work is leased to this worker"
    WITHDRAW_INTENT_WRITTEN = (
        "withdraw.intent_written",
        "transfers.services.batch.Batch.save",
        "instruction and W1 written, not committed",
    )
    WITHDRAW_INTENT_COMMITTED = "withdraw.intent_committed", f"{_STEPS}._send", "committed as submitted, not sent"
    WITHDRAW_CALLING = "withdraw.calling", f"{_CALLS}._sender", "about to call"
    WITHDRAW_CALLED = "withdraw.called", f"{_CALLS}._sender", "the reply is in hand, nothing of it is kept"
    WITHDRAW_ASKED = "withdraw.asked", f"{_CALLS}._finder", "a question by key is answered, nothing of it is kept"
    WITHDRAW_OUTCOME_WRITTEN = "withdraw.outcome_written", _APPLY, "the report is posted, not committed"
    WITHDRAW_OUTCOME_COMMITTED = "withdraw.outcome_committed", f"{_STEPS}.apply", "the report is posted and committed"

    DEPOSIT_CLAIMED = "deposit.claimed", f"{_STEPS}.deposit", "the work is leased to this worker"
    DEPOSIT_INTENT_WRITTEN = (
        "deposit.intent_written",
        "transfers.services.batch.Batch.save",
        "instruction and D1 written, not committed",
    )
    DEPOSIT_INTENT_COMMITTED = "deposit.intent_committed", f"{_STEPS}._send", "committed as submitted, not sent"
    DEPOSIT_CALLING = "deposit.calling", f"{_CALLS}._sender", "about to call"
    DEPOSIT_CALLED = "deposit.called", f"{_CALLS}._sender", "the reply is in hand, nothing of it is kept"
    DEPOSIT_ASKED = "deposit.asked", f"{_CALLS}._finder", "a question by key is answered, nothing of it is kept"
    DEPOSIT_OUTCOME_WRITTEN = "deposit.outcome_written", _APPLY, "the report is posted, not committed"
    DEPOSIT_OUTCOME_COMMITTED = "deposit.outcome_committed", f"{_STEPS}.apply", "the report is posted and committed"

    REFUND_CLAIMED = "refund.claimed", f"{_STEPS}.refund", "the work is leased to this worker"
    REFUND_INTENT_WRITTEN = (
        "refund.intent_written",
        "transfers.services.batch.Batch.save",
        "instruction and R1 written, not committed",
    )
    REFUND_INTENT_COMMITTED = "refund.intent_committed", f"{_STEPS}._send", "committed as submitted, not sent"
    REFUND_CALLING = "refund.calling", f"{_CALLS}._sender", "about to call"
    REFUND_CALLED = "refund.called", f"{_CALLS}._sender", "the reply is in hand, nothing of it is kept"
    REFUND_ASKED = "refund.asked", f"{_CALLS}._finder", "a question by key is answered, nothing of it is kept"
    REFUND_OUTCOME_WRITTEN = "refund.outcome_written", _APPLY, "the report is posted, not committed"
    REFUND_OUTCOME_COMMITTED = "refund.outcome_committed", f"{_STEPS}.apply", "the report is posted and committed"

    CALLBACK_RECEIVED = "callback.received", "transfers.api.callbacks.CallbackView.post", "verified, not stored"
    CALLBACK_STORED = "callback.stored", "transfers.receiving.receive_callback", "stored, not committed"
    CALLBACK_ACKNOWLEDGED = (
        "callback.acknowledged",
        "transfers.engine.callbacks.process",
        "acknowledged and found waiting, not applied",
    )
    CALLBACK_APPLIED = "callback.applied", "transfers.engine.callbacks.process", "applied, not marked as processed"
    CALLBACK_MARKED = "callback.marked", "transfers.engine.callbacks.process", "applied and marked"

    OUTBOX_WRITTEN = (
        "outbox.written",
        "notifications.receivers.write_notifications",
        "notifications written, not committed",
    )
    OUTBOX_COMMITTED = "outbox.committed", "transfers.waking.wake", "committed, nobody is woken"
    OUTBOX_WOKEN = "outbox.woken", "transfers.waking.wake", "the wake-up is sent"

    RECONCILE_STATEMENT_READ = (
        "reconcile.statement_read",
        "transfers.reconciliation.intake.import_statement",
        "a statement is read and sound, not stored",
    )
    RECONCILE_STATEMENT_STORED = (
        "reconcile.statement_stored",
        "transfers.reconciliation.intake.import_statement",
        "the statement is committed, nobody was told",
    )
    RECONCILE_COMPARED = (
        "reconcile.compared",
        "transfers.reconciliation.running.reconcile",
        "differences are known, none is written",
    )
    RECONCILE_WRITTEN = (
        "reconcile.written",
        "transfers.reconciliation.services.record",
        "breaks, events and run written, not committed",
    )

    EXPIRE_FOUND = "expire.found", "transfers.engine.loop.one_round", "overdue holds are found"
    EXPIRE_WRITTEN = (
        "expire.written",
        "transfers.services.deciding.expire_transfers",
        "holds and places given back, not committed",
    )

    @property
    def group(self) -> str:
        """`submit`, `approve`, `withdraw`, `deposit`, `refund`, `callback`, `outbox`, `reconcile` or `expire`."""
        return self.value.partition(".")[0]


_GROUP_OF_KIND = {"withdrawal": "withdraw", "deposit": "deposit", "refund": "refund"}
LEGS: dict[tuple[str, Moment], Point] = {
    (kind, moment): Point(f"{group}.{moment}")  # type: ignore[call-arg]
    for kind, group in _GROUP_OF_KIND.items()
    for moment in Moment
}


class _OfAKind(Protocol):
    kind: str


_handler: Handler | None = None


def reach(point: Point) -> None:
    """Nothing, unless a test has armed this process: then what was written before has been sent."""
    if _handler is not None:
        together.send()
        _handler(point)


def reach_leg(kind: str, moment: Moment) -> None:
    """The point of this moment in the leg of an instruction kind; a recall moves no money and has none."""
    if _handler is not None and (point := LEGS.get((kind, moment))) is not None:
        reach(point)


def reach_legs(instructions: Iterable[_OfAKind], moment: Moment) -> None:
    """`reach_leg`, once for each kind among these instructions."""
    if _handler is not None:
        for kind in sorted({row.kind for row in instructions}):
            reach_leg(kind, moment)


def arm(handler: Handler | None) -> Handler | None:
    """Give every point that this process reaches, in whatever thread, to `handler`; `None` disarms. Returns what was
    there before. Raises `ImproperlyConfigured` outside a sandbox.
    """
    global _handler
    _require_sandbox()
    before, _handler = _handler, handler
    return before


@contextmanager
def armed(handler: Handler) -> Iterator[None]:
    """`arm`, inside the block only."""
    before = arm(handler)
    try:
        yield
    finally:
        arm(before)


def arm_from_environment() -> None:
    """Called once, when the apps are ready.

    Raises `ImproperlyConfigured` outside a sandbox and for a name that is no point.
    """
    wanted = os.environ.get(_VARIABLE, "")
    if not wanted:
        return
    _require_sandbox()
    name, _, nth = wanted.partition(":")
    known = {point.value: point for point in Point}
    if name not in known or not (nth or "1").isdecimal() or nth == "0":
        raise ImproperlyConfigured(
            f"{_VARIABLE}={wanted} is no crash point: write name or name:nth, one of {', '.join(known)}."
        )
    arm(killing(known[name], nth=int(nth or 1)))


def killing(at: Point, *, nth: int = 1, kill: Callable[[], None] | None = None) -> Handler:
    """A handler that kills this process, or does what `kill` does, when `at` is reached for the nth time."""
    times = itertools.count(1)
    strike = kill or (lambda: os.kill(os.getpid(), signal.SIGKILL))

    def handler(point: Point) -> None:
        if point is at and next(times) == nth:
            strike()

    return handler


def _require_sandbox() -> None:
    if not settings.BRIDGE_SANDBOX_MODE:
        raise ImproperlyConfigured(f"Crash points are for tests: unset {_VARIABLE}. Only a sandbox may be armed.")
