"""Hears what happened to transfers and writes one notification per event, inside the same transaction."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

from accounts.models import InvestorAccount
from bridge.kernel import bulk, ids
from bridge.kernel.transactions import require_atomic
from funds.models import Fund
from notifications.messages import Parties, message_for, notifies
from notifications.models import Notification
from transfers.signals import Announcement, transfers_changed


def connect() -> None:
    """Called once, when the apps are ready."""
    transfers_changed.connect(write_notifications, dispatch_uid="notifications.write_notifications")


def write_notifications(*, announcements: Sequence[Announcement], **_: Any) -> None:
    """One INSERT for the whole batch, after two queries for all names in it. Needs the batch's transaction."""
    require_atomic()
    told = [item for item in announcements if notifies(item.event.type)]
    if not told:
        return
    accounts = _accounts({item.transfer.source_account_id for item in told})
    funds = dict(Fund.objects.filter(pk__in={item.transfer.fund_id for item in told}).values_list("pk", "name"))
    bulk.insert(Notification, [_notification(item, accounts, funds) for item in told])


def _notification(
    item: Announcement, accounts: dict[uuid.UUID, tuple[str, str, str]], funds: dict[uuid.UUID, str]
) -> Notification:
    event, transfer = item.event, item.transfer
    name, last4, investor = accounts[transfer.source_account_id]
    parties = Parties(investor=investor, account=name, last4=last4, fund=funds[transfer.fund_id])
    message = message_for(event.type, event.data, parties)
    return Notification(
        id=ids.new_id(),
        event_id=event.id,
        type=event.type,
        transfer_id=transfer.id,
        investor_id=transfer.investor_id,
        fund_id=transfer.fund_id,
        audiences=[str(audience) for audience in message.audiences],
        title=message.title,
        body=message.body,
        at=event.at,
    )


def _accounts(account_ids: set[uuid.UUID]) -> dict[uuid.UUID, tuple[str, str, str]]:
    """Per account its name, last four digits and the investor's name."""
    rows = InvestorAccount.objects.filter(pk__in=account_ids).values_list(
        "pk", "name", "number_last4", "investor__legal_name"
    )
    return {pk: (name, last4, investor) for pk, name, last4, investor in rows}
