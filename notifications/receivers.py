"""Hears what happened to transfers and writes one notification per event, inside the same transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from accounts.models import InvestorAccount
from bridge.events.models import Event
from bridge.kernel import bulk, crashpoints
from bridge.kernel.transactions import require_atomic
from funds.models import Fund
from notifications.messages import Parties, house_message, message_for, notifies
from notifications.models import Notification
from transfers.models import Transfer
from transfers.signals import Announcement, operations_told, transfers_changed


def connect() -> None:
    """Called once, when the apps are ready."""
    transfers_changed.connect(write_notifications, dispatch_uid="notifications.write_notifications")
    operations_told.connect(write_for_operations, dispatch_uid="notifications.write_for_operations")


def write_notifications(*, announcements: Sequence[Announcement], **_: Any) -> None:
    """One INSERT for the whole batch, after at most two queries for the names in it. Needs the batch's transaction."""
    require_atomic()
    told = [item for item in announcements if notifies(item.event.type)]
    if not told:
        return
    events = [item.event for item in told]
    transfers = [item.transfer for item in told]
    messages = [
        message_for(event.type, event.data, parties, by=event.actor["role"])
        for event, parties in zip(events, _parties(transfers), strict=True)
    ]
    audiences, titles, bodies = zip(*messages, strict=True)
    bulk.insert_columns(
        Notification,
        {
            "id": [event.id for event in events],
            "type": [event.type for event in events],
            "transfer_id": [row.id for row in transfers],
            "investor_id": [row.investor_id for row in transfers],
            "fund_id": [row.fund_id for row in transfers],
            "audiences": audiences,
            "title": titles,
            "body": bodies,
            "at": [event.at for event in events],
        },
    )
    crashpoints.reach(crashpoints.Point.OUTBOX_WRITTEN)


def write_for_operations(*, events: Sequence[Event], **_: Any) -> None:
    """One notification per event that is about no single transfer. Needs the transaction that wrote the events."""
    require_atomic()
    rows = []
    for event in events:
        message = house_message(event.type, event.data)
        rows.append(
            Notification(
                id=event.id,
                type=event.type,
                audiences=[str(audience) for audience in message.audiences],
                title=message.title,
                body=message.body,
                at=event.at,
            )
        )
    bulk.insert(Notification, rows)


def _parties(transfers: Sequence[Transfer]) -> list[Parties]:
    """Who takes part in each transfer; asked of the database only where the batch did not have its rows in hand."""
    at_hand = [row._state.fields_cache for row in transfers]
    strange = [row for row, known in zip(transfers, at_hand, strict=True) if "source_account" not in known]
    accounts = _accounts({row.source_account_id for row in strange}) if strange else {}
    strange = [row for row, known in zip(transfers, at_hand, strict=True) if "fund" not in known]
    funds = _funds({row.fund_id for row in strange}) if strange else {}
    found = []
    for row, known in zip(transfers, at_hand, strict=True):
        fund = known["fund"].name if "fund" in known else funds[row.fund_id]
        if "source_account" in known:
            own = known["source_account"]
            found.append(Parties(own.investor.legal_name, own.name, own.number_last4, fund))
        else:
            account, last4, investor = accounts[row.source_account_id]
            found.append(Parties(investor, account, last4, fund))
    return found


def _funds(fund_ids: set[uuid.UUID]) -> dict[uuid.UUID, str]:
    return dict(Fund.objects.filter(bulk.Among("pk", fund_ids)).values_list("pk", "name"))


def _accounts(account_ids: set[uuid.UUID]) -> dict[uuid.UUID, tuple[str, str, str]]:
    """Per account its name, last four digits and the investor's name."""
    found = InvestorAccount.objects.filter(bulk.Among("pk", account_ids)).values_list(
        "pk", "name", "number_last4", "investor__legal_name"
    )
    return {pk: (name, last4, investor) for pk, name, last4, investor in found}
