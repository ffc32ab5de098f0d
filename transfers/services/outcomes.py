"""Taking what institutions say: the same course for every kind of instruction.

A leg (withdrawal, deposit, refund) gives the handlers for what is its own: what settled, rejected and returned mean
for the money and the transfer. What is common stands here: a repeated report changes nothing, an unknown outcome
stays unknown until somebody knows, and "not found" is no failure.

Longer than most modules: every outcome of every kind of instruction goes through these few functions.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from accounts import holds
from accounts.ledger.queries import ever_advanced
from bridge.kernel import bulk, columns, compiled, crashpoints
from bridge.kernel.errors import BridgeError, NotFound
from bridge.kernel.gateway import InstructionKind, Outcome, Report
from bridge.kernel.results import Actor, Done, Refused, Result
from bridge.kernel.transactions import require_atomic, retried, unit_of_work
from transfers.models import BankInstruction, Transfer, Work
from transfers.services import deadlines, orders
from transfers.services.batch import Batch, beginning
from transfers.states import UNANSWERED, InstructionState, Step

Handler = Callable[[Batch, Transfer, BankInstruction, Report], None]
More = Callable[[Batch, Transfer, BankInstruction, Report, int, int], None]  # amount, fee: what is new of them
I = InstructionState  # noqa: E741
MOST_TRIES = 1_000  # are counted: waits have long stopped growing


class UnexpectedEvidence(BridgeError):
    """The institution reports what our record of the instruction does not allow. People and reconciliation see it."""

    code = "unexpected_evidence"
    status = 409
    title = "The report does not fit our record"
    message = "The institution reports '{reported}' for an instruction that we know as {state}."


_KNOWN = compiled.Tuples(
    lambda: (
        BankInstruction.objects.filter(compiled.AnyOf("key", "text", "keys"))
        .order_by()
        .values_list("key", "id", "transfer_id", "kind")
    )
)


@dataclass(frozen=True, slots=True)
class Leg:
    """What is particular to one kind of instruction."""

    kind: InstructionKind
    ask: Step
    settle: Step
    settled: Handler
    settled_again: More
    rejected: Handler
    returned: More
    needs_places: Callable[[Report, BankInstruction, Transfer], bool]
    shows_unknown: bool = True


@retried
def apply(*, leg: Leg, reports: Sequence[Report], actor: Actor) -> list[Result]:
    """Post and record what these reports say, one unit of work for all. Results are in their order.

    `Done.data["resend"]` is true where the instruction should be sent again under its key. Refused: `NotFound` for a
    key that is none of ours, `UnexpectedEvidence`. Locks transfers with their split families, instructions, then
    what the leg needs.
    """
    with unit_of_work(beginning) as moment:
        return apply_within(leg=leg, reports=reports, actor=actor, at=moment)


def apply_within(*, leg: Leg, reports: Sequence[Report], actor: Actor, at: datetime) -> list[Result]:
    """The same as a part of somebody's unit of work, such as a decision of two people."""
    require_atomic()
    batch = Batch(actor=actor, at=at)
    known = {
        key: (number, transfer_id)
        for key, number, transfer_id, kind in _KNOWN(keys=columns.texts([report.key for report in reports]))
        if kind == leg.kind
    }
    transfers = batch.lock_families(transfer_id for _, transfer_id in known.values())
    asked = _recalls(leg, reports, transfers)
    instructions = batch.lock_instructions({number for number, _ in known.values()} | asked)
    found = []
    for report in reports:
        if report.key in known:
            number, transfer_id = known[report.key]
            found.append((report, instructions[number], transfers[transfer_id]))
    if leg.kind != InstructionKind.DEPOSIT:
        batch.lock_accounts({transfer.source_account_id for _, _, transfer in found})
    repeated = _repeated(found)
    moving = [one for one in found if one[1].id in repeated or leg.needs_places(*one)]
    if moving:
        families = {transfer.family_id for _, _, transfer in moving}
        kin = [row for row in transfers.values() if row.family_id in families]
        if repeated or any(unplanned(*one) for one in moving):
            batch.lock_places_of_families(kin)
        else:
            batch.lock_places_of(kin)
    if leg.kind == InstructionKind.DEPOSIT:
        batch.owing = ever_advanced(transfer.id for _, _, transfer in found)
    tries = _tries(found)
    taken = (_one(batch, leg, report, order, transfer, tries) for report, order, transfer in found)
    results = [
        next(taken) if report.key in known else Refused(None, NotFound(what="instruction")) for report in reports
    ]
    batch.save()
    crashpoints.reach_leg(leg.kind, crashpoints.Moment.OUTCOME_WRITTEN)
    return results


