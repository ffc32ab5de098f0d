"""Stored callbacks, processed in the order of their arrival within each kind of instruction. Processing one twice
changes nothing."""

from __future__ import annotations

from collections import defaultdict

from bridge.kernel import bulk, clock, crashpoints
from bridge.kernel.crashpoints import Point
from bridge.kernel.gateway import InstructionKind, InvalidCallback, Report
from bridge.kernel.gateways import UnknownInstitution
from bridge.kernel.results import Refused
from transfers.engine import calls, steps
from transfers.models import BankInstruction, InboundCallback


def process(*, limit: int) -> int:
    """Apply up to `limit` waiting callbacks; returns how many there were."""
    waiting = list(InboundCallback.objects.filter(processed_at__isnull=True).order_by("id")[:limit])
    if not waiting:
        return 0
    crashpoints.reach(Point.CALLBACK_ACKNOWLEDGED)
    reports: dict[int, Report] = {}
    for row in waiting:
        try:
            reports[row.id] = calls.gateway_at(row.institution).reading(row.body)
        except (InvalidCallback, UnknownInstitution) as error:
            row.problem = f"It cannot be read: {error}"[:300]
    kinds = dict(
        BankInstruction.objects.filter(bulk.Among("key", {report.key for report in reports.values()})).values_list(
            "key", "kind"
        )
    )
    by_kind: dict[str, list[InboundCallback]] = defaultdict(list)
    for row in waiting:
        if row.id in reports:
            kind = kinds.get(reports[row.id].key)
            if kind is None:
                row.problem = "No instruction of ours has this key."
            else:
                by_kind[kind].append(row)
    for kind, rows in by_kind.items():
        _apply(InstructionKind(kind), rows, reports)
    crashpoints.reach(Point.CALLBACK_APPLIED)
    moment = clock.now()
    for row in waiting:
        row.processed_at = moment
    bulk.update(InboundCallback, waiting, fields=["processed_at", "problem"])
    crashpoints.reach(Point.CALLBACK_MARKED)
    return len(waiting)


def _apply(kind: InstructionKind, rows: list[InboundCallback], reports: dict[int, Report]) -> None:
    results = steps.apply(kind, [reports[row.id] for row in rows])  # while the database is away they stay waiting
    for row, result in zip(rows, results, strict=True):
        if isinstance(result, Refused):
            row.problem = str(result.error)[:300]
