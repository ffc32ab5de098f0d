"""Waking the engine: a message without content, to whoever listens. Losing it loses nothing, the sweep comes anyway."""

from __future__ import annotations

import logging

from celery import current_app

DRIVE = "transfers.tasks.drive"
VALID_FOR = 60  # seconds; an older wake-up has long been overtaken by the sweep

logger = logging.getLogger(__name__)


def wake() -> None:
    """Tell the engine that something is due. Never fails: a broker that is down is what the sweep is for."""
    try:
        current_app.send_task(DRIVE, expires=VALID_FOR)
    except Exception as error:
        logger.warning("the engine could not be woken, the sweep will find the work: %s", error)
