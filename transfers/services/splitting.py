"""Part of a transfer's money goes on as a transfer of its own: a child, in the same place, of the same family."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db import connection

from accounts.ledger import rows
from accounts.ledger.kinds import Kind
from bridge.kernel import ids
from bridge.kernel.transactions import require_atomic
from transfers.models import Transfer
from transfers.services.batch import Batch
from transfers.states import NextStep, State, Step

SPLITTABLE = (State.WITHDRAWN, State.COMPLETED)

_FAMILIES = """
    WITH RECURSIVE family AS (
        SELECT t.id FROM transfers_transfer AS t
        WHERE t.id IN (SELECT family_id FROM transfers_transfer WHERE id = ANY(%s::uuid[]))
        UNION
        SELECT c.id FROM transfers_transfer AS c JOIN family AS f ON c.split_from_id = f.id
    )
    SELECT id FROM family
"""


def split(batch: Batch, parent: Transfer, *, amount: int, reason: str) -> Transfer:
    """X1: `amount` (minor units) of the parent becomes a child in the same state; the parent keeps the rest.

    In `withdrawn` the child has no place and is refunded next; the parent's place shrinks with its amount. In
    `completed` the child takes its part of the confirmed place with it and rests there, to be recalled.

    Needs a unit of work that has locked the parent and its place. Raises `ValueError` outside those states and for
    what is no part of the amount.
    """
    require_atomic()
    if parent.state not in SPLITTABLE:
        raise ValueError(f"a transfer that is {parent.state} cannot be split")
    if not 0 < amount < parent.amount:
        raise ValueError(f"{amount} is no part of {parent.amount}")
    assert batch.places is not None
    child = _child(batch, parent, amount)
    parent.amount -= amount
    at_the_fund = parent.state == State.COMPLETED
    kind = Kind.CASH if at_the_fund else Kind.CLEARING
    if at_the_fund:
        batch.places.share(transfer_id=parent.id, child_id=child.id, amount=amount, at=batch.at)
    elif batch.places.reserved_for(parent.id):
        batch.places.resize(parent.id, parent.amount)
    batch.post(rows.split(batch.parties(parent, None), child_id=child.id, amount=amount, kind=kind))
    batch.note(parent, "transfer.split", child=child.id, amount_split=amount, reason=reason)
    batch.bear(child)
    batch.note(child, "transfer.split_off", parent=parent.id, next_step=child.next_step, reason=reason)
    if not at_the_fund:
        batch.schedule(child, Step.REFUND, batch.at)
    return child


def family_of(transfer_ids: Iterable[uuid.UUID]) -> set[uuid.UUID]:
    """The ids of these transfers and of all that share a split family with them."""
    with connection.cursor() as cursor:
        cursor.execute(_FAMILIES, [list(transfer_ids)])
        return {row[0] for row in cursor.fetchall()}


def _child(batch: Batch, parent: Transfer, amount: int) -> Transfer:
    """It shares its parent's turn in the account's order: it withdraws nothing, so it never waits for one."""
    at_the_fund = parent.state == State.COMPLETED
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
        state=parent.state,
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
        completed_at=parent.completed_at,
        ended_at=parent.ended_at,
        expected_at=parent.expected_at,
        final_at=parent.final_at,
    )
