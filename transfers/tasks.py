"""Celery tasks: wake-ups without arguments. Losing all of them loses nothing, the sweep comes anyway."""

from __future__ import annotations

import logging

from celery import shared_task

logger = logging.getLogger(__name__)


@shared_task(name="transfers.tasks.drive", ignore_result=True)
def drive() -> None:
    """Woken because something became due."""
    from transfers.engine import drain  # noqa: PLC0415  the services import this module to wake the engine

    drain()


@shared_task(name="transfers.tasks.sweep", ignore_result=True)
def sweep() -> None:
    """Woken by the clock."""
    from transfers.engine import drain  # noqa: PLC0415

    drain()


@shared_task(name="transfers.tasks.reconcile_yesterday", ignore_result=True)
def reconcile_yesterday() -> None:
    """Compare yesterday's books with the institutions'."""
    from transfers.reconciliation import scheduled  # noqa: PLC0415

    scheduled.reconcile_yesterday()


def wake() -> None:
    """Tell the engine that something is due. Never fails: a broker that is down is what the sweep is for."""
    try:
        drive.apply_async(expires=60)
    except Exception as error:
        logger.warning("the engine could not be woken, the sweep will find the work: %s", error)
