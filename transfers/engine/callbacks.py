"""Stored callbacks, processed in the order of their arrival within each kind of instruction. Processing one twice
changes nothing."""

from __future__ import annotations

import logging
from collections import defaultdict

from bridge.kernel import bulk, clock, crashpoints
from bridge.kernel.crashpoints import Point
from bridge.kernel.gateway import InstructionKind, InvalidCallback, Report
from bridge.kernel.gateways import UnknownInstitution
from bridge.kernel.results import Refused
from transfers.engine import calls, steps
from transfers.models import BankInstruction, InboundCallback

logger = logging.getLogger(__name__)


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
        except Exception as error:  # a fault of the adapter: the others are read all the same
            logger.exception("callback %s of %s cannot be read", row.callback_id, row.institution)
            row.problem = f"It cannot be read: {type(error).__name__}"
    named = BankInstruction.objects.filter(bulk.Among("key", {report.key for report in reports.values()}))
    known = {key: (kind, institution) for key, kind, institution in named.values_list("key", "kind", "institution")}
    by_kind: dict[str, list[InboundCallback]] = defaultdict(list)
    for row in waiting:
        if row.id in reports:
            kind, institution = known.get(reports[row.id].key, ("", ""))
            if not kind:
                row.problem = "No instruction of ours has this key."
            elif institution != row.institution:
                logger.error("%s sent a callback about an order at %s", row.institution, institution)
                row.problem = f"The instruction with this key is at {institution}: only that bank can tell of it."
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
