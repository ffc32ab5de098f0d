"""Celery tasks: wake-ups without arguments. Losing all of them loses nothing, the sweep comes anyway."""

from __future__ import annotations

from celery import shared_task


@shared_task(name="transfers.tasks.drive", ignore_result=True)
def drive() -> None:
    """Woken because something became due."""
    from transfers import waking  # noqa: PLC0415  Celery loads this module before the apps are ready
    from transfers.engine import drain  # noqa: PLC0415

    waking.woken()
    with waking.itself():
        drain()


@shared_task(name="transfers.tasks.sweep", ignore_result=True)
def sweep() -> None:
    """Woken by the clock."""
    from transfers import waking  # noqa: PLC0415
    from transfers.controls import exposure  # noqa: PLC0415
    from transfers.engine import drain  # noqa: PLC0415

    exposure.watch()
    with waking.itself():
        drain()


@shared_task(name="transfers.tasks.reconcile_yesterday", ignore_result=True)
def reconcile_yesterday() -> None:
    """Compare yesterday's books with the institutions'."""
    from transfers.reconciliation import scheduled  # noqa: PLC0415

    scheduled.reconcile_yesterday()
