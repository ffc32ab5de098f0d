"""What the engine does with a claimed batch of each step: gather, one service call, calls, one service call."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence

from bridge.kernel.gateway import InstructionKind, Report
from bridge.kernel.results import ENGINE, Done, Refused, Result
from bridge.kernel.transactions import DATABASE_FAULTS
from transfers import facts, services
from transfers.engine import calls
from transfers.models import BankInstruction, Transfer
from transfers.policy import policy
from transfers.services.recalling import awaiting
from transfers.states import LIVE, InstructionState, Step

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
    accounts = set(Transfer.objects.filter(pk__in=ids).values_list("source_account_id", flat=True))
    known = facts.gather(account_ids=accounts, max_age=policy().balance_age_withdrawal)
    results = services.begin_withdrawals(transfer_ids=ids, facts=known, actor=ENGINE)
    _postpone(results, "waiting_for_earlier", BEHIND_ANOTHER)
    _postpone(results, "balance_not_known", NO_BALANCE)
    _send(InstructionKind.WITHDRAWAL, results)


def deposit(ids: Ids) -> None:
    _send(InstructionKind.DEPOSIT, services.begin_deposits(transfer_ids=ids, actor=ENGINE))


def refund(ids: Ids) -> None:
    _send(InstructionKind.REFUND, services.begin_refunds(transfer_ids=ids, actor=ENGINE))


def recall(ids: Ids) -> None:
    _send(InstructionKind.RECALL, services.begin_recalls(transfer_ids=ids, actor=ENGINE))


def chase(ids: Ids) -> None:
    """A recall was accepted: ask for the money itself, since the callback about the deposit may be lost."""
    services.postpone_work(transfer_ids=ids, seconds=policy().settle_poll)
    waiting = awaiting(ids)
    apply(InstructionKind.RECALL, calls.find([row for row in waiting if row.is_live]))
    deposits = {row.recalls.id: row.recalls for row in waiting if row.recalls is not None}
    apply(InstructionKind.DEPOSIT, calls.find(list(deposits.values())))


def ask(kind: InstructionKind) -> Callable[[Ids], None]:
    """Ask by key what became of live instructions; send again those that may be."""

    def step(ids: Ids) -> None:
        live = list(BankInstruction.objects.filter(transfer__in=ids, kind=kind, state__in=[str(s) for s in LIVE]))
        if not live:
            return
        owners = {row.transfer_id: row.id for row in live}
        results = apply(kind, calls.find(live))
        again = [owners[result.id] for result in results if isinstance(result, Done) and result.data.get("resend")]
        if again:
            apply(kind, calls.submit(services.resend_instructions(instruction_ids=again, actor=ENGINE)))

    return step


def expire(ids: Ids) -> None:
    services.expire_transfers(transfer_ids=ids, actor=ENGINE)


def apply(kind: InstructionKind, reports: list[Report]) -> list[Result]:
    """Hand reports to the service of their kind; one that it cannot take does not hold up the others."""
    if not reports:
        return []
    try:
        results = SETTLE[kind](reports=reports, actor=ENGINE)
    except DATABASE_FAULTS:
        raise
    except Exception:
        if len(reports) == 1:
            raise
        middle = len(reports) // 2
        return apply(kind, reports[:middle]) + apply(kind, reports[middle:])
    for report, result in zip(reports, results, strict=True):
        if isinstance(result, Refused):
            logger.warning("report %s for %s not applied: %s", report.outcome, report.key, result.error)
    return results


def _send(kind: InstructionKind, results: Sequence[Result]) -> None:
    begun = [result.id for result in results if isinstance(result, Done) and result.data.get("sent")]
    if not begun:
        return
    orders = list(
        BankInstruction.objects.filter(transfer__in=begun, kind=kind, state=InstructionState.SUBMITTED)
        .select_related("recalls")
        .order_by("id")
    )
    apply(kind, calls.submit(orders))


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
