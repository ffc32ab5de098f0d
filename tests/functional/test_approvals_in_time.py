"""A decision is for so long, also where nobody has swept what is over."""

from __future__ import annotations

from datetime import timedelta

import pytest

from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.approvals.rows import VALID_FOR
from bridge.approvals.services import ApprovalClosed, Proposal
from bridge.kernel.results import Change, Done, Refused
from funds import rulebook
from funds.models import RuleParameters
from tests.functional.conftest import bridge
from tests.world import CHECKER, MAKER, World
from transfers import facts, services
from transfers.models import Transfer

__all__ = ["bridge"]


def asked() -> tuple[RuleParameters, Approval]:
    row = rulebook.draft_parameters(draft=rulebook.Draft("velocity", {"max_count_day": 3}), actor=MAKER)
    return row, approvals.propose(proposal=Proposal(rulebook.ACTIVATE, row.id, {}, "x"), actor=MAKER)


@pytest.mark.parametrize("decide", [approvals.approve, approvals.reject])
def test_what_is_over_cannot_be_decided_any_more(bridge: World, decide: object) -> None:
    row, approval = asked()
    bridge.advance(seconds=VALID_FOR.total_seconds())
    (result,) = decide(changes=[Change(approval.id)], actor=CHECKER)  # type: ignore[operator]
    assert isinstance(result, Refused)
    assert isinstance(result.error, ApprovalClosed)
    row.refresh_from_db()
    approval.refresh_from_db()
    assert (row.state, approval.state, approval.checker) == ("draft", "expired", "")


def test_the_last_moment_is_in_time(bridge: World) -> None:
    _, approval = asked()
    bridge.advance(seconds=(VALID_FOR - timedelta(seconds=1)).total_seconds())
    (result,) = approvals.approve(changes=[Change(approval.id)], actor=CHECKER)
    assert isinstance(result, Done)


@pytest.mark.parametrize("by_approval", [True, False])
def test_a_review_that_is_over_cannot_be_allowed_any_more(bridge: World, by_approval: bool) -> None:
    transfer = bridge.request(bridge.account(), bridge.fund(), 1_000_000)
    services.hold_transfers(changes=[Change(transfer.id)], actor=MAKER)
    until = Transfer.objects.get(pk=transfer.pk).expires_at
    assert until is not None
    bridge.advance(days=30)
    if by_approval:
        review = Approval.objects.get(subject_id=transfer.id)
        (result,) = approvals.approve(changes=[Change(review.id)], actor=CHECKER)
    else:
        known = facts.gather(account_ids=[transfer.source_account_id], max_age=300)
        found = services.approve_transfers(changes=[Change(transfer.id)], actor=CHECKER, facts=known)
        assert isinstance(found, list)
        (result,) = found
    assert isinstance(result, Refused)
    assert result.error.code == "time_is_over"
    assert f"{until:%Y-%m-%d %H:%M} UTC" in str(result.error)
    services.expire_transfers(transfer_ids=[transfer.id], actor=CHECKER)
    assert bridge.fresh(transfer).state == "expired"
