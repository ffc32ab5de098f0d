"""What the engine does with a claimed batch of each step: gather, one service call, calls, one service call.

Longer than most modules: one handler for each step, and what they share.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Iterable, Sequence

from bridge.kernel import bulk, clock, crashpoints
from bridge.kernel.crashpoints import Moment, Point
from bridge.kernel.errors import BridgeError
from bridge.kernel.gateway import InstructionKind, Report
from bridge.kernel.results import ENGINE, Done, Refused, Result
from bridge.kernel.transactions import DATABASE_FAULTS
from transfers import facts, services
from transfers.controls import circuits, gates
from transfers.engine import calls
from transfers.engine.isolation import set_aside
from transfers.manual_outcomes import being_decided
from transfers.models import BankInstruction, Transfer
from transfers.policy import policy
from transfers.services.recalling import awaiting
from transfers.states import LIVE, Step

logger = logging.getLogger(__name__)

Ids = Sequence[uuid.UUID]
Settle = Callable[..., list[Result]]

SETTLE: dict[InstructionKind, Settle] = {
    InstructionKind.WITHDRAWAL: services.settle_withdrawals,
    InstructionKind.DEPOSIT: services.settle_deposits,
    InstructionKind.REFUND: services.settle_refunds,
    InstructionKind.RECALL: services.settle_recalls,
}
BEHIND_ANOTHER = 1  # seconds until a follower that was claimed too early is looked at again
NO_BALANCE = 15  # seconds until an institution that gave no balance is asked again


def withdraw(ids: Ids) -> None:
    crashpoints.reach(Point.WITHDRAW_CLAIMED)
    if gates.closed():
        ids = services.hold_back_withdrawals(transfer_ids=ids, actor=ENGINE)
        if not ids:
            return
    accounts = set(Transfer.objects.filter(bulk.Among("pk", ids)).values_list("source_account_id", flat=True))
    # With something to spare: to ask for the others takes its time, and what is too old when they begin waits.
    known = facts.gather(account_ids=accounts, max_age=policy().balance_age_withdrawal * 3 // 4)
    results = services.begin_withdrawals(transfer_ids=ids, facts=known, actor=ENGINE)
    _postpone(results, "waiting_for_earlier", BEHIND_ANOTHER)
    _postpone(results, "balance_not_known", NO_BALANCE)
    _send(InstructionKind.WITHDRAWAL, results)


def deposit(ids: Ids) -> None:
    crashpoints.reach(Point.DEPOSIT_CLAIMED)
    _send(InstructionKind.DEPOSIT, services.begin_deposits(transfer_ids=ids, actor=ENGINE))


def refund(ids: Ids) -> None:
    crashpoints.reach(Point.REFUND_CLAIMED)
    _send(InstructionKind.REFUND, services.begin_refunds(transfer_ids=ids, actor=ENGINE))


def recall(ids: Ids) -> None:
    _send(InstructionKind.RECALL, services.begin_recalls(transfer_ids=ids, actor=ENGINE))


def chase(ids: Ids) -> None:
    """A recall was accepted: ask for the money itself, since the callback about the deposit may be lost."""
    services.postpone_work(transfer_ids=ids, seconds=policy().settle_poll)
    waiting = _of_those_who_answer(awaiting(ids))
    live = [row for row in waiting if row.is_live]
    _apply_to(InstructionKind.RECALL, live, calls.find(live))
    deposits = list({row.recalls.id: row.recalls for row in waiting if row.recalls is not None}.values())
    _apply_to(InstructionKind.DEPOSIT, deposits, calls.find(deposits))


def ask(kind: InstructionKind) -> Callable[[Ids], None]:
    """Ask by key what became of live instructions; send again those that may be and that no people decide about."""

    def step(ids: Ids) -> None:
        live = _of_those_who_answer(
            BankInstruction.objects.filter(bulk.Among("transfer_id", ids), kind=kind, state__in=[str(s) for s in LIVE])
        )
        first = [row for row in live if not row.sends]
        live = [row for row in live if row.sends]
        if first:
            _call(kind, services.resend_instructions(instruction_ids=[row.id for row in first], actor=ENGINE))
        if not live:
            return
        owners = {row.transfer_id: row.id for row in live}
        results = _apply_to(kind, live, calls.find(live))
        again = {result.id for result in results if isinstance(result, Done) and result.data.get("resend")}
        if again and (again := again - being_decided(again)):
            resent = services.resend_instructions(instruction_ids=[owners[each] for each in again], actor=ENGINE)
            _apply_to(kind, resent, calls.submit(resent))

    return step


def expire(ids: Ids) -> None:
    services.expire_transfers(transfer_ids=ids, actor=ENGINE)


class ReportFault(BridgeError):
    code = "report_not_applied"
    title = "The report could not be applied"
    message = "It could not be applied: {fault}. Engineers have the details in the log."


def apply(kind: InstructionKind, reports: list[Report]) -> list[Result]:
    """Hand reports to the service of their kind; results are in their order. One that it cannot take does not hold up
    the others: it is refused with `ReportFault`."""
    if not reports:
        return []
    try:
        results = SETTLE[kind](reports=reports, actor=ENGINE)
    except DATABASE_FAULTS:
        raise
    except Exception as error:
        if len(reports) == 1:
            logger.exception("report %s for %s could not be applied", reports[0].outcome, reports[0].key)
            return [Refused(None, ReportFault(fault=type(error).__name__))]
        middle = len(reports) // 2
        return apply(kind, reports[:middle]) + apply(kind, reports[middle:])
    crashpoints.reach_leg(kind, Moment.OUTCOME_COMMITTED)
    for report, result in zip(reports, results, strict=True):
        if isinstance(result, Refused):
            logger.warning("report %s for %s not applied: %s", report.outcome, report.key, result.error)
    return results


def _apply_to(kind: InstructionKind, orders: Iterable[BankInstruction], reports: list[Report]) -> list[Result]:
    """`apply` for whoever works on these orders' transfers: those whose report is at fault are set aside."""
    results = apply(kind, reports)
    at_fault = {
        report.key: str(result.error.data["fault"])
        for report, result in zip(reports, results, strict=True)
        if isinstance(result, Refused) and isinstance(result.error, ReportFault)
    }
    for order in orders if at_fault else ():
        if order.key in at_fault:
            set_aside(order.transfer_id, at_fault[order.key])
    return results


