"""Part of a transfer's money goes on as a transfer of its own: a child, in the same place, of the same family."""

from __future__ import annotations

from accounts.ledger import rows
from accounts.ledger.kinds import Kind
from bridge.kernel import ids
from transfers.models import Transfer
from transfers.services.batch import Batch
from transfers.states import NextStep, State, Step

SPLITTABLE = (State.WITHDRAWN, State.COMPLETED)


def split(batch: Batch, parent: Transfer, *, amount: int, reason: str) -> Transfer:
    """X1: the fund cuts `amount` (minor units) off the parent, a child in the same state; the parent keeps the rest.

    In `withdrawn` the child has no place and is refunded next; the parent's place shrinks with its amount. In
    `completed` the child takes its part of the confirmed place with it and rests there, to be recalled.

    Needs a unit of work that has locked the parent and its place. Raises `ValueError` outside those states and for
    what is no part of the amount.
    """
    if parent.state not in SPLITTABLE:
        raise ValueError(f"a transfer that is {parent.state} cannot be split")
    if not 0 < amount < parent.amount:
        raise ValueError(f"{amount} is no part of {parent.amount}")
    assert batch.places is not None
    child = _child(batch, parent, amount, State(parent.state))
    parent.amount -= amount
    parent.cut_back += amount
    at_the_fund = parent.state == State.COMPLETED
    kind = Kind.CASH if at_the_fund else Kind.CLEARING
    if at_the_fund:
        batch.places.share(transfer_id=parent.id, child_id=child.id, amount=amount, at=batch.at)
    elif batch.places.reserved_for(parent.id):
        batch.places.resize(parent.id, parent.amount)
    _record(batch, parent, child, kind=kind, reason=reason)
    return child


def split_off(
    batch: Batch,
    parent: Transfer,
    *,
    amount: int,
    reason: str,
    next_step: NextStep = NextStep.REFUND,
    code: str = "",
    message: str = "",
) -> Transfer:
    """X1: `amount` (minor units) in clearing that is none of what the parent is about becomes a child in `withdrawn`.

    The parent keeps its state, amount and place. A child whose `next_step` is none waits under the blocker `code`.
    Needs the parent's lock.
    """
    child = _child(batch, parent, amount, State.WITHDRAWN)
    child.next_step = next_step
    if next_step == NextStep.NONE:
        child.block(code, message, at=batch.at)
    _record(batch, parent, child, kind=Kind.CLEARING, reason=reason)
    return child


def _record(batch: Batch, parent: Transfer, child: Transfer, *, kind: Kind, reason: str) -> None:
    batch.bear(child)
    batch.post(rows.split(batch.parties(parent, None), child_id=child.id, amount=child.amount, kind=kind))
    batch.note(parent, "transfer.split", child=child.id, amount_split=child.amount, reason=reason)
    batch.note(child, "transfer.split_off", parent=parent.id, next_step=child.next_step, reason=reason)
    if child.state == State.WITHDRAWN:
        waits = child.next_step == NextStep.NONE
        step = Step.BLOCKED if waits else Step.DEPOSIT if child.next_step == NextStep.DEPOSIT else Step.REFUND
        batch.schedule(child, step, None if waits else batch.at)


def _child(batch: Batch, parent: Transfer, amount: int, state: State) -> Transfer:
    """It shares its parent's turn in the account's order: it withdraws nothing, so it never waits for one."""
    at_the_fund = state == State.COMPLETED
    return Transfer(
        id=ids.new_id(),
        family_id=parent.family_id,
        split_from_id=parent.id,
        source_account_id=parent.source_account_id,
        account_seq=parent.account_seq,
        investor_id=parent.investor_id,
        fund=parent.fund,
        amount=amount,
        requested_amount=amount,
        currency=parent.currency,
        state=state,
        next_step="" if at_the_fund else NextStep.REFUND,
        external_id=parent.external_id,
        metadata=parent.metadata,
        requested_by=parent.requested_by,
        approved_by=parent.approved_by,
        livemode=parent.livemode,
        created_at=batch.at,
        updated_at=batch.at,
        approved_at=parent.approved_at,
        withdrawn_at=parent.withdrawn_at,
        bridge_since=None if at_the_fund else parent.bridge_since or batch.at,
        completed_at=parent.completed_at if at_the_fund else None,
        ended_at=parent.ended_at if at_the_fund else None,
        expected_at=parent.expected_at,
        final_at=parent.final_at if at_the_fund else None,
    )
