"""Deadlines of banks: told to operations once, gone by themselves, and never in the engine's way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from bridge.approvals import services as approvals
from bridge.approvals.services import Proposal
from bridge.events.queries import timeline
from bridge.kernel import clock, waits
from bridge.kernel.gateway import Outcome, Report
from bridge.kernel.results import ENGINE, Change, Done
from bridge.sandbox.model import Fault
from tests.world import CHECKER, HARBOR, MAKER, MERIDIAN, World
from transfers import services
from transfers.manual_outcomes import OUTCOME
from transfers.models import BankInstruction, Transfer, Work
from transfers.policy import policy
from transfers.services import deadlines

AMOUNT = 1_000_000


def blocked_as(transfer: Transfer) -> list[str]:
    """The codes that operations were told of, in order."""
    events = timeline(subject_type="transfer", subject_id=transfer.id)
    return [event.data["code"] for event in events if event.type == "transfer.blocked"]


def leg(transfer: Transfer, kind: str) -> BankInstruction:
    return BankInstruction.objects.get(transfer=transfer, kind=kind)


class TestAnswer:
    def test_a_bank_that_does_not_answer_in_time_is_shown_once_and_asked_on(self, bridge: World) -> None:
        bridge.fault(Fault.TIMEOUT_BEFORE, institution=MERIDIAN)
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=2)
        assert bridge.fresh(transfer).blocker_code == "outcome_unknown"

        for _ in range(4):
            bridge.run(rounds=1, seconds=6 * 60)

        late = bridge.fresh(transfer)
        assert (late.state, late.blocker_code) == ("withdrawing", "acknowledgement_overdue")
        assert leg(transfer, "withdrawal").reference in late.blocker_message
        assert blocked_as(transfer) == ["outcome_unknown", "acknowledgement_overdue"]
        due = Work.objects.get(pk=transfer.pk).due_at
        assert due is not None
        assert due <= clock.now() + timedelta(seconds=policy().ask_last)

    def test_the_answer_takes_it_away(self, bridge: World) -> None:
        bridge.fault(Fault.TIMEOUT_LATE, institution=MERIDIAN, seconds=25 * 60)
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        for _ in range(4):
            bridge.run(rounds=1, seconds=6 * 60)
        assert bridge.fresh(transfer).blocker_code == "acknowledgement_overdue"
        for _ in range(4):
            bridge.run(rounds=2, seconds=3 * 60)
        done = bridge.fresh(transfer)
        assert (done.state, done.blocker_code) == ("completed", "")


class TestSettlement:
    def overdue(self, bridge: World) -> Transfer:
        """Accepted by the fund's bank, and not settled days later."""
        bridge.fault(Fault.REJECT, institution=HARBOR, at_settlement=True, code="R29")
        harbor = bridge.bank.books.settings.institutions[HARBOR]
        harbor.rails = {name: replace(rail, delay_seconds=6 * 24 * 3600) for name, rail in harbor.rails.items()}
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=3)
        accepted = bridge.fresh(transfer)
        assert (accepted.state, accepted.blocker_code) == ("depositing", "")
        return transfer

    def test_what_is_accepted_and_not_settled_by_the_close_of_business_is_traced(self, bridge: World) -> None:
        transfer = self.overdue(bridge)
        order = leg(transfer, "deposit")
        by = deadlines.settle_by(bridge.fresh(transfer), order)
        assert by == waits.after(order.acknowledged_at or clock.now(), policy().settle_within)

        bridge.advance(seconds=(by - clock.now()).total_seconds() + 60)
        bridge.run(rounds=2, seconds=6 * 60)
        bridge.run(rounds=2, seconds=6 * 60)

        late = bridge.fresh(transfer)
        assert (late.state, late.blocker_code) == ("depositing", "settlement_overdue")
        assert blocked_as(transfer) == ["settlement_overdue"]
        assert Work.objects.get(pk=transfer.pk).due_at is not None

    def test_the_rejection_that_comes_late_is_taken_as_any_other(self, bridge: World) -> None:
        transfer = self.overdue(bridge)
        bridge.advance(days=4)
        bridge.run(rounds=2, seconds=6 * 60)
        assert bridge.fresh(transfer).blocker_code == "settlement_overdue"
        bridge.advance(days=3)
        bridge.run(rounds=8, seconds=6 * 60)
        done = bridge.fresh(transfer)
        assert (done.state, done.blocker_code) == ("refunded", "")


class TestForgotten:
    def test_an_accepted_order_whose_key_the_bank_has_forgotten_is_for_people(self, bridge: World) -> None:
        """The bank accepted it, refused it at settlement, and no message of that arrived while it kept the key."""
        bridge.fault(Fault.REJECT, institution=MERIDIAN, at_settlement=True, code="R29")
        bridge.fault(Fault.LOST_CALLBACK, institution=MERIDIAN)
        bridge.fault(Fault.FORGET_KEY, institution=MERIDIAN, seconds=1)
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run(rounds=3)
        bridge.advance(days=5)
        bridge.run(rounds=2, seconds=6 * 60)
        late = bridge.fresh(transfer)
        assert (late.state, late.blocker_code) == ("withdrawing", "settlement_overdue")
        assert Work.objects.get(pk=transfer.pk).due_at is not None  # it promised to keep keys for seven days

        bridge.advance(days=3)
        bridge.run(rounds=2, seconds=6 * 60)
        assert Work.objects.get(pk=transfer.pk).due_at is None
        payload = {"outcome": "rejected", "why": "Their letter says so.", "evidence": "letter 7"}
        asked = approvals.propose(proposal=Proposal(OUTCOME, transfer.id, payload), actor=MAKER)
        approvals.approve(changes=[Change(asked.id)], actor=CHECKER)
        assert bridge.fresh(transfer).state == "failed"

    def test_a_late_no_to_a_recall_whose_money_has_come_back_is_no_surprise(self, bridge: World) -> None:
        bridge.fault(Fault.RETURN_LATER, institution=HARBOR, days=2, code="R10")
        transfer = bridge.request(bridge.account(), bridge.fund(), AMOUNT)
        bridge.run()
        assert bridge.fresh(transfer).state == "completed"
        services.recall_transfers(changes=[Change(transfer.id, reason="Agreed.")], actor=CHECKER)
        bridge.run(rounds=2)
        bridge.advance(days=3)
        bridge.run()
        recall = leg(transfer, "recall")
        assert (bridge.fresh(transfer).state, recall.state) == ("refunded", "settled")

        said = Report(key=recall.key, outcome=Outcome.REJECTED, code="NOOR", at=clock.now())
        (result,) = services.settle_recalls(reports=[said], actor=ENGINE)
        assert isinstance(result, Done)
        assert (bridge.fresh(transfer).state, leg(transfer, "recall").state) == ("refunded", "settled")
