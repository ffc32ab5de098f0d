"""Asking the institutions for their record. Outside any transaction; what does not answer is named, not guessed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from accounts.gateway import registry as investor_side
from bridge.kernel import clock
from bridge.kernel.gateway import Activity, GatewayUnavailable, InstitutionGateway
from funds.gateway import registry as fund_side


@dataclass(slots=True)
class Record:
    """What one institution listed from `since` to before `until`, or why it did not."""

    institution: str
    asked_at: datetime
    lines: list[Activity] = field(default_factory=list)
    problem: str = ""


def institutions() -> dict[str, Callable[[str], InstitutionGateway]]:
    """Every configured institution and how to reach it. One that plays both sides is asked once."""
    found: dict[str, Callable[[str], InstitutionGateway]] = dict.fromkeys(
        fund_side.institutions(), fund_side.gateway_for
    )
    found.update(dict.fromkeys(investor_side.institutions(), investor_side.gateway_for))
    return dict(sorted(found.items()))


def ask(institution: str, *, since: datetime, until: datetime, progress: Callable[[int], None]) -> Record:
    """The institution's lines of these days. A read that fails half-way counts as no answer."""
    record = Record(institution, asked_at=clock.now())
    try:
        for line in institutions()[institution](institution).activity(since):
            if since <= line.at < until:
                record.lines.append(line)
            progress(1)
    except GatewayUnavailable as error:
        record.lines, record.problem = [], error.why or "no answer"
    return record
