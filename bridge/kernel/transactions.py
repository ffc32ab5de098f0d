"""Where a transaction begins and what must be inside one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection, transaction

from bridge.kernel import clock, locking

# The database is away, restarts, or chose this transaction as the victim of a deadlock. Says nothing about the rows.
DATABASE_FAULTS = (OperationalError, InterfaceError)


@contextmanager
def unit_of_work() -> Iterator[datetime]:
    """The one transaction of a service. Yields its time, which every row of it carries.

    Durable: when the block ends without an error, the work is committed. Raises `RuntimeError` inside another
    transaction.
    """
    with transaction.atomic(durable=True):
        moment = clock.now()
        with clock.pinned(moment), locking.ordered():
            yield moment


def require_atomic() -> None:
    """For functions that are a part of somebody's unit of work."""
    if not connection.in_atomic_block:
        raise RuntimeError("This runs only inside a unit of work.")


def require_no_transaction() -> None:
    """For what talks to the network. The block that a test case wraps around a test does not count."""
    if any(not getattr(block, "_from_testcase", False) for block in connection.atomic_blocks):
        raise RuntimeError("No transaction may be open here: this talks to the network.")
