"""Asking the fund's bank to send a deposit back. A recall posts nothing: only the money that returns does (D4).

While a recall is open its transfer stays `completed`, because that is where its money is, and carries the blocker
`recall_open` with a row of Work, so that it shows in the queues and somebody keeps asking. What comes back because
of a recall goes back to the investor, whatever the fund's policy says about failed deposits: people asked for it.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence

from django.db.models import F

from accounts.ledger.queries import at_funds
from bridge.kernel.errors import BridgeError, WrongState
from bridge.kernel.gateway import InstructionKind, Report
from bridge.kernel.results import Actor, Change, Done, Refused, Result
from bridge.kernel.transactions import retried, unit_of_work
from transfers.blockers import Deed
from transfers.controls.gates import Gates
from transfers.models import BankInstruction, Transfer
from transfers.services import deciding, orders, outcomes, permitting
from transfers.services.batch import Batch
from transfers.services.following import show_advance
from transfers.states import (
    AT_THE_FUND,
    LIVE,
    RECALL_DUE,
    RECALL_OPEN,
    RECALL_REJECTED,
    InstructionState,
    State,
    Step,
)

RECALLED_WHEN_ENDED = ("advance_open", "no_place", RECALL_REJECTED)


_OPEN = "The fund's bank was asked to send the deposit back. It may take days; Bridge keeps asking."


class AlreadyRecalled(BridgeError):
    code = "already_recalled"
    status = 409
    title = "Already recalled"
    message = "The fund's bank has been asked for this money already."


class NothingAtTheFund(BridgeError):
    code = "nothing_at_the_fund"
    status = 409
    title = "Nothing to recall"
    message = "The ledger shows none of this transfer's money at the fund, or no deposit that brought it there."


@retried
def recall_transfers(*, changes: Sequence[Change], actor: Actor) -> list[Result]:
    """A checker decides that completed deposits are asked back; the engine sends the recalls.

    Refused: `NotFound`, `StaleVersion`, `WrongState` outside `completed`, `NotAllowed`, `AlreadyRecalled`. Locks the
    transfers.
    """
    with unit_of_work() as moment:
        batch = Batch(actor=actor, at=moment)
        found = batch.lock_transfers(change.id for change in changes)
        results: list[Result] = []
        for change in changes:
            row = found.get(change.id)
            error = deciding.refusal(change, row, actor, _recallable(row), "recalled", False)
            if error is None and row is not None:
                asked = row.blocker_code in (RECALL_OPEN, RECALL_DUE)
                error = permitting.refusal(row, actor, Deed.RECALL)
                error = AlreadyRecalled() if asked and isinstance(error, permitting.NotSafe) else error
            if error is not None or row is None:
                results.append(Refused(change.id, error or WrongState(state="unknown", verb="recalled")))
                continue
            ask_back(batch, row, change.reason or "Operations asked for the deposit back.")
            results.append(Done(row.id, str(row.state), row.version))
        batch.save()
    return results


@retried
def give_up_recalls(*, changes: Sequence[Change], actor: Actor) -> list[Result]:
    """Accept that the fund's bank refused: the transfer rests in `completed` again. Refused as in
    `recall_transfers`, and `NotSafe` where no recall was refused."""
    with unit_of_work() as moment:
        batch = Batch(actor=actor, at=moment)
        found = batch.lock_transfers(change.id for change in changes)
        results: list[Result] = []
        for change in changes:
            row = found.get(change.id)
            error = deciding.refusal(change, row, actor, AT_THE_FUND, "left at the fund", False)
            if error is None and row is not None:
                error = permitting.refusal(row, actor, Deed.LEAVE)
            if error is not None or row is None:
                results.append(Refused(change.id, error or WrongState(state="not refused", verb="left at the fund")))
                continue
            row.unblock()
            batch.note(row, "transfer.unblocked", code=RECALL_REJECTED, reason=change.reason)
            batch.finish(row)
            batch.load_books([row])
            show_advance(batch, row)
            results.append(Done(row.id, str(row.state), row.version))
        batch.save()
    return results


def _recallable(row: Transfer | None) -> tuple[State, ...]:
    if row is not None and row.blocker_code in RECALLED_WHEN_ENDED:
        return AT_THE_FUND
    return (State.COMPLETED,)


def ask_back(batch: Batch, transfer: Transfer, reason: str) -> None:
    """Inside somebody's unit of work that has locked the completed transfer: the recall comes next."""
    message = f"The deposit is to be recalled from the fund's bank. {reason}"[:400]
    transfer.block(RECALL_DUE, message, at=batch.at)
    batch.note(transfer, "transfer.recall_due", reason=reason[:400])
    batch.schedule(transfer, Step.RECALL, batch.at)


