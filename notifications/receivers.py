"""Hears what happened to transfers and writes one notification per event, inside the same transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from accounts.models import InvestorAccount
from bridge.events.models import Event
from bridge.kernel import bulk, crashpoints, ids
from bridge.kernel.transactions import require_atomic
from funds.models import Fund
from notifications.messages import Parties, house_message, message_for, notifies
from notifications.models import Notification
from transfers.models import Transfer
from transfers.signals import Announcement, operations_told, transfers_changed

_ACCOUNT: Any = Transfer._meta.get_field("source_account")
_FUND: Any = Transfer._meta.get_field("fund")


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
    names = _names([item.transfer for item in told])
    messages = [message_for(item.event.type, item.event.data, names[item.transfer.id]) for item in told]
    bulk.insert_columns(
        Notification,
        {
            "id": [ids.new_id() for _ in told],
            "event_id": [item.event.id for item in told],
            "type": [item.event.type for item in told],
            "transfer_id": [item.transfer.id for item in told],
            "investor_id": [item.transfer.investor_id for item in told],
            "fund_id": [item.transfer.fund_id for item in told],
            "audiences": [message.audiences for message in messages],
            "title": [message.title for message in messages],
            "body": [message.body for message in messages],
            "at": [item.event.at for item in told],
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
                id=ids.new_id(),
                event_id=event.id,
                type=event.type,
                audiences=[str(audience) for audience in message.audiences],
                title=message.title,
                body=message.body,
                at=event.at,
            )
        )
    bulk.insert(Notification, rows)


def _names(transfers: Sequence[Transfer]) -> dict[uuid.UUID, Parties]:
    """Who takes part in each transfer; asked of the database only where the batch did not have its rows in hand."""
    unknown = {row.source_account_id for row in transfers if not _ACCOUNT.is_cached(row)}
    accounts = _accounts(unknown) if unknown else {}
    funds = {row.fund_id: row.fund.name for row in transfers if _FUND.is_cached(row)}
    missing = {row.fund_id for row in transfers} - funds.keys()
    if missing:
        funds |= dict(Fund.objects.filter(bulk.Among("pk", missing)).values_list("pk", "name"))
    found: dict[uuid.UUID, Parties] = {}
    for row in transfers:
        if row.source_account_id in accounts:
            account, last4, investor = accounts[row.source_account_id]
        else:
            own = row.source_account
            account, last4, investor = own.name, own.number_last4, own.investor.legal_name
        found[row.id] = Parties(investor=investor, account=account, last4=last4, fund=funds[row.fund_id])
    return found


def _accounts(account_ids: set[uuid.UUID]) -> dict[uuid.UUID, tuple[str, str, str]]:
    """Per account its name, last four digits and the investor's name."""
    found = InvestorAccount.objects.filter(bulk.Among("pk", account_ids)).values_list(
        "pk", "name", "number_last4", "investor__legal_name"
    )
    return {pk: (name, last4, investor) for pk, name, last4, investor in found}
