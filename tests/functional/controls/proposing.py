"""What tests of the controls do again and again."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.approvals.services import Proposal
from bridge.kernel.results import Change, Done, Result
from tests.world import CHECKER, MAKER
from transfers.controls.changing import CHANGE, payload_of
from transfers.parameters import Scope


def propose(
    scope: Scope, *, why: str = "As agreed.", effective_from: datetime | None = None, **values: Any
) -> Approval:
    payload = payload_of(scope=scope, values=values, why=why, effective_from=effective_from)
    return approvals.propose(proposal=Proposal(CHANGE, scope.id, payload), actor=MAKER)


def agree(asked: Approval) -> Result:
    (result,) = approvals.approve(changes=[Change(asked.id)], actor=CHECKER)
    return result


def put_in_force(scope: Scope = Scope(), **given: Any) -> None:  # noqa: B008 frozen
    """Two people set these values."""
    result = agree(propose(scope, **given))
    assert isinstance(result, Done), result
