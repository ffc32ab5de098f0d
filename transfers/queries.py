"""What is known about transfers, and who may see them."""

from __future__ import annotations

import uuid
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Any

from django.db.models import QuerySet

from accounts.models import Investor
from bridge.events.models import Event
from bridge.events.queries import timeline as timeline_of
from bridge.kernel import clock, ids
from bridge.kernel.api.roles import sees_everything
from bridge.kernel.errors import NotFound
from funds.models import Verification
from transfers.models import BankInstruction, Transfer
from transfers.states import OPEN

SKEW = timedelta(hours=1)  # between the clock that made an id and the database's, at most


def visible_to(user: Any) -> QuerySet[Transfer]:
    """Investors see the transfers of the investors they act for; services and people of the firm see all."""
    if sees_everything(user):
        return Transfer.objects.all()
    # Named, not joined: one investor's transfers are read in their order, however many others there are.
    owners = list(Investor.objects.filter(user=user).values_list("pk", flat=True))
    if len(owners) == 1:
        return Transfer.objects.filter(investor_id=owners[0])
    return Transfer.objects.filter(investor_id__in=owners)


def listed(
    user: Any,
    *,
    states: Collection[str] | None = None,
    after: datetime | None = None,
    before: datetime | None = None,
    **given: Any,
) -> QuerySet[Transfer]:
    """Those of `visible_to` that are in these states, were created between these moments, and have these values.

    Neither states nor times of creation have an index. What is open is found by its work, and a time is an id.
    """
    found = visible_to(user).filter(**given)
    if states is not None:
        found = found.filter(state__in=states)
        if set(states) <= set(OPEN):
            found = found.filter(work__isnull=False)
    if after is not None:
        # A sandbox's clock was never further ahead than now, so its ids are not older than that.
        found = found.filter(created_at__gt=after, pk__gte=ids.first_at(after, later=-clock.ahead() - SKEW))
    if before is not None:
        found = found.filter(created_at__lt=before, pk__lt=ids.first_at(before, later=SKEW))
    return found


def get_for(user: Any, transfer_id: uuid.UUID) -> Transfer:
    """Raises `NotFound`, the same for an unknown transfer and somebody else's."""
    found = visible_to(user).filter(pk=transfer_id).first()
    if found is None:
        raise NotFound(what="transfer")
    return found


def legs(transfer: Transfer) -> QuerySet[BankInstruction]:
    """Its bank instructions, oldest first."""
    return transfer.instructions.order_by("id")


def decisions(transfer: Transfer) -> list[dict[str, Any]]:
    """Of its latest verification."""
    latest = Verification.objects.filter(transfer_id=transfer.id).order_by("-id").first()
    return latest.decisions if latest else []


def timeline(transfer: Transfer) -> QuerySet[Event]:
    """Everything that happened to it, oldest first."""
    return timeline_of(subject_type="transfer", subject_id=transfer.id)
