"""What must always be true of approvals: nobody changed one past the services, neither the question nor the answer."""

from __future__ import annotations

from typing import Any

from bridge.approvals.models import Approval
from bridge.approvals.rows import bound_hash
from bridge.events.telling import untold
from bridge.kernel.invariants import SHOWN, Invariant
from bridge.kernel.invariants import register as register_invariants

TOLD = untold(
    table="approvals_approval",
    subject="approval",
    state="r.state",
    more="(e.data ->> 'hash', e.data ->> 'kind', e.data ->> 'subject')"
    " IS DISTINCT FROM (r.bound_hash, r.kind, r.subject_id::text)",
)

# Who asked and who decided wrote so in the log. The request of a review is written by whoever moved the transfer to it;
# its maker is who asked for the transfer.
PEOPLE = """
    SELECT r.id AS approval, r.kind, r.maker, a.id AS asked, r.checker, d.id AS decided
    FROM approvals_approval AS r
    LEFT JOIN LATERAL (
        SELECT actor ->> 'id' AS id FROM events_event
        WHERE subject_type = 'approval' AND subject_id = r.id AND seq = 1
    ) AS a ON true
    LEFT JOIN LATERAL (
        SELECT actor ->> 'id' AS id FROM events_event
        WHERE subject_type = 'approval' AND subject_id = r.id ORDER BY seq DESC LIMIT 1
    ) AS d ON true
    WHERE r.kind <> 'transfer.review' AND r.maker IS DISTINCT FROM a.id
    OR r.state IN ('approved', 'rejected') AND (r.checker IS DISTINCT FROM d.id OR r.checker = r.maker)
"""


def agreed(table: str, kinds: str) -> str:
    """SQL for the rows of `table` that two people are said to have put in force without their approval being there.

    `kinds` is SQL over `r` for the kind that the approval must be of.
    """
    return f"""
        SELECT r.id, r.approval_id AS approval, r.made_by, r.approved_by, a.maker, a.checker, a.state
        FROM {table} AS r LEFT JOIN approvals_approval AS a ON a.id = r.approval_id
        WHERE (a.state, a.kind, a.maker, a.checker) IS DISTINCT FROM ('approved', {kinds}, r.made_by, r.approved_by)
    """  # noqa: S608 names of our own tables


def _unbound() -> list[dict[str, Any]]:
    rows = []
    for row in Approval.objects.order_by("pk").iterator(chunk_size=2000):
        if bound_hash(row.kind, row.subject_id, row.payload, row.seen) != row.bound_hash:
            rows.append(
                {"approval": row.pk, "kind": row.kind, "state": row.state, "wrong": "is not what was asked for"}
            )
        if len(rows) > SHOWN:
            break
    return rows


def register() -> None:
    register_invariants(
        Invariant("I7 approvals", "Each approval is as its last event says, and each is still there.", TOLD),
        Invariant("I7 approvals people", "Who asked and who decided are two people, and those of the log.", PEOPLE),
        Invariant("I7 approvals bound", "Each approval's payload is the one that was asked for.", check=_unbound),
    )
