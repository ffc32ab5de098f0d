"""What runs by the clock."""

from __future__ import annotations

from datetime import timedelta

import structlog

from bridge.kernel import clock
from bridge.kernel.results import Actor, Channel, Role
from transfers.models import ReconciliationRun
from transfers.reconciliation.running import reconcile

SCHEDULE = Actor(id="reconciliation", role=Role.SYSTEM, channel=Channel.ENGINE, label="Reconciliation")
logger = structlog.get_logger(__name__)


def reconcile_yesterday() -> ReconciliationRun:
    """Reconcile the last whole day (UTC), and say so in the log when somebody has to look."""
    run = reconcile(date=clock.now().date() - timedelta(days=1), actor=SCHEDULE)
    log = logger.warning if run.new_breaks or run.problems else logger.info
    log(
        "reconciled",
        date=run.date.isoformat(),
        matched=run.matched,
        new_breaks=run.new_breaks,
        open_breaks=run.open_breaks,
        problems=run.problems,
        unstated=run.unstated,
    )
    return run
