"""An institution without delay, memory or cost: every order settles in the reply. What is measured is Bridge."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from bridge.kernel.gateway import AccountRef, Activity, Balance, InvalidCallback, Order, Outcome, Report

PLENTY = 10**14


class InstantBank:
    """`InstitutionGateway` that says yes."""

    def __init__(self, *, institution: str, base_url: str = "") -> None:
        self.institution = institution

    def submit(self, order: Order) -> Report:
        return Report(
            key=order.key,
            outcome=Outcome.SETTLED,
            institution_reference=order.reference,
            settled_amount=order.amount,
            at=datetime.now(UTC),
        )

    def find(self, key: str) -> Report:
        """It keeps nothing. A benchmark in which the engine has to ask has failed, and its count says so."""
        return Report(key=key, outcome=Outcome.UNKNOWN)

    def balance(self, account: AccountRef) -> Balance:
        return Balance(available=PLENTY, current=PLENTY, currency=account.currency, at=datetime.now(UTC))

    def activity(self, since: datetime) -> Iterable[Activity]:
        return ()

    def reading(self, payload: Mapping[str, Any]) -> Report:
        raise InvalidCallback("this bank never calls back")