def _send(kind: InstructionKind, results: Sequence[Result]) -> None:
    sent = [result.data["sent"] for result in results if isinstance(result, Done) and "sent" in result.data]
    if not sent:
        return
    crashpoints.reach_leg(kind, Moment.INTENT_COMMITTED)
    _call(kind, sent)


def _call(kind: InstructionKind, orders: Sequence[BankInstruction]) -> None:
    """Send each for the first time. What is not called, because its bank fell silent meanwhile, is so marked."""
    reports = calls.submit(orders)
    called = {report.key for report in reports}
    left = [row.id for row in orders if row.key not in called]
    if left:
        services.not_sent(instruction_ids=left, actor=ENGINE)
    _apply_to(kind, orders, reports)


def _of_those_who_answer(live: Iterable[BankInstruction]) -> list[BankInstruction]:
    """Without those whose institution's circuit is open: their work waits until it is tried again."""
    orders, shut = list(live), circuits.open_until()
    if not shut:
        return orders
    moment = clock.now()
    for institution, retry_at in sorted(shut.items()):
        waiting = [row.transfer_id for row in orders if row.institution == institution]
        if waiting:
            seconds = max(1, int((retry_at - moment).total_seconds()) + 1)
            services.postpone_work(transfer_ids=waiting, seconds=seconds)
    return [row for row in orders if row.institution not in shut]


def _postpone(results: Sequence[Result], code: str, seconds: int) -> None:
    late = [
        result.id
        for result in results
        if isinstance(result, Refused) and result.error.code == code and result.id is not None
    ]
    if late:
        services.postpone_work(transfer_ids=late, seconds=seconds)


HANDLERS: dict[Step, Callable[[Ids], None]] = {
    Step.WITHDRAW: withdraw,
    Step.DEPOSIT: deposit,
    Step.REFUND: refund,
    Step.ASK_WITHDRAWAL: ask(InstructionKind.WITHDRAWAL),
    Step.ASK_DEPOSIT: ask(InstructionKind.DEPOSIT),
    Step.ASK_REFUND: ask(InstructionKind.REFUND),
    Step.SETTLE_WITHDRAWAL: ask(InstructionKind.WITHDRAWAL),
    Step.SETTLE_DEPOSIT: ask(InstructionKind.DEPOSIT),
    Step.SETTLE_REFUND: ask(InstructionKind.REFUND),
    Step.RECALL: recall,
    Step.ASK_RECALL: ask(InstructionKind.RECALL),
    Step.SETTLE_RECALL: chase,
}

__all__ = ["HANDLERS", "apply", "expire"]
