"""Taking what institutions say: the same course for every kind of instruction.

A leg (withdrawal, deposit, refund) gives the handlers for what is its own: what settled, rejected and returned mean
for the money and the transfer. What is common stands here: a repeated report changes nothing, an unknown outcome
stays unknown until somebody knows, and "not found" is no failure.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from accounts import holds
from bridge.kernel.errors import BridgeError, NotFound
from bridge.kernel.gateway import InstructionKind, Outcome, Report
from bridge.kernel.results import Actor, Done, Refused, Result
from bridge.kernel.transactions import require_atomic, unit_of_work
from transfers.models import BankInstruction, Transfer, Work
from transfers.policy import policy
from transfers.services.batch import Batch
from transfers.states import UNANSWERED, InstructionState, Step

Handler = Callable[[Batch, Transfer, BankInstruction, Report], None]
Kin = tuple[set[uuid.UUID], set[uuid.UUID]]  # other transfers, and instructions of theirs, that reports may concern
I = InstructionState  # noqa: E741


class UnexpectedEvidence(BridgeError):
    """The institution reports what our record of the instruction does not allow. People and reconciliation see it."""

    code = "unexpected_evidence"
    status = 409
    title = "The report does not fit our record"
    message = "The institution reports '{reported}' for an instruction that we know as {state}."


@dataclass(frozen=True, slots=True)
class Leg:
    """What is particular to one kind of instruction."""

    kind: InstructionKind
    ask: Step
    settle: Step
    settled: Handler
    rejected: Handler
    returned: Handler
    needs_places: Callable[[Report, BankInstruction], bool]
    kin: Callable[[Sequence[Report]], Kin] = lambda reports: (set(), set())
    shows_unknown: bool = True


def apply(*, leg: Leg, reports: Sequence[Report], actor: Actor) -> list[Result]:
    """Post and record what these reports say, one unit of work for all. Results are in their order.

    `Done.data["resend"]` is true where the instruction should be sent again under its key. Refused: `NotFound` for a
    key that is none of ours, `UnexpectedEvidence`. Locks transfers, instructions, then what the leg needs.
    """
    with unit_of_work() as moment:
        return apply_within(leg=leg, reports=reports, actor=actor, at=moment)


def apply_within(*, leg: Leg, reports: Sequence[Report], actor: Actor, at: datetime) -> list[Result]:
    """The same as a part of somebody's unit of work, such as a decision of two people."""
    require_atomic()
    batch = Batch(actor=actor, at=at)
    known = {
        key: (number, transfer_id)
        for key, number, transfer_id in BankInstruction.objects.filter(
            key__in={report.key for report in reports}, kind=leg.kind.value
        ).values_list("key", "id", "transfer_id")
    }
    kin, theirs = leg.kin(reports)
    transfers = batch.lock_transfers({transfer_id for _, transfer_id in known.values()} | kin)
    if kin:  # a child may have been born before the locks were ours; it is younger, so the order of locks is kept
        kin, theirs = leg.kin(reports)
        transfers = batch.lock_transfers(kin - transfers.keys())
    instructions = batch.lock_instructions({number for number, _ in known.values()} | theirs)
    found = [
        (report, instructions[known[report.key][0]], transfers[known[report.key][1]])
        for report in reports
        if report.key in known
    ]
    if leg.kind != InstructionKind.DEPOSIT:
        batch.lock_accounts({transfer.source_account_id for _, _, transfer in found})
    places = [transfer for report, order, transfer in found if leg.needs_places(report, order)]
    places += [transfers[transfer_id] for transfer_id in kin]
    if places:
        batch.lock_places_of(places)
    tries = _tries(found)
    results: list[Result] = []
    for report in reports:
        if report.key not in known:
            results.append(Refused(None, NotFound(what="instruction")))
            continue
        number, transfer_id = known[report.key]
        results.append(_one(batch, leg, report, instructions[number], transfers[transfer_id], tries))
    batch.save()
    return results


def _tries(found: Sequence[tuple[Report, BankInstruction, Transfer]]) -> dict[uuid.UUID, int]:
    unsure = {t.id for report, _, t in found if report.outcome in (Outcome.UNKNOWN, Outcome.NOT_FOUND)}
    if not unsure:
        return {}
    return dict(Work.objects.filter(pk__in=unsure).values_list("transfer_id", "tries"))


def _one(
    batch: Batch, leg: Leg, report: Report, order: BankInstruction, transfer: Transfer, tries: dict[uuid.UUID, int]
) -> Result:
    try:
        data = _take(batch, leg, report, order, transfer, tries.get(transfer.id, 0))
    except UnexpectedEvidence as error:
        return Refused(transfer.id, error)
    return Done(transfer.id, str(transfer.state), transfer.version, data)


def _take(
    batch: Batch, leg: Leg, report: Report, order: BankInstruction, transfer: Transfer, tries: int
) -> dict[str, bool]:
    match report.outcome:
        case Outcome.UNKNOWN:
            _doubt(batch, leg, order, transfer, tries)
        case Outcome.NOT_FOUND:
            return {"resend": _not_found(batch, leg, order, transfer, tries)}
        case Outcome.ACKNOWLEDGED:
            _acknowledge(batch, leg, report, order, transfer)
        case Outcome.SETTLED:
            _settle(batch, leg, report, order, transfer)
        case Outcome.REJECTED:
            _reject(batch, leg, report, order, transfer)
        case Outcome.RETURNED:
            _return(batch, leg, report, order, transfer)
    return {}


