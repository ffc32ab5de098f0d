"""What the firm pays out of its own float: an advance that it gives up, what a short pay lacks."""

from __future__ import annotations

import pytest

from accounts.ledger import firm
from accounts.ledger.kinds import Kind
from accounts.ledger.queries import balance
from bridge.events import queries as events
from bridge.kernel.results import Actor, Change, Channel, Done, Refused, Role
from bridge.sandbox.model import Fault
from funds.services import set_fund_status
from tests.closings import carried_out
from tests.functional.treasury.conftest import Treasury
from tests.world import CHECKER, MAKER
from transfers.closing import PlanKind, Terms
from transfers.models import Transfer
from transfers.money_approvals import TOP_UP, WRITE_OFF
from transfers.services.covering import NotShort, TopUp, top_up_transfers
from transfers.services.permitting import NotSafe
from transfers.services.treasury import FloatTooSmall

AMOUNT = 1_000_000
WHY = {"why": "Insolvent; agreed by the board on 3 March."}


def story(transfer: Transfer) -> list[str]:
    return [event.type for event in events.timeline(subject_type="transfer", subject_id=transfer.pk)]


def advanced(desk: Treasury) -> Transfer:
    """Completed, and its withdrawal was returned: the firm has advanced all of it."""
    (transfer,) = desk.moved(amount=AMOUNT)
    desk.takes_back(transfer)
    found = desk.fresh(transfer)
    assert (found.state, found.blocker_code) == ("completed", "advance_open")
    return found


class TestWritingOff:
    def test_two_people_give_up_an_advance_and_the_firm_bears_it(self, desk: Treasury) -> None:
        transfer = advanced(desk)
        desk.funds_float(3 * AMOUNT)
        desk.agreed(WRITE_OFF, transfer.id, WHY)
        ended = desk.fresh(transfer)
        assert (ended.state, ended.blocker_code) == ("completed", "")
        assert firm.float_of("USD") == firm.Float("USD", own=2 * AMOUNT, claims=0)
        assert {"transfer.written_off", "transfer.advance_closed"} <= set(story(transfer))

    def test_the_loss_must_be_funded_first(self, desk: Treasury) -> None:
        transfer = advanced(desk)
        desk.funds_float(AMOUNT - 1)
        (result,) = desk.decided(desk.asked(WRITE_OFF, transfer.id, WHY))
        assert isinstance(result, Refused)
        assert isinstance(result.error, FloatTooSmall)
        assert "Put money into the float first" in result.error.detail
        assert firm.open_claims("USD") == {transfer.id: AMOUNT}

    def test_what_nobody_advanced_is_not_written_off(self, desk: Treasury) -> None:
        (transfer,) = desk.moved(amount=AMOUNT)
        with pytest.raises(NotSafe):
            desk.asked(WRITE_OFF, transfer.id, WHY)

    def test_an_advance_that_changed_voids_the_request(self, desk: Treasury) -> None:
        (transfer,) = desk.moved(amount=AMOUNT)
        desk.takes_back(transfer, 400_000)
        desk.funds_float(3 * AMOUNT)
        asked = desk.asked(WRITE_OFF, transfer.id, WHY)
        desk.takes_back(transfer, 600_000)
        (result,) = desk.decided(asked)
        assert isinstance(result, Refused)
        assert result.error.code == "approval_void"
        desk.agreed(WRITE_OFF, transfer.id, WHY)
        assert firm.float_of("USD") == firm.Float("USD", own=2 * AMOUNT, claims=0)

    def test_the_maker_alone_writes_nothing_off(self, desk: Treasury) -> None:
        transfer = advanced(desk)
        desk.funds_float(3 * AMOUNT)
        (result,) = desk.decided(desk.asked(WRITE_OFF, transfer.id, WHY, by=CHECKER))
        assert isinstance(result, Refused)
        assert result.error.code == "maker_is_checker"


