"""What is known about transfers, and who may see them."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet

from bridge.events.models import Event
from bridge.events.queries import timeline as timeline_of
from bridge.kernel.api.roles import sees_everything
from bridge.kernel.errors import NotFound
from funds.models import Verification
from transfers.models import BankInstruction, Transfer


def visible_to(user: Any) -> QuerySet[Transfer]:
    """Investors see the transfers of the investors they act for; services and people of the firm see all."""
    if sees_everything(user):
        return Transfer.objects.all()
    return Transfer.objects.filter(investor__user=user)


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
