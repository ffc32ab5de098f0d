"""A difference may only mean that the bank's word did not reach us: ask it, by key, before a difference is recorded.

What it answers goes the way of every report and is posted as it happened. A statement's line changes nothing by itself,
with one exception: where we do not know whether a payment was made and its bank has forgotten the key, the settlement
account's statement that lists it is the evidence that is left. Where our own books contradict each other no bank can
tell which is right.
"""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time

from bridge.kernel.gateway import InstructionKind, Outcome, Report
from transfers.engine import calls, steps
from transfers.models import BankInstruction
from transfers.reconciliation.matching import SETTLEMENT, Difference
from transfers.states import UNANSWERED

AT_ONCE = 200
MOST = 2_000  # in one run; more differences than that have another cause, and people look first


def ask_about(differences: Iterable[Difference]) -> int:
    """Ask what became of the instructions that differ; returns how many answers told something. No transaction may be
    open."""
    theirs = [item for item in differences if item.instruction_id and not item.reference.endswith(":ledger")]
    stated = {item.instruction_id: item for item in theirs if item.institution == SETTLEMENT}
    wanted = sorted({item.instruction_id for item in theirs if item.instruction_id is not None})[:MOST]
    told = 0
    for start in range(0, len(wanted), AT_ONCE):
        by_kind: dict[str, list[BankInstruction]] = defaultdict(list)
        for row in BankInstruction.objects.filter(pk__in=wanted[start : start + AT_ONCE]).order_by("id"):
            by_kind[row.kind].append(row)
        for kind, rows in by_kind.items():
            reports = _evidence(rows, calls.find(rows), stated)
            steps.apply(InstructionKind(kind), reports)
            told += len(reports)
    return told


def _evidence(
    rows: Sequence[BankInstruction], answers: Sequence[Report], stated: Mapping[uuid.UUID | None, Difference]
) -> list[Report]:
    """What the answers tell. A bank that does not answer says nothing, and one that does not know the key only that the
    statement must decide."""
    found = []
    for row, answer in zip(rows, answers, strict=True):
        if answer.outcome == Outcome.NOT_FOUND and row.id in stated and row.state in UNANSWERED:
            found += _by_statement(row, stated[row.id])
        elif answer.outcome not in (Outcome.UNKNOWN, Outcome.NOT_FOUND):
            found.append(answer)
    return found


def _by_statement(row: BankInstruction, line: Difference) -> list[Report]:
    """The statement lists exactly what was ordered: it has settled. Another amount, or one that came back, is for two
    people."""
    if line.reference != row.key or line.theirs != row.amount:
        return []
    at = datetime.combine(line.date, time(), UTC)
    reason = "The settlement account's statement lists it; its bank has forgotten the key."
    return [Report(row.key, Outcome.SETTLED, settled_amount=row.amount, code="statement", reason=reason, at=at)]