@retried
def begin_recalls(*, transfer_ids: Sequence[uuid.UUID], actor: Actor) -> list[Result]:
    """Commit the recalls as submitted; nothing is posted. `Done.data["sent"]` where one is to be sent.

    Where the ledger shows nothing at the fund, or no deposit of the family is known to have settled, the transfer
    waits for people. Refused: `WrongState`. Locks the transfers.
    """
    with unit_of_work() as moment:
        gates = Gates.of(InstructionKind.RECALL, transfer_ids, at=moment)
        batch = Batch(actor=actor, at=moment)
        found = batch.lock_transfers(transfer_ids)
        ready = [row for row in found.values() if row.blocker_code == RECALL_DUE]
        held = at_funds([row.id for row in ready])
        there = {row.id: _to_recall(row, kept) for row in ready if (kept := held.get(row.id))}
        deposits = deposits_of(ready, {row_id: fund_id for row_id, (fund_id, _) in there.items()})
        before = orders.attempts(ready, InstructionKind.RECALL)
        results: list[Result] = []
        for transfer_id in transfer_ids:
            row = found.get(transfer_id)
            if row is None or row not in ready:
                results.append(Refused(transfer_id, WrongState(state=row.state if row else "unknown", verb="recalled")))
                continue
            amount, deposit = there[row.id][1] if row.id in there else 0, deposits.get(row.id)
            if amount <= 0 or deposit is None:
                _refuse(batch, row, NothingAtTheFund().detail)
                results.append(Done(row.id, str(row.state), row.version))
                continue
            barrier = gates.against(row, institution="", at_fund=True)
            if barrier is not None:  # its own blocker says more: it stays
                batch.schedule(row, Step.RECALL, barrier.until)
                results.append(Done(row.id, str(row.state), row.version))
                continue
            order = orders.instruct(
                batch,
                row,
                InstructionKind.RECALL,
                attempt=before.get(row.id, 0) + 1,
                amount=amount,
                recalls=deposit,
            )
            row.block(RECALL_OPEN, _OPEN, at=moment)
            batch.note(row, "transfer.recalling", instruction=order.id, attempt=order.attempt)
            batch.schedule(row, Step.ASK_RECALL, orders.terms(order, row).after(moment, "answer"))
            results.append(Done(row.id, str(row.state), row.version, {"sent": order}))
        batch.save()
    return results


def settle_recalls(*, reports: Sequence[Report], actor: Actor) -> list[Result]:
    """Take what institutions say about recalls: it changes the recall, not the money. See `outcomes.apply`."""
    return outcomes.apply(leg=LEG, reports=reports, actor=actor)


def _to_recall(row: Transfer, kept: dict[uuid.UUID, int]) -> tuple[uuid.UUID, int]:
    """From which fund, and how much: first what a fund has that the transfer was redirected from."""
    fund_id = max(kept, key=lambda fund_id: (kept[fund_id] > 0 and fund_id != row.fund_id, kept[fund_id], fund_id))
    return fund_id, kept[fund_id]


