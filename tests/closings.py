"""Closing funds in tests: asking, agreeing, and a fund with a transfer in every state that matters."""

from __future__ import annotations

from typing import Any

from bridge.approvals import services as approvals
from bridge.approvals.models import Approval
from bridge.approvals.services import Proposal
from bridge.kernel.results import ENGINE, Actor, Change, Channel, Done, Role
from bridge.sandbox.model import Fault
from funds.models import Allocation, Closing, Fund
from funds.services import set_fund_status
from tests.world import CHECKER, HARBOR, MAKER, World
from transfers import services
from transfers.closing import PlanKind, Terms
from transfers.closing_approvals import kind_of, payload_of
from transfers.closing_overview import plan_closing
from transfers.models import Transfer

COMPLIANCE = Actor("compliance-login", Role.COMPLIANCE, Channel.ADMIN)
CUT = Terms(PlanKind.CUT_BACK, target=2_000_000)
SETTLE, RETURN_ALL = Terms(PlanKind.SETTLE), Terms(PlanKind.RETURN_ALL)


def freeze_requests(fund: Fund) -> None:
    set_fund_status(changes=[Change(fund.id)], status="closing", actor=CHECKER)


def ask(fund: Fund, terms: Terms, *, actor: Actor = MAKER) -> Approval:
    plan = plan_closing(fund_id=fund.id, terms=terms)
    payload = payload_of(terms, plan.hash)
    return approvals.propose(proposal=Proposal(kind_of(terms.kind), fund.id, payload, "As agreed."), actor=actor)


def agree(approval: Approval, *, actor: Actor = CHECKER) -> Any:
    (result,) = approvals.approve(changes=[Change(approval.id, reason="Agreed.")], actor=actor)
    return result


def carried_out(fund: Fund, terms: Terms) -> Closing:
    """Asked for, agreed to, and all done that can be done at once."""
    return begun(fund, terms, work=True)


def begun(fund: Fund, terms: Terms, *, work: bool = False) -> Closing:
    """Agreed to, and nothing done yet."""
    approval = ask(fund, terms)
    result = agree(approval)
    assert isinstance(result, Done), result
    found = Closing.objects.get(approval_id=approval.id)
    if work:
        services.continue_closings(actor=ENGINE)
    found.refresh_from_db()
    return found


def states(*transfers: Transfer) -> list[str]:
    found = Transfer.objects.in_bulk([row.id for row in transfers])
    return [str(found[row.id].state) for row in transfers]


def child_of(transfer: Transfer) -> Transfer:
    return Transfer.objects.get(split_from=transfer)


def place(transfer: Transfer) -> tuple[int, int]:
    row = Allocation.objects.get(fund=transfer.fund, investor=transfer.investor)
    return row.reserved, row.confirmed


class Mix:
    """A fund with one transfer of a million in each state that matters."""

    def __init__(self, bridge: World, **given: Any) -> None:
        self.bridge = bridge
        self.fund = bridge.fund(seat_limit=7, on_deposit_failure="hold", **given)
        accounts = [bridge.account() for _ in range(8)]
        self.completed = bridge.request(accounts[0], self.fund)
        bridge.run()
        bridge.fault(Fault.REJECT, institution=HARBOR, code="R02")
        self.withdrawn = bridge.request(accounts[1], self.fund)
        bridge.run(rounds=8)
        self.top_up = bridge.request(accounts[0], self.fund, 500_001)
        self.reviewed = bridge.request(accounts[2], self.fund)
        services.hold_transfers(changes=[Change(self.reviewed.id, reason="A closer look.")], actor=MAKER)
        self.approved = bridge.request(accounts[3], self.fund)
        more = [bridge.request(accounts[n], self.fund) for n in (4, 5, 6)]
        self.waitlisted = bridge.request(accounts[7], self.fund)
        self.others = more
        self.all = [self.completed, self.withdrawn, self.top_up, self.reviewed, self.approved, *more, self.waitlisted]
        assert states(*self.all) == [
            "completed",
            "withdrawn",
            "approved",
            "in_review",
            *["approved"] * 4,
            "waitlisted",
        ]
        freeze_requests(self.fund)