def _doubt(batch: Batch, leg: Leg, order: BankInstruction, transfer: Transfer, tries: int) -> None:
    if order.state in UNANSWERED:
        if order.state != I.UNKNOWN:
            order.state = I.UNKNOWN
            batch.answered(order)
        batch.schedule(transfer, leg.ask, policy().next_ask(batch.at, tries), tries=tries + 1)
        if leg.shows_unknown:
            show_unknown(batch, transfer, order)
    elif order.state == I.ACKNOWLEDGED:
        batch.schedule(transfer, leg.settle, policy().after(batch.at, "settle_poll"))


def show_unknown(batch: Batch, transfer: Transfer, order: BankInstruction) -> None:
    """Tell people once that we do not know whether the institution acted."""
    if transfer.blocker_code == "outcome_unknown":
        return
    message = (
        f"{order.institution.title()} has not told us whether it carried out the {order.kind}. "
        "Bridge keeps asking; nothing is sent twice."
    )
    transfer.block("outcome_unknown", message, at=batch.at)
    batch.note(transfer, "transfer.blocked", code="outcome_unknown", message=message)


def _not_found(batch: Batch, leg: Leg, order: BankInstruction, transfer: Transfer, tries: int) -> bool:
    """Whether to send again. Not found is no failure: the order may still be on its way to the books."""
    if order.state not in UNANSWERED:
        _doubt(batch, leg, order, transfer, tries)
        return False
    waits = policy()
    sent = order.last_sent_at or order.created_at
    _doubt(batch, leg, order, transfer, tries)
    if batch.at < waits.after(sent, "finality"):
        return False
    lifetime = order.key_expires_at - order.created_at
    if batch.at >= order.created_at + lifetime * waits.resend_share / 100:
        batch.schedule(transfer, leg.ask, None)  # only a statement or two people decide now
        return False
    return True


def _acknowledge(batch: Batch, leg: Leg, report: Report, order: BankInstruction, transfer: Transfer) -> None:
    if order.state not in (*UNANSWERED, I.PENDING):
        return  # late or repeated: nothing new
    order.state = I.ACKNOWLEDGED
    _accepted(batch, report, order)
    batch.schedule(transfer, leg.settle, policy().after(batch.at, "settle_poll"))
    if transfer.blocker_code == "outcome_unknown":
        transfer.unblock()
        batch.note(transfer, "transfer.unblocked", code="outcome_unknown")


def _accepted(batch: Batch, report: Report, order: BankInstruction) -> None:
    """From now on the institution's balances are net of it."""
    order.institution_reference = report.institution_reference or order.institution_reference
    if order.acknowledged_at is None:
        order.acknowledged_at = batch.at
        if order.kind == InstructionKind.WITHDRAWAL and order.account_id is not None:
            batch.move(holds.acknowledged(order.account_id, order.amount))
    batch.answered(order)


def _settle(batch: Batch, leg: Leg, report: Report, order: BankInstruction, transfer: Transfer) -> None:
    if not order.is_live:
        if order.state in (I.SETTLED, I.RETURNED) and report.settled_amount <= order.settled_amount:
            return  # repeated
        raise UnexpectedEvidence(reported="settled", state=order.get_state_display())
    order.state = I.SETTLED
    _accepted(batch, report, order)
    order.settled_amount, order.fee = report.settled_amount, report.fee
    order.settled_at, order.ended_at = report.at or batch.at, batch.at
    leg.settled(batch, transfer, order, report)


def _reject(batch: Batch, leg: Leg, report: Report, order: BankInstruction, transfer: Transfer) -> None:
    if order.state == I.REJECTED:
        return  # repeated
    if not order.is_live:
        raise UnexpectedEvidence(reported="rejected", state=order.get_state_display())
    order.state = I.REJECTED
    order.institution_reference = report.institution_reference or order.institution_reference
    order.return_code, order.reason = report.code[:20], report.reason[:300]
    order.ended_at = batch.at
    batch.answered(order)
    leg.rejected(batch, transfer, order, report)


def _return(batch: Batch, leg: Leg, report: Report, order: BankInstruction, transfer: Transfer) -> None:
    if order.state == I.RETURNED and report.returned_amount <= order.returned_amount:
        return  # repeated
    if order.is_live and report.settled_amount:
        _settle(batch, leg, report, order, transfer)  # a return implies that it had settled before
    if order.state not in (I.SETTLED, I.RETURNED):
        raise UnexpectedEvidence(reported="returned", state=order.get_state_display())
    leg.returned(batch, transfer, order, report)
    order.state = I.RETURNED
    order.returned_amount = report.returned_amount
    order.return_code, order.reason = report.code[:20], report.reason[:300]
    batch.answered(order)


def never_places(report: Report, order: BankInstruction) -> bool:
    return False
