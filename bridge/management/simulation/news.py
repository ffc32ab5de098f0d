"""(c) A callback that counts as applied is in the books: no crash loses news that a bank was told we have.

Looked at after every action, because asking by key repairs most of it later, and a bank asked about a difference says
everything once more: at the end only what no question would ever find is still missing.
"""

from __future__ import annotations

from bridge.kernel.gateway import InstructionKind, Outcome, Report
from bridge.management.simulation.run import Run
from bridge.sandbox.client import read_callback
from transfers.models import BankInstruction, InboundCallback
from transfers.states import LIVE, UNANSWERED


def look_at_what_was_applied(run: Run) -> None:
    """Each callback once, as soon as it counts as applied without a problem."""
    rows = InboundCallback.objects.filter(processed_at__isnull=False, problem="").exclude(pk__in=run.news)
    reports = {row.pk: read_callback(row.body) for row in rows.order_by("pk")}
    if not reports:
        return
    run.news |= reports.keys()
    orders = {
        order.key: order for order in BankInstruction.objects.filter(key__in={item.key for item in reports.values()})
    }
    for report in reports.values():
        order = orders.get(report.key)
        if order is None or not _is_in(order, report):
            known = "in no row" if order is None else f"{order.state} here"
            what = f"{report.key} is {known}, and the bank told us '{report.outcome}'"
            run.violate("c: a callback that counts as applied is in the books", what)


def _is_in(order: BankInstruction, report: Report) -> bool:
    """Whether we know at least what this report says; later ones may have said more."""
    if report.outcome == Outcome.ACKNOWLEDGED:
        return order.state not in UNANSWERED
    if order.state in LIVE:
        return False
    if order.kind == InstructionKind.RECALL:
        return True
    known = order.settled_amount, order.fee, order.returned_amount, order.return_fee
    said = report.settled_amount, report.fee, report.returned_amount, report.return_fee
    return all(have >= told for have, told in zip(known, said, strict=True))
