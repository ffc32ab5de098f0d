from __future__ import annotations

from typing import Any

from bridge.events import queries
from bridge.kernel import invariants


def register() -> None:
    invariants.register(
        invariants.Invariant(name="I10", promise="The event chain and its seals verify.", check=_audit),
    )


def _audit() -> list[dict[str, Any]]:
    rows = []
    for fault in queries.audit_faults():
        rows.append(fault.as_row())
        if len(rows) > invariants.SHOWN:
            break
    return rows
