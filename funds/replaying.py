"""Playing changed parameters over past transfers: what would have been decided, row by row. Reads only."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.timezone import make_aware

from bridge.kernel import ids
from bridge.kernel.errors import BridgeError
from funds.models import Verification
from funds.rulebook import UnknownRule, WrongParameters
from funds.rules.catalogue import BY_ID
from funds.rules.registry import refusals
from funds.rules.replay import Replayed, replay

CHUNK = 1000


class EmptyPeriod(BridgeError):
    code = "empty_period"
    status = 422
    title = "The period is empty"
    message = "The period ends before it begins."


@dataclass(frozen=True, slots=True)
class Row:
    """One past run of the rules, and what would have become of it."""

    transfer_id: UUID
    stage: str
    at: datetime
    amount: int
    currency: str
    result: Replayed

    def as_json(self) -> dict[str, Any]:
        result = self.result
        return {
            "transfer": ids.encode("transfer", self.transfer_id),
            "stage": self.stage,
            "at": self.at.isoformat(),
            "amount": self.amount,
            "currency": self.currency,
            "rule_before": result.before.value if result.before else None,
            "rule_after": result.after.value if result.after else None,
            "verdict_before": result.verdict_before.value,
            "verdict_after": result.verdict_after.value,
            "played": result.played,
            "reason": result.reason,
        }


@dataclass(slots=True)
class Totals:
    """How often each rule outcome became which other.

    Counted apart: `unreadable` rows, and those `unplayed` because the facts that the rule needs were not recorded.
    """

    seen: int = 0
    changed: int = 0
    verdicts_changed: int = 0
    unreadable: int = 0
    unplayed: int = 0
    moves: Counter[tuple[str, str]] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.moves = Counter()

    @property
    def played(self) -> int:
        """Of how many runs it is known what the changed values would have decided."""
        return self.seen - self.unreadable - self.unplayed


def runs(*, rule: str, begins: date, ends: date, fund_id: UUID | None = None) -> QuerySet[Verification]:
    """Past runs of the stages of this rule, for all funds or one, both days included.

    Raises `UnknownRule`, `EmptyPeriod`.
    """
    if rule not in BY_ID:
        raise UnknownRule(rule=rule, known=", ".join(BY_ID))
    if ends < begins:
        raise EmptyPeriod()
    past = Verification.objects.all() if fund_id is None else Verification.objects.filter(fund_id=fund_id)
    return past.filter(
        stage__in=BY_ID[rule].stages,
        at__gte=make_aware(datetime.combine(begins, time())),
        at__lt=make_aware(datetime.combine(ends + timedelta(days=1), time())),
    ).order_by("id")


def play(
    *,
    rule: str,
    values: dict[str, Any],
    begins: date,
    ends: date,
    totals: Totals,
    progress: Callable[[int], None] = lambda _: None,
    fund_id: UUID | None = None,
) -> Iterator[Row]:
    """Every past run, in order, with what the changed values would have decided; `totals` is filled on the way.

    Raises `UnknownRule`, `WrongParameters`, `EmptyPeriod`.
    """
    past = runs(rule=rule, begins=begins, ends=ends, fund_id=fund_id)
    if problems := refusals(rule=rule, values=values):
        raise WrongParameters(problems="; ".join(f"{name} {why}" for name, why in problems.items()))
    wanted = past.values_list("transfer_id", "stage", "at", "facts", "decisions")
    for transfer_id, stage, at, facts, decisions in wanted.iterator(chunk_size=CHUNK):
        totals.seen += 1
        if totals.seen % CHUNK == 0:
            progress(CHUNK)
        try:
            result = replay(facts=facts, decisions=decisions, rule=rule, values=values)
        except (KeyError, TypeError, ValueError):
            totals.unreadable += 1
            continue
        if not result.played:
            totals.unplayed += 1
        if result.changed:
            totals.changed += 1
            before, after = result.before, result.after
            totals.moves[before.value if before else "not run", after.value if after else "not run"] += 1
        if result.verdict_before != result.verdict_after:
            totals.verdicts_changed += 1
        request = facts["request"]
        yield Row(transfer_id, stage, at, request["amount"], request["currency"], result)
