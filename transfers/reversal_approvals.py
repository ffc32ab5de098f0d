"""What two people decide about our own mistakes: a posting is reversed (`posting.reverse`)."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from accounts.ledger.models import Posting
from bridge.approvals.handlers import Handler
from bridge.approvals.handlers import register as register_handler
from bridge.approvals.models import Approval
from bridge.kernel.errors import NotFound
from bridge.kernel.results import Actor
from transfers import asked
from transfers.services import reversing

REVERSE = "posting.reverse"


def _posting(posting_id: uuid.UUID) -> Posting:
    found = Posting.objects.filter(pk=posting_id).first()
    if found is None:
        raise NotFound(what="posting")
    return found


def _look_posting(posting_id: uuid.UUID) -> dict[str, Any]:
    row = _posting(posting_id)
    return {
        "row": row.row,
        "transfer": row.transfer_id and str(row.transfer_id),
        "reversed": row.reversed_by.exists(),
    }


def _validate_reverse(posting_id: uuid.UUID, payload: dict[str, Any]) -> None:
    asked.why(payload)
    error = reversing.irreversible(_posting(posting_id))
    if error is not None:
        raise error


def _reverse(approval: Approval, actor: Actor, at: datetime) -> None:
    wanted = reversing.Reversal(approval.subject_id, asked.why(approval.payload))
    asked.only(reversing.reverse_postings(reversals=[wanted], actor=actor, at=at))


def _reverse_words(posting_id: uuid.UUID, payload: dict[str, Any]) -> str:
    return f"Reverse our posting {reversing.in_words(_posting(posting_id))}"


def register() -> None:
    """Called when the app is ready."""
    register_handler(
        Handler(
            kind=REVERSE,
            subject_type="posting",
            makers=asked.MAKERS,
            checkers=asked.CHECKERS,
            look=_look_posting,
            summarize=_reverse_words,
            validate=_validate_reverse,
            carry_out=_reverse,
        )
    )