def deposits_of(transfers: Sequence[Transfer], fund_of: dict[uuid.UUID, uuid.UUID]) -> dict[uuid.UUID, BankInstruction]:
    """The deposit that brought each transfer's money to this fund: its own newest that settled, else an ancestor's."""
    found: dict[uuid.UUID, BankInstruction] = {}
    asked = {row.id: (row.id, row.split_from_id) for row in transfers if row.id in fund_of}
    while asked:
        owners = {owner for owner, _ in asked.values()}
        newest = {
            (order.transfer_id, order.fund_id): order
            for order in BankInstruction.objects.filter(
                transfer__in=owners,
                kind=InstructionKind.DEPOSIT,
                state__in=[InstructionState.SETTLED, InstructionState.RETURNED],
                settled_amount__gt=F("returned_amount"),
            ).order_by("attempt")
        }
        own = {wanted: newest.get((owner, fund_of[wanted])) for wanted, (owner, _) in asked.items()}
        found |= {wanted: order for wanted, order in own.items() if order is not None}
        upwards = {wanted: parent for wanted, (_, parent) in asked.items() if own[wanted] is None and parent}
        above = dict(Transfer.objects.filter(pk__in=upwards.values()).values_list("id", "split_from_id"))
        asked = {wanted: (parent, above[parent]) for wanted, parent in upwards.items()}
    return found


def awaiting(transfer_ids: Iterable[uuid.UUID]) -> list[BankInstruction]:
    """The recalls of these completed transfers that have brought nothing back yet, with their deposits."""
    return list(
        BankInstruction.objects.filter(
            transfer__in=list(transfer_ids),
            kind=InstructionKind.RECALL,
            returned_amount=0,
            state__in=[*LIVE, InstructionState.SETTLED],
        )
        .select_related("recalls")
        .order_by("id")
    )


def _refuse(batch: Batch, transfer: Transfer, why: str) -> None:
    """The money stays at the fund until people decide."""
    message = f"{why} Recall it again, ask the fund, or leave it where it is."[:400]
    transfer.block(RECALL_REJECTED, message, at=batch.at)
    batch.schedule(transfer, Step.BLOCKED, None)
    batch.note(transfer, "transfer.recall_rejected", code="", reason=why[:300])


def _agreed(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report) -> None:
    """The bank will send it back: the return of the deposit is what moves the transfer, so keep looking for that."""
    if transfer.blocker_code == RECALL_OPEN:
        batch.schedule(transfer, Step.SETTLE_RECALL, orders.terms(order, transfer).after(batch.at, "settle_poll"))


def _rejected(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report) -> None:
    if transfer.blocker_code != RECALL_OPEN:
        return
    why = f"The fund's bank refused the recall: {report.reason or report.code}."
    message = f"{why} Recall it again, ask the fund, or leave it where it is."[:400]
    transfer.block(RECALL_REJECTED, message, at=batch.at)
    batch.schedule(transfer, Step.BLOCKED, None)
    batch.note(transfer, "transfer.recall_rejected", instruction=order.id, code=order.return_code, reason=order.reason)


def _returned(batch: Batch, transfer: Transfer, order: BankInstruction, report: Report, back: int, fee: int) -> None:
    raise outcomes.UnexpectedEvidence(reported="returned", state=order.get_state_display())


def _settled_again(
    batch: Batch, transfer: Transfer, order: BankInstruction, report: Report, credited: int, fee: int
) -> None:
    raise outcomes.UnexpectedEvidence(reported="settled", state=order.get_state_display())


def _needs_places(report: Report, order: BankInstruction, transfer: Transfer) -> bool:
    return False


LEG = outcomes.Leg(
    kind=InstructionKind.RECALL,
    ask=Step.ASK_RECALL,
    settle=Step.SETTLE_RECALL,
    settled=_agreed,
    settled_again=_settled_again,
    rejected=_rejected,
    returned=_returned,
    needs_places=_needs_places,
    shows_unknown=False,
)
