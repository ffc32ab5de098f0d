"""Gathering what only a bank can tell: the one step that may ask it, outside any transaction.

Services take the result; they read everything else under their own locks.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from accounts.models import BalanceObservation, InvestorAccount
from accounts.observing import observe
from accounts.queries import newest_observations
from bridge.kernel import binary, bulk, clock, rows
from transfers.controls import circuits
from transfers.policy import LAYERS, resolved


@dataclass(frozen=True, slots=True)
class Facts:
    """The newest balance of each account as its institution gave it. An account that is missing is not known.

    `unkept`: those that were asked for just now and are to be stored with what is done on their strength.
    """

    observations: dict[uuid.UUID, BalanceObservation] = field(default_factory=dict)
    unkept: Sequence[BalanceObservation] = ()


def gather(*, account_ids: Iterable[uuid.UUID], max_age: int) -> Facts:
    """Balances at most `max_age` seconds old, asked once per account where what we have is older.

    An institution that does not answer leaves us with what we have; the rules judge its age.
    """
    wanted = set(account_ids)
    return Facts(_fresh(wanted, newest_observations(wanted), clock.now(), timedelta(seconds=max_age)))


def gather_for_requests(account_ids: Iterable[uuid.UUID], *, keep: bool = True) -> Facts:
    """`gather` by the age that the parameters allow for requests: these, the time, the circuits and the balances that
    we have in one statement. Without `keep` what an institution says now is `unkept`."""
    wanted = set(account_ids)
    first, *found = bulk.execute(_BEFORE, [clock.given(), binary.uuids(wanted)]).fetchall()
    moment, layers_text, ailing_text, *_ = first
    newest = rows.found(BalanceObservation, [row[3:] for row in found])
    known = {row.account_id: row for row in newest}
    age = resolved(LAYERS.read(layers_text)).balance_age_create
    ailing: dict[str, bool] = dict(json.loads(ailing_text or "[]"))
    observations = _fresh(wanted, known, moment, timedelta(seconds=age), ailing, keep=keep)
    asked = [] if keep else [row for row in observations.values() if row is not known.get(row.account_id)]
    return Facts(observations, asked)


def _fresh(
    wanted: set[uuid.UUID],
    known: dict[uuid.UUID, BalanceObservation],
    moment: datetime,
    age: timedelta,
    ailing: dict[str, bool] | None = None,
    *,
    keep: bool = True,
) -> dict[uuid.UUID, BalanceObservation]:
    """`ailing` as `circuits.ailing` has just said."""
    oldest = moment - age
    stale = [account_id for account_id in wanted if account_id not in known or known[account_id].fetched_at < oldest]
    if not stale:
        return known
    ailing = circuits.ailing() if ailing is None else ailing
    shut = [institution for institution, is_open in ailing.items() if is_open]
    if shut:  # who does not answer is not asked
        silent = InvestorAccount.objects.filter(bulk.Among("pk", stale), institution__in=shut)
        stale = sorted(set(stale) - set(silent.values_list("pk", flat=True)))
    if stale:
        heard: dict[str, list[bool]] = {}
        known = {**known, **observe(account_ids=stale, at=moment, heard=heard, keep=keep)}
        circuits.heard(heard, known=ailing)
    return known


_OBSERVED = rows.names(BalanceObservation)
_BEFORE = f"""
    WITH clock AS (SELECT {clock.SQL} AS at)
    SELECT at, {LAYERS.sql},
    (SELECT json_agg(json_build_array(institution, is_open)) FROM ({circuits.AILING}) AS c)::text,
    {", ".join("NULL" for _ in _OBSERVED)} FROM clock
    UNION ALL
    SELECT NULL, NULL, NULL, {", ".join(f"o.{name}" for name in _OBSERVED)}
    FROM unnest(%s::uuid[]) AS a(id) CROSS JOIN LATERAL (
        SELECT * FROM accounts_balanceobservation WHERE account_id = a.id ORDER BY id DESC LIMIT 1
    ) AS o
"""  # noqa: S608 our own text
