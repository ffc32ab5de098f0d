"""Money that the law blocks: it has no deadline, and nothing is refunded by itself."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import datetime

from accounts.ledger import rows
from bridge.kernel import binary, bulk, idempotency
from bridge.kernel.errors import WrongState
from bridge.kernel.results import Actor, Change, Done, Result
from bridge.kernel.transactions import require_atomic
from funds.rules.screening import MUST_FREEZE
from transfers.blockers import Deed
from transfers.models import Transfer
from transfers.services import deciding
from transfers.services.batch import Batch
from transfers.services.causes import Cause, Why
from transfers.services.following import follow
from transfers.services.requesting import Render
from transfers.states import State, Step

_FROZEN_KIN = "Other money of the same transfer is frozen, so this must be frozen, too."

# A release lets go what was known when two people of compliance decided: not a later hit, nor a later freeze.
_BLOCKED = """
    SELECT t.id, hit.at IS NOT NULL
    FROM transfers_transfer AS t
    CROSS JOIN LATERAL (
        SELECT max(p.updated_at) AS at FROM accounts_complianceprofile AS p
        WHERE p.investor_id = t.investor_id AND p.sanctions = 'true_hit'
    ) AS hit
    CROSS JOIN LATERAL (
        SELECT max(k.blocked_at) AS at FROM transfers_transfer AS k
        WHERE k.state = 'frozen' AND (k.id = t.family_id OR k.family_id = t.family_id AND k.split_from_id IS NOT NULL)
    ) AS kin
    CROSS JOIN LATERAL (
        SELECT max(e.at) AS at FROM events_event AS e
        WHERE e.subject_type = 'transfer' AND e.subject_id = t.id AND e.type = 'transfer.unfrozen'
    ) AS released
    WHERE t.id = ANY(%s::uuid[])
        AND greatest(hit.at, kin.at) > coalesce(released.at, '-infinity')
"""


def blocked(transfer_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, str]:
    """Which of these transfers the law forbids to pay out, and why: their investor is on a sanctions list, or a part of
    their family is frozen. What compliance has released since is not among them.

    Source: 31 CFR § 501.603, blocked property is held.
    """
    found = bulk.execute(_BLOCKED, [binary.uuids(transfer_ids)]).fetchall()
    return {transfer_id: MUST_FREEZE if hit else _FROZEN_KIN for transfer_id, hit in found}


def freeze_transfers(
    *, changes: Sequence[Change], actor: Actor, key: idempotency.Key | None = None, render: Render | None = None
) -> list[Result] | idempotency.Answer:
    """Compliance blocks money in clearing at once; the place in the fund is given back, without a sign to the
    investor, and Z1 posted.

    Refused: `NotFound`, `StaleVersion`, `WrongState` outside `withdrawn`, `NotAllowed` for another role. `key` and
    `render` as in `cancel_transfers`.
    """

    def block(batch: Batch, transfer: Transfer, change: Change) -> Result:
        freeze(batch, transfer, change.reason or "Blocked by compliance.")
        return Done(transfer.id, str(transfer.state), transfer.version)

    return deciding.decided(changes, actor, block, deed=Deed.FREEZE, verb="frozen", key=key, render=render)


def freeze(batch: Batch, transfer: Transfer, reason: str) -> None:
    """Z1, inside somebody's unit of work that has locked the transfer and its place."""
    assert batch.places is not None
    batch.places.release(transfer.id, quietly=True)
    batch.post(rows.frozen(batch.parties(transfer, None), amount=transfer.amount))
    transfer.freeze(at=batch.at, reason=reason[:400])
    batch.note(transfer, "transfer.frozen", reason=reason[:400])
    batch.schedule(transfer, Step.BLOCKED, None)


def unfreeze(*, transfer_id: uuid.UUID, reason: str, actor: Actor, at: datetime) -> None:
    """Z2, after two people of compliance decided. What becomes of the money is decided next: retry or refund.

    An open advance of the family is repaid first. Raises `WrongState`. Locks the family and its places inside the
    caller's transaction.
    """
    require_atomic()
    batch = Batch(actor=actor, at=at)
    row = batch.lock_families([transfer_id]).get(transfer_id)
    if row is None or row.state != State.FROZEN:
        raise WrongState(state=row.state if row else "unknown", verb="released")
    kin = batch.family_of(row)
    batch.lock_places_of_families(kin)
    frozen = batch.load_books(kin).of(row.id).frozen
    batch.post(rows.unfrozen(batch.parties(row, None), amount=frozen))
    follow(batch, row, Cause(Why.UNFROZEN, reason=reason[:200]))
    batch.save()
