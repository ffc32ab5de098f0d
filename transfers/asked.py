"""Reading what a maker asks two people for: payloads are JSON from a form or the API; nothing in them is believed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from bridge.approvals.models import Approval
from bridge.console.display import link
from bridge.kernel import clock, locking
from bridge.kernel.api.naming import inside
from bridge.kernel.errors import BridgeError, MalformedId, NotFound
from bridge.kernel.money import MAX_AMOUNT, is_currency
from bridge.kernel.results import Refused, Result, Role
from transfers.models import Transfer
from transfers.services.family import relatives

MAKERS = frozenset({Role.MAKER, Role.CHECKER, Role.COMPLIANCE})
CHECKERS = frozenset({Role.CHECKER, Role.COMPLIANCE})
OLDEST = timedelta(days=400)
LONGEST_WHY, LONGEST_REFERENCE = 300, 100


class AskedMalformed(BridgeError):
    code = "asked_malformed"
    status = 422
    title = "What is asked for cannot be used"
    message = "{why}"


def lock_family(transfer_id: uuid.UUID) -> None:
    """What two people see of a transfer changes only under these locks: of it and everything split off it."""
    locking.lock(Transfer.objects.only("id"), relatives([transfer_id]))


def text(payload: Mapping[str, Any], name: str, *, needed: str, longest: int = LONGEST_WHY) -> str:
    """A text that must be there; `needed` says what it is for."""
    value = payload.get(name)
    if not isinstance(value, str) or not value.strip() or len(value) > longest or "\x00" in value:
        raise AskedMalformed(why=f"'{name}' is a text of 1 to {longest} characters: {needed}")
    return value.strip()


def why(payload: Mapping[str, Any]) -> str:
    return text(payload, "why", needed="say why, and where that can be seen. It is kept for ever.")


def bank_reference(payload: Mapping[str, Any]) -> str:
    needed = "the bank's reference of the payment, as it stands on the statement."
    return text(payload, "bank_reference", needed=needed, longest=LONGEST_REFERENCE)


def amount(payload: Mapping[str, Any], *, most: int = MAX_AMOUNT) -> int:
    """Minor units."""
    value = payload.get("amount")
    if type(value) is not int or not 0 < value <= most:
        raise AskedMalformed(why=f"'amount' is a whole number of minor units from 1 to {most:,}.")
    return value


def currency(payload: Mapping[str, Any]) -> str:
    value = payload.get("currency")
    if not isinstance(value, str) or not is_currency(value):
        raise AskedMalformed(why="'currency' is an ISO 4217 code such as USD.")
    return value


def identifier(payload: Mapping[str, Any], name: str) -> uuid.UUID:
    """An id as a TypeID or uuid."""
    try:
        return inside(str(payload.get(name) or "").strip())
    except MalformedId as error:
        raise AskedMalformed(why=f"'{name}' is no id. Copy the whole of it, such as trf_… or acct_….") from error


def paid_on(payload: Mapping[str, Any], *, not_before: date | None = None) -> datetime:
    """The bank's day of a payment, as the moment that counts: noon in UTC, never later than now."""
    now = clock.now()
    try:
        day = date.fromisoformat(str(payload.get("paid_on") or ""))
    except ValueError as error:
        raise AskedMalformed(why="'paid_on' is the bank's day of the payment, such as 2026-01-31.") from error
    first = max(not_before or date.min, (now - OLDEST).date())
    if not first <= day <= now.date():
        raise AskedMalformed(why=f"'paid_on' is a day from {first} to today, {now.date()}.")
    return min(datetime.combine(day, time(12), UTC), now)


def transfer(transfer_id: uuid.UUID) -> Transfer:
    """Raises `NotFound`."""
    found = Transfer.objects.select_related("fund", "source_account").filter(pk=transfer_id).first()
    if found is None:
        raise NotFound(what="transfer")
    return found


def parties(approval: Approval) -> list[tuple[str, object]]:
    """Whose money a decision about a transfer is about, from where and to which fund, for those who decide."""
    row = Transfer.objects.select_related("source_account__investor", "fund").filter(pk=approval.subject_id).first()
    if row is None:
        return []
    account = row.source_account
    return [
        ("investor", link("accounts.investor", account.investor_id, account.investor)),
        ("account", link("accounts.investoraccount", account.pk, f"{account} at {account.institution.title()}")),
        ("fund", link("funds.fund", row.fund_id, row.fund.name)),
        ("transfer", link("transfers.transfer", row.pk, row.public_id)),
    ]


def only(results: list[Result]) -> Result:
    """What became of the one thing that two people decided; a refusal undoes the decision."""
    (result,) = results
    if isinstance(result, Refused):
        raise result.error
    return result


Look = Callable[[uuid.UUID], dict[str, Any]]
