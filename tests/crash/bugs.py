"""Mistakes that Bridge does not make, planted into a forked one: the checker shows that it would see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from bridge.kernel import idempotency
from bridge.kernel.gateway import InstructionKind, Outcome, Report
from bridge.kernel.transactions import unit_of_work
from notifications import receivers
from transfers import services
from transfers.engine import calls, loop, steps
from transfers.models import BankInstruction
from transfers.signals import Announcement, transfers_changed
from transfers.states import UNANSWERED, Step


def plant(name: str) -> None:
    BUGS[name]()


def blind_retry() -> None:
    """What was sent and has no answer is sent again, at once and under a new key."""

    def again(ids: Sequence[Any]) -> None:
        orders = BankInstruction.objects.filter(
            transfer__in=ids, kind=InstructionKind.WITHDRAWAL, state__in=[str(state) for state in UNANSWERED]
        )
        rows = list(orders.select_related("recalls"))
        for row in rows:
            row.key += "-again"
        reports = [replace(report, key=report.key.removesuffix("-again")) for report in calls.submit(rows)]
        steps.apply(InstructionKind.WITHDRAWAL, reports)

    steps.HANDLERS[Step.ASK_WITHDRAWAL] = again


def not_found_is_failed() -> None:
    """A bank that knows nothing of an order yet is taken to have refused it."""
    find = calls.find

    def found(instructions: Sequence[BankInstruction]) -> list[Report]:
        return [
            replace(report, outcome=Outcome.REJECTED) if report.outcome is Outcome.NOT_FOUND else report
            for report in find(instructions)
        ]

    calls.find = found


def key_kept_afterwards() -> None:
    """An idempotency key is stored in a transaction of its own, after the one that did the work."""
    keep, once = idempotency.keep_each, services.request_transfers_once
    waiting: list[tuple[Any, Any]] = []
    idempotency.keep_each = lambda answered, *, at: waiting.append((answered, at))  # type: ignore[assignment]

    def request(**given: Any) -> Any:
        results = once(**given)
        with unit_of_work():
            while waiting:
                answered, at = waiting.pop()
                keep(answered, at=at)
        return results

    services.request_transfers_once = request


def told_afterwards() -> None:
    """Notifications are written when a round of work is over, outside the transactions that they tell of."""
    waiting: list[Sequence[Announcement]] = []
    one_round = loop.one_round

    def hear(*, announcements: Sequence[Announcement], **_: Any) -> None:
        waiting.append(announcements)

    def then_tell(*, batch: int) -> int:
        moved = one_round(batch=batch)
        with unit_of_work():
            while waiting:
                receivers.write_notifications(announcements=waiting.pop(0))
        return moved

    transfers_changed.disconnect(dispatch_uid="notifications.write_notifications")
    transfers_changed.connect(hear, weak=False)
    loop.one_round = then_tell


BUGS: dict[str, Callable[[], None]] = {
    bug.__name__: bug for bug in (blind_retry, not_found_is_failed, key_kept_afterwards, told_afterwards)
}
