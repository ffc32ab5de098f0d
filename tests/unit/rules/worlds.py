"""One ordinary transfer that every rule passes; tests change one thing at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from funds.rules import (
    AccountFacts,
    BalanceFacts,
    Decision,
    DuplicateFacts,
    Facts,
    FundFacts,
    PlaceFacts,
    RequestFacts,
    verify,
)

NOW = datetime(2026, 3, 10, 15, 0, tzinfo=UTC)  # a Tuesday, 11:00 in New York
SECOND = timedelta(seconds=1)
DAY = timedelta(days=1)

FACTS = Facts(
    request=RequestFacts(amount=50_000_00, currency="USD", now=NOW, stage="create"),
    fund=FundFacts(
        id="fund_alpha",
        name="Alpha",
        status="open",
        currency="USD",
        minimum=10_000_00,
        maximum=500_000_00,
        opens_at=NOW - 30 * DAY,
        closes_at=NOW + 30 * DAY,
        seat_limit=100,
        seats_taken=40,
        hard_cap=10_000_000_00,
        reserved=1_000_000_00,
        confirmed=2_000_000_00,
    ),
    place=PlaceFacts(),
    account=AccountFacts(status="open", currency="USD", investor_status="active"),
    balance=BalanceFacts(available=80_000_00, observed_at=NOW - 10 * SECOND),
    duplicate=DuplicateFacts(),
)


def world(**changes: Any) -> Facts:
    """The ordinary facts with some fields changed: `world(request__amount=1, kyc=KycFacts())`."""
    parts: dict[str, Any] = {}
    for name, value in changes.items():
        part, _, field = name.partition("__")
        parts[part] = replace(parts.get(part, getattr(FACTS, part)), **{field: value}) if field else value
    return replace(FACTS, **parts)


def decide(rule: str, facts: Facts, **values: Any) -> Decision:
    """The decision of one rule. Fails when the rule does not run at this stage or over these facts."""
    (decision,) = verify(facts=facts, only={rule}, parameters={rule: values} if values else None).decisions
    return decision


def ran(rule: str, facts: Facts) -> bool:
    return bool(verify(facts=facts, only={rule}).decisions)
