"""One transfer that cannot be worked on does not hold up the others: it is found, and people are told."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Sequence

from bridge.kernel.results import ENGINE
from bridge.kernel.transactions import DATABASE_FAULTS
from transfers import services
from transfers.models import Transfer
from transfers.states import ENGINE_FAULT

logger = logging.getLogger(__name__)


def isolated(ids: Sequence[uuid.UUID], handler: Callable[[Sequence[uuid.UUID]], None]) -> None:
    """Run a batch; when it fails, halve it until the poisoned transfer stands alone, and block that one.

    A database that is away, or that chose this transaction as the victim of a deadlock, says nothing about any
    transfer: that goes up, and the work is due again when its lease is over.
    """
    try:
        handler(ids)
    except DATABASE_FAULTS:
        raise
    except Exception as error:
        if len(ids) > 1:
            logger.warning("a batch of %d failed (%s), halving it", len(ids), error)
            middle = len(ids) // 2
            isolated(ids[:middle], handler)
            isolated(ids[middle:], handler)
            return
        logger.exception("transfer %s cannot be worked on", ids[0])
        set_aside(ids[0], type(error).__name__)


def set_aside(transfer_id: uuid.UUID, fault: str) -> None:
    """Block it until people have looked; one that is blocked so already is looked at again in a minute."""
    row = Transfer.objects.filter(pk=transfer_id).values_list("blocker_code", flat=True).first()
    if row == ENGINE_FAULT:
        services.postpone_work(transfer_ids=[transfer_id], seconds=60)
        return
    message = f"Bridge could not work on this transfer ({fault}). Engineers have the details in the log."
    services.block_transfers(transfer_ids=[transfer_id], code=ENGINE_FAULT, message=message, actor=ENGINE)