def _repeated(found: Sequence[tuple[Report, BankInstruction, Transfer]]) -> set[uuid.UUID]:
    """Instructions of which more than one report came at once: what the second will find is not known yet."""
    orders = [order.id for _, order, _ in found]
    return {one for one, times in Counter(orders).items() if times > 1} if len(set(orders)) < len(orders) else set()


def _recalls(leg: Leg, reports: Sequence[Report], transfers: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """A deposit that comes back may answer recalls of its family."""
    if leg.kind != InstructionKind.DEPOSIT or not any(_sends_back(report) for report in reports):
        return set()
    return orders.open_recalls(transfers)


def _sends_back(report: Report) -> bool:
    return report.returned_amount > 0 or report.return_fee > 0


def unplanned(report: Report, order: BankInstruction, transfer: Transfer) -> bool:
    """Whether this may move more than one transfer by one step: the family's places and books are needed then."""
    if report.outcome == Outcome.REJECTED or _sends_back(report):
        return True
    if report.outcome not in (Outcome.SETTLED, Outcome.RETURNED):
        return False
    return not order.is_live or report.settled_amount != order.amount or transfer.blocker_code != ""


def is_plain(batch: Batch, report: Report, order: BankInstruction, transfer: Transfer) -> bool:
    """Settled as ordered, and nothing else is known of the transfer: one step, without a look at the books."""
    as_ordered = report.settled_amount + report.fee == order.amount
    return as_ordered and transfer.blocker_code == "" and transfer.id not in batch.owing


def _tries(found: Sequence[tuple[Report, BankInstruction, Transfer]]) -> dict[uuid.UUID, int]:
    unsure = {t.id for report, _, t in found if report.outcome in (Outcome.UNKNOWN, Outcome.NOT_FOUND)}
    if not unsure:
        return {}
    return dict(Work.objects.filter(bulk.Among("pk", unsure)).values_list("transfer_id", "tries"))


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
        case Outcome.REJECTED:
            _reject(batch, leg, report, order, transfer)
        case Outcome.SETTLED | Outcome.RETURNED:
            _moved(batch, leg, report, order, transfer)
    return {}


def _doubt(batch: Batch, leg: Leg, order: BankInstruction, transfer: Transfer, tries: int) -> None:
    if order.state in UNANSWERED:
        if order.state != I.UNKNOWN:
            order.state = I.UNKNOWN
            batch.answered(order)
        batch.schedule(
            transfer, leg.ask, orders.terms(order, transfer).next_ask(batch.at, tries), tries=min(tries + 1, MOST_TRIES)
        )
        if leg.shows_unknown:
            show_unknown(batch, transfer, order)
    elif order.state == I.ACKNOWLEDGED:
        batch.schedule(transfer, leg.settle, orders.terms(order, transfer).after(batch.at, "settle_poll"))
    deadlines.mind(batch, transfer, order)


def show_unknown(batch: Batch, transfer: Transfer, order: BankInstruction) -> None:
    """Tell people once that we do not know whether the institution acted."""
    if transfer.blocker_code:
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
        if order.state == I.ACKNOWLEDGED and batch.at >= order.key_expires_at:
            batch.schedule(transfer, leg.settle, None)  # the bank has forgotten it: asking by key tells nothing now
        return False
    waits = orders.terms(order, transfer)
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
        if order.state == I.ACKNOWLEDGED:  # repeated: nothing new but that it still has not settled
            batch.schedule(transfer, leg.settle, orders.terms(order, transfer).after(batch.at, "settle_poll"))
            deadlines.mind(batch, transfer, order)
        return
    order.state = I.ACKNOWLEDGED
    _accepted(batch, report, order)
    batch.schedule(transfer, leg.settle, orders.terms(order, transfer).after(batch.at, "settle_poll"))
    deadlines.answered(batch, transfer)


def _accepted(batch: Batch, report: Report, order: BankInstruction) -> None:
    """From now on the institution's balances are net of it."""
    order.institution_reference = report.institution_reference or order.institution_reference
    if order.acknowledged_at is None:
        order.acknowledged_at = batch.at
        if order.kind == InstructionKind.WITHDRAWAL and order.account_id is not None:
            batch.move(holds.acknowledged(order.account_id, order.amount))
    batch.answered(order)


def _moved(batch: Batch, leg: Leg, report: Report, order: BankInstruction, transfer: Transfer) -> None:
    """The institution says what it has moved under this key so far: whatever of that is new to us is posted now.

    A return implies that it had settled before, so a return that comes before our own result does both. A report
    that tells nothing new is a repeated one, or one that was overtaken.
    """
    settled = report.settled_amount or (report.returned_amount if order.is_live else 0)
    if not settled and not report.fee and leg.kind != InstructionKind.RECALL:
        if order.is_live:  # it says that nothing has moved, whatever it calls that
            _reject(batch, leg, replace(report, reason=report.reason or "It settled for nothing."), order, transfer)
        return
    fee = max(report.fee - order.fee, 0)
    if order.is_live:
        was = report
        if report.outcome != Outcome.SETTLED or report.settled_amount != settled or report.returned_amount:
            was = replace(report, outcome=Outcome.SETTLED, settled_amount=settled, returned_amount=0)
        order.state = I.SETTLED
        _accepted(batch, was, order)
        order.settled_amount, order.fee = settled, report.fee
        order.settled_at, order.ended_at = report.at or batch.at, batch.at
        leg.settled(batch, transfer, order, was)
    elif settled > order.settled_amount or fee:
        _settle_again(batch, leg, report, order, transfer, max(settled - order.settled_amount, 0), fee)
    kept = max(report.return_fee - order.return_fee, 0)
    if report.returned_amount > order.returned_amount or kept:
        if order.state not in (I.SETTLED, I.RETURNED):
            raise UnexpectedEvidence(reported="returned", state=order.get_state_display())
        leg.returned(batch, transfer, order, report, max(report.returned_amount - order.returned_amount, 0), kept)
        order.state = I.RETURNED
        order.returned_amount = max(report.returned_amount, order.returned_amount)
        order.return_fee += kept
        order.return_code, order.reason = report.code, report.reason
        batch.answered(order)


def _settle_again(
    batch: Batch, leg: Leg, report: Report, order: BankInstruction, transfer: Transfer, credited: int, fee: int
) -> None:
    """Late, after we took it for rejected, or twice under one key."""
    if order.state == I.REJECTED and order.acknowledged_at is None and leg.kind == InstructionKind.WITHDRAWAL:
        assert order.account_id is not None
        batch.move(holds.begun_after_all(order.account_id, order.amount))
    order.state = I.SETTLED
    _accepted(batch, report, order)
    order.settled_amount += credited
    order.fee += fee
    order.settled_at, order.ended_at = report.at or batch.at, batch.at
    batch.note(
        transfer,
        "transfer.settled_again",
        instruction=order.id,
        kind=order.kind,
        settled_amount=credited,
        fee=fee,
    )
    leg.settled_again(batch, transfer, order, report, credited, fee)


def _reject(batch: Batch, leg: Leg, report: Report, order: BankInstruction, transfer: Transfer) -> None:
    if order.state == I.REJECTED:
        return  # repeated
    if not order.is_live:
        if leg.kind == InstructionKind.RECALL:
            return  # the money has come back all the same: we took that for the answer, and it stays true
        if order.settled_at is not None and report.at is not None and report.at <= order.settled_at:
            return  # overtaken: it has settled since
        raise UnexpectedEvidence(reported="rejected", state=order.get_state_display())
    order.state = I.REJECTED
    order.institution_reference = report.institution_reference or order.institution_reference
    order.return_code, order.reason = report.code, report.reason
    order.ended_at = batch.at
    batch.answered(order)
    leg.rejected(batch, transfer, order, report)
