"""What is known about investors' accounts."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any

from django.db.models import BigIntegerField, QuerySet, UUIDField

from accounts import cache
from accounts.models import BalanceObservation, InvestorAccount
from bridge.kernel import binary, bulk, compiled, rows
from bridge.kernel.api.moments import moment
from bridge.kernel.errors import NotFound

_OBSERVED = ("id", "account_id", "available", "current", "acknowledged_before", "fetched_at")
_NEWEST = (
    f"SELECT o.* FROM unnest(%s::uuid[]) AS a(id) CROSS JOIN LATERAL (SELECT {', '.join(_OBSERVED)} "  # noqa: S608
    "FROM accounts_balanceobservation WHERE account_id = a.id ORDER BY id DESC LIMIT 1) AS o"
)


def newest_observations(account_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, BalanceObservation]:
    """The newest observation of each account that has one."""
    found = bulk.execute(_NEWEST, [binary.uuids(account_ids)]).fetchall()
    return {row.account_id: row for row in rows.found(BalanceObservation, found, _OBSERVED)}


def available(account: InvestorAccount, observation: BalanceObservation) -> int:
    """What a new transfer may use, in minor units: the institution's figure, less holds, less withdrawals that it
    had not acknowledged to us before that figure was fetched. May be negative."""
    unseen = account.withdrawals_begun - observation.acknowledged_before
    return observation.available - account.held - unseen


def accounts_of(user: Any) -> QuerySet[InvestorAccount]:
    return InvestorAccount.objects.filter(investor__user=user).select_related("investor")


_own = compiled.Tuples(
    lambda: InvestorAccount.objects.filter(
        pk=compiled.Given("account", "uuid", UUIDField()),
        investor__user=compiled.Given("user", "bigint", BigIntegerField()),
    ).values_list("pk")
)


def acts_for(user: Any, *, account_id: uuid.UUID) -> bool:
    """Whether this login acts for the investor of this account."""
    return bool(_own(account=account_id, user=user.pk))


def display_balance(account: InvestorAccount) -> dict[str, Any]:
    """A balance to look at, never to decide by: from the cache while nothing moved, else asked of the institution.

    Amounts in minor units. `observed`: what the institution said. `as_of`: when we asked. `source`: `cache` or
    `institution`. Raises `BalanceUnknown` where the institution does not answer and never did.
    """
    from accounts.observing import observe  # noqa: PLC0415  asks gateways, which queries otherwise never do

    kept = kept_balance(account.id)
    if kept is not None:
        return kept
    ticket = cache.ticket(account.id)
    seen = observe(account_ids=[account.id]).get(account.id) or newest_observations([account.id]).get(account.id)
    if seen is None:
        raise BalanceUnknown(institution=account.institution)
    fresh = InvestorAccount.objects.select_related("investor").get(pk=account.id)
    answer = {
        "owner": fresh.investor.user_id,
        "available": available(fresh, seen),
        "held": fresh.held,
        "observed": seen.available,
        "currency": fresh.currency,
        "as_of": moment(seen.fetched_at),
    }
    cache.write(account.id, answer, ticket=ticket)
    return {**answer, "source": "institution"}


def kept_balance(account_id: uuid.UUID, *, owner: int | None = None) -> dict[str, Any] | None:
    """`display_balance` where the cache has it: one look, and the database is not asked. None where it has not.

    `owner`: only for an account whose investor this login acts for. A kept balance knows whose it is; when an investor
    gets another login, it is thrown away (`accounts.forgetting`).
    """
    kept = cache.read(account_id)
    if kept is None or (owner is not None and kept.get("owner") != owner):
        return None
    return {**kept, "source": "cache"}


class BalanceUnknown(NotFound):
    code = "balance_unknown"
    status = 503
    title = "Balance not known"
    message = "{institution} does not answer, and no earlier balance is known. Try again in a minute."
