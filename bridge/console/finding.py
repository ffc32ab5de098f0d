"""Search by id: a TypeID or a uuid finds rows by index, before any text is compared."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from bridge.kernel import ids
from bridge.kernel.errors import MalformedId

_KINDS = {prefix: kind for kind, prefix in ids.PREFIXES.items()}

# Where a row of a kind has its page.
PAGES = {
    "transfer": "transfers_transfer",
    "instruction": "transfers_bankinstruction",
    "break": "transfers_break",
    "account": "accounts_investoraccount",
    "investor": "accounts_investor",
    "fund": "funds_fund",
    "allocation": "funds_allocation",
    "reservation": "funds_reservation",
    "verification": "funds_verification",
    "posting": "ledger_posting",
    "event": "events_event",
    "notification": "notifications_notification",
    "approval": "approvals_approval",
    "closing": "funds_closing",
    "receipt": "transfers_receipt",
    "movement": "transfers_floatmovement",
}


def typeid(text: str) -> tuple[str, uuid.UUID] | None:
    """The kind and uuid of a TypeID, or nothing."""
    prefix = text.strip().lower().partition("_")[0]
    kind = _KINDS.get(prefix)
    if kind is None:
        return None
    try:
        return kind, ids.decode(kind, text.strip().lower())
    except MalformedId:
        return None


def columns_for(text: str, columns: Mapping[str, str]) -> dict[str, uuid.UUID] | None:
    """Which columns must equal which uuid, when the text is an id: `{}` for an id that this list cannot know.

    `columns` maps kinds of TypeIDs to columns. A bare uuid is looked for in all of them.
    """
    found = typeid(text)
    if found is not None:
        kind, value = found
        return {columns[kind]: value} if kind in columns else {}
    try:
        value = uuid.UUID(text.strip())
    except ValueError:
        return None
    return dict.fromkeys(columns.values(), value)