class TestToppingUp:
    def test_one_person_adds_what_is_within_the_tolerance(self, desk: Treasury) -> None:
        transfer = self.short(desk, 20_00)
        desk.funds_float(100_00)
        result = self.added(transfer, 20_00)
        assert isinstance(result, Done)
        grown = desk.fresh(transfer)
        assert (grown.amount, grown.next_step, grown.blocker_code) == (100_000_00, "deposit", "")
        assert firm.float_of("USD").free == 80_00
        desk.run(rounds=8)
        assert desk.fresh(transfer).state == "completed"
        assert balance(owner_id=transfer.fund_id, kind=Kind.CASH, currency="USD") == 100_000_00
        assert "transfer.topped_up" in story(transfer)

    def test_above_it_a_second_person_must_agree(self, desk: Treasury) -> None:
        transfer = self.short(desk, 500_00)
        desk.funds_float(1_000_00)
        alone = self.added(transfer, 500_00)
        assert isinstance(alone, Refused)
        assert alone.error.code == "second_person_needed"
        desk.agreed(TOP_UP, transfer.id, {"amount": 500_00, "why": "Our own mistake in the order."})
        assert desk.fresh(transfer).amount == 100_000_00

    def test_never_more_than_the_firm_has(self, desk: Treasury) -> None:
        transfer = self.short(desk, 20_00)
        desk.funds_float(19_99)
        with pytest.raises(FloatTooSmall, match="Put money into the float first"):
            self.added(transfer, 20_00)
        assert desk.fresh(transfer).amount == 99_980_00

    def test_never_more_than_is_missing(self, desk: Treasury) -> None:
        transfer = self.short(desk, 20_00)
        desk.funds_float(100_00)
        result = self.added(transfer, 20_01)
        assert isinstance(result, Refused)
        assert isinstance(result.error, NotShort)
        with pytest.raises(NotShort, match=r"USD 20\.00 is missing"):
            desk.asked(TOP_UP, transfer.id, {"amount": 20_01, "why": "x"})

    def test_a_part_leaves_the_rest_to_be_decided(self, desk: Treasury) -> None:
        transfer = self.short(desk, 20_00)
        desk.funds_float(100_00)
        assert isinstance(self.added(transfer, 5_00), Done)
        part = desk.fresh(transfer)
        assert (part.amount, part.blocker_code) == (99_985_00, "short_paid")
        assert isinstance(self.added(transfer, 15_01), Refused)
        assert isinstance(self.added(transfer, 15_00), Done)

    def test_a_stale_version_and_a_wrong_role_are_refused(self, desk: Treasury) -> None:
        transfer = self.short(desk, 20_00)
        desk.funds_float(100_00)
        stale = TopUp(transfer.id, 20_00, "x", expected_version=1)
        (result,) = top_up_transfers(top_ups=[stale], actor=MAKER)
        assert isinstance(result, Refused)
        assert result.error.code == "stale_version"
        auditor = Actor("a", Role.AUDITOR, Channel.ADMIN)
        (refused,) = top_up_transfers(top_ups=[TopUp(transfer.id, 20_00, "x")], actor=auditor)
        assert isinstance(refused, Refused)
        assert refused.error.code == "not_allowed"

    def short(self, desk: Treasury, by: int) -> Transfer:
        """Held for people, because the policy holds every short pay here."""
        transfer = desk.short_paid(by=by)
        assert (transfer.state, transfer.blocker_code) == ("withdrawn", "short_paid"), transfer.state
        return transfer

    def added(self, transfer: Transfer, amount: int) -> Done | Refused:
        (result,) = top_up_transfers(top_ups=[TopUp(transfer.id, amount, "A fee of ours.")], actor=MAKER)
        return result

    @pytest.fixture(autouse=True)
    def holds(self, settings: object) -> None:
        settings.BRIDGE_POLICY = {"short_pay": "hold"}  # type: ignore[attr-defined]


def test_a_rejected_withdrawal_is_not_short(desk: Treasury) -> None:
    desk.fault(Fault.REJECT, kind="withdrawal")
    (transfer,) = desk.moved()
    with pytest.raises(NotSafe):
        desk.asked(TOP_UP, transfer.id, {"amount": 1, "why": "x"})


class TestBelowTheMinimum:
    def test_what_is_left_of_a_withdrawal_that_was_taken_back_waits_for_people(self, desk: Treasury) -> None:
        fund = desk.fund(minimum=AMOUNT, escrow_minimum=3 * AMOUNT)
        transfer = desk.request(desk.account(), fund, AMOUNT)
        desk.run()
        desk.takes_back(desk.fresh(transfer), AMOUNT - 1)
        desk.request(desk.account(), fund, 3 * AMOUNT)
        desk.run()
        desk.advance(hours=2)
        desk.run()
        short = desk.fresh(transfer)
        assert (short.state, short.amount, short.blocker_code) == ("withdrawn", 1, "short_paid")
        desk.funds_float(AMOUNT)
        desk.agreed(TOP_UP, transfer.id, {"amount": AMOUNT - 1, "why": "The bank has promised to pay again."})
        desk.run()
        assert (desk.fresh(transfer).state, desk.fresh(transfer).amount) == ("completed", AMOUNT)

    def test_a_fee_that_the_policy_accepts_is_not_refunded_by_itself(self, desk: Treasury) -> None:
        desk.fault(Fault.WRONG_AMOUNT, kind="withdrawal", delta=-15)
        transfer = desk.request(desk.account(), desk.fund(minimum=AMOUNT), AMOUNT)
        desk.run(rounds=3)
        short = desk.fresh(transfer)
        assert (short.state, short.next_step, short.blocker_code) == ("withdrawn", "none", "short_paid")
        assert "below the minimum" in short.blocker_message
        desk.refunds(short)

    def test_what_the_fund_cut_in_clearing_is_deposited_below_it(self, desk: Treasury) -> None:
        fund = desk.fund(minimum=AMOUNT, escrow_minimum=2 * AMOUNT - 2)
        transfer = desk.request(desk.account(), fund, AMOUNT)
        desk.run()
        desk.request(desk.account(), fund, AMOUNT)
        set_fund_status(changes=[Change(fund.id)], status="closing", actor=CHECKER)
        carried_out(fund, Terms(PlanKind.CUT_BACK, 2 * AMOUNT - 2))
        desk.run()
        desk.advance(hours=2)
        desk.run()
        kept = desk.fresh(transfer)
        assert (kept.state, kept.amount, kept.cut_back) == ("completed", AMOUNT - 1, 1)
