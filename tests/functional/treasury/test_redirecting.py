"""Money in clearing goes elsewhere than was planned: to another fund, or back to another account of the investor."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.ledger.kinds import Kind
from accounts.ledger.queries import balance
from accounts.models import InvestorAccount
from bridge.events import queries as events
from bridge.kernel import clock
from bridge.kernel.errors import NotFound
from bridge.kernel.results import Change, Done, Refused
from bridge.sandbox.model import Fault
from funds.models import Allocation, Fund, FundCapacity, Verification
from funds.services import set_fund_status
from tests.closings import carried_out, freeze_requests
from tests.functional.treasury.conftest import Treasury, published
from tests.world import CHECKER, MAKER
from transfers import services
from transfers.closing import PlanKind, Terms
from transfers.controls import stops
from transfers.engine import drain
from transfers.models import BankInstruction, Transfer
from transfers.money_approvals import PAY_ELSEWHERE, REDIRECT
from transfers.services.permitting import NotSafe
from transfers.services.redirecting import AccountUnusable, CannotRedirect

AMOUNT = 1_000_000


def story(transfer: Transfer) -> list[str]:
    return [event.type for event in events.timeline(subject_type="transfer", subject_id=transfer.pk)]


def places(fund: Fund) -> tuple[int, int, int]:
    """Seats, reserved, confirmed."""
    row = FundCapacity.objects.get(fund=fund)
    return row.seats_taken, row.reserved, row.confirmed


def waiting(desk: Treasury, **given: Any) -> Transfer:
    """In clearing, because its fund closed after the withdrawal."""
    fund = desk.fund(on_deposit_failure="hold", **given)
    transfer = desk.request(desk.account(), fund, AMOUNT)
    desk.fault(Fault.TIMEOUT_AFTER, kind="withdrawal")
    services.postpone_work(transfer_ids=[transfer.id], seconds=0)

    drain()
    set_fund_status(changes=[Change(fund.id)], status="closed", actor=MAKER)
    desk.run(rounds=4)
    found = desk.fresh(transfer)
    assert (found.state, found.blocker_code) == ("withdrawn", "fund_closed_after_withdrawal"), found.state
    return found


def to(fund: Fund) -> dict[str, Any]:
    return {"fund": str(fund.id), "why": "The investor asked for it in writing."}


class TestAnotherFund:
    def test_swaps_fund_and_place_and_the_deposit_goes_there(self, desk: Treasury) -> None:
        transfer, other = waiting(desk), desk.fund()
        old = transfer.fund
        desk.agreed(REDIRECT, transfer.id, to(other))
        gone = desk.fresh(transfer)
        assert (gone.fund_id, gone.next_step, gone.blocker_code) == (other.id, "deposit", "")
        assert (places(old), places(other)) == ((0, 0, 0), (1, AMOUNT, 0))
        assert Verification.objects.filter(transfer_id=transfer.id, fund_id=other.id, stage="create").exists()
        desk.run(rounds=8)
        assert desk.fresh(transfer).state == "completed"
        assert (places(old), places(other)) == ((0, 0, 0), (1, 0, AMOUNT))
        assert balance(owner_id=other.id, kind=Kind.CASH, currency="USD") == AMOUNT
        assert balance(owner_id=old.id, kind=Kind.CASH, currency="USD") == 0
        assert "transfer.redirected" in story(transfer)

    def test_a_top_up_of_the_other_fund_takes_no_second_seat(self, desk: Treasury) -> None:
        transfer, other = waiting(desk), desk.fund(seat_limit=1)
        desk.request(transfer.source_account, other, 2 * AMOUNT)
        desk.run(rounds=8)
        desk.agreed(REDIRECT, transfer.id, to(other))
        desk.run(rounds=8)
        assert places(other) == (1, 0, 3 * AMOUNT)
        assert Allocation.objects.filter(fund=other).count() == 1

    @pytest.mark.parametrize(
        ("given", "why"),
        [
            ({"minimum": AMOUNT + 1}, "below the fund's minimum"),
            ({"maximum": AMOUNT - 1}, "above the fund's maximum"),
            ({"hard_cap": AMOUNT - 1}, "."),
            ({"seat_limit": 0}, "."),
            ({"status": "closed"}, "."),
        ],
    )
    def test_the_other_funds_rules_must_allow_it(self, desk: Treasury, given: dict[str, Any], why: str) -> None:
        transfer, other = waiting(desk), desk.fund(**given)
        (result,) = desk.decided(desk.asked(REDIRECT, transfer.id, to(other)))
        assert isinstance(result, Refused)
        assert result.error.code == "criteria_not_met"
        assert why in result.error.detail
        still = desk.fresh(transfer)
        assert (still.fund_id, still.blocker_code) == (transfer.fund_id, "fund_closed_after_withdrawal")
        assert places(other) == (0, 0, 0)

    def test_what_a_bank_kept_does_not_let_it_below_the_other_funds_minimum(self, desk: Treasury) -> None:
        transfer, other = desk.short_paid(by=9 * AMOUNT, amount=10 * AMOUNT), desk.fund(minimum=5 * AMOUNT)
        assert (transfer.amount, transfer.blocker_code) == (AMOUNT, "short_paid")
        self._refused_by_its_minimum(desk, transfer, other)

    def test_what_one_fund_cut_back_does_not_let_it_below_the_other_funds_minimum(self, desk: Treasury) -> None:
        fund, other = desk.fund(minimum=AMOUNT, on_deposit_failure="hold"), desk.fund(minimum=AMOUNT)
        transfer = desk.request(desk.account(), fund, AMOUNT)
        freeze_requests(fund)
        carried_out(fund, Terms(PlanKind.CUT_BACK, AMOUNT - 1))
        desk.fault(Fault.REJECT, kind="deposit", code="AC04")
        desk.run()
        kept = desk.fresh(transfer)
        assert (kept.amount, kept.cut_back, kept.blocker_code) == (AMOUNT - 1, 1, "deposit_rejected")
        self._refused_by_its_minimum(desk, kept, other)

    def _refused_by_its_minimum(self, desk: Treasury, transfer: Transfer, other: Fund) -> None:
        (result,) = desk.decided(desk.asked(REDIRECT, transfer.id, to(other)))
        assert isinstance(result, Refused)
        assert "below the fund's minimum" in result.error.detail

    def test_not_to_the_same_fund_and_not_in_another_currency(self, desk: Treasury) -> None:
        transfer = waiting(desk)
        with pytest.raises(CannotRedirect, match="goes to this fund already"):
            desk.asked(REDIRECT, transfer.id, to(transfer.fund))
        with pytest.raises(CannotRedirect, match="nothing is converted"):
            desk.asked(REDIRECT, transfer.id, to(desk.fund(currency="EUR")))
        with pytest.raises(NotFound):
            desk.asked(REDIRECT, transfer.id, {"fund": str(transfer.id), "why": "x"})

    def test_not_in_another_state(self, desk: Treasury) -> None:
        (done,) = desk.moved()
        with pytest.raises(NotSafe):
            desk.asked(REDIRECT, done.id, to(desk.fund()))

    def test_a_transfer_that_moved_meanwhile_voids_the_request(self, desk: Treasury) -> None:
        transfer, other = waiting(desk), desk.fund()
        asked = desk.asked(REDIRECT, transfer.id, to(other))
        desk.refunds(transfer)
        (result,) = desk.decided(asked)
        assert isinstance(result, Refused)
        assert result.error.code == "approval_void"
        assert places(other) == (0, 0, 0)


class TestAfterADepositWasSent:
    """The first fund's bank rejects the deposit, people send the money to another fund, and then the first deposit
    settles after all: it was sent to the first fund, so that is where it is booked."""

    def test_the_other_fund_gets_the_money(self, desk: Treasury) -> None:
        transfer, other = rejected(desk), desk.fund()
        desk.agreed(REDIRECT, transfer.id, to(other))
        desk.run(rounds=8)
        assert desk.fresh(transfer).state == "completed"
        assert [order.fund_id for order in deposits(transfer)] == [transfer.fund_id, other.id]
        assert (money(transfer.fund), money(other)) == (0, AMOUNT)

    def test_it_settles_late_before_the_second_was_sent(self, desk: Treasury) -> None:
        transfer, other = rejected(desk), desk.fund()
        stop_deposits(other)
        desk.agreed(REDIRECT, transfer.id, to(other))
        settles_late(desk, transfer)
        back = desk.fresh(transfer)
        assert (back.state, back.fund_id, back.blocker_code) == ("completed", transfer.fund_id, "")
        assert (places(transfer.fund), places(other)) == ((1, 0, AMOUNT), (0, 0, 0))
        assert (money(transfer.fund), money(other)) == (AMOUNT, 0)
        assert story(transfer).count("transfer.redirected") == 2
        published()

    def test_where_the_first_fund_has_no_place_any_more_it_waits_for_one(self, desk: Treasury) -> None:
        transfer, other = rejected(desk, seat_limit=1), desk.fund()
        stop_deposits(other)
        desk.agreed(REDIRECT, transfer.id, to(other))
        desk.request(desk.account(), transfer.fund, AMOUNT)
        settles_late(desk, transfer)
        back = desk.fresh(transfer)
        assert (back.state, back.fund_id, back.blocker_code) == ("returned", transfer.fund_id, "no_place")
        desk.bank.books.settings.recall_honoured = True
        services.recall_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        desk.run(rounds=10)
        assert desk.fresh(transfer).state == "refunded"
        assert (money(transfer.fund), money(other)) == (AMOUNT, 0)  # of the one that has the seat

    def test_it_settles_late_after_the_second_has_settled_and_is_recalled(self, desk: Treasury) -> None:
        transfer, other = rejected(desk), desk.fund()
        desk.agreed(REDIRECT, transfer.id, to(other))
        desk.run(rounds=8)
        settles_late(desk, transfer)
        found = desk.fresh(transfer)
        assert (found.state, found.fund_id, found.blocker_code) == ("completed", other.id, "advance_open")
        assert (money(transfer.fund), money(other)) == (AMOUNT, AMOUNT)
        desk.bank.books.settings.recall_honoured = True
        services.recall_transfers(changes=[Change(transfer.id)], actor=CHECKER)
        desk.run()
        recall = transfer.instructions.get(kind="recall")
        assert (recall.fund_id, recall.recalls.attempt, recall.amount) == (transfer.fund_id, 1, AMOUNT)
        found = desk.fresh(transfer)
        assert (found.state, found.fund_id, found.blocker_code) == ("completed", other.id, "")
        assert (money(transfer.fund), money(other)) == (0, AMOUNT)
        assert places(other) == (1, 0, AMOUNT)

    @pytest.mark.parametrize("verb", ["reject", "return"])
    def test_it_settles_late_and_the_second_fails(self, desk: Treasury, verb: str) -> None:
        transfer, other = rejected(desk), desk.fund()
        desk.agreed(REDIRECT, transfer.id, to(other))
        desk.run(rounds=0 if verb == "reject" else 8)
        assert desk.fresh(transfer).state == ("depositing" if verb == "reject" else "completed")
        settles_late(desk, transfer, rounds=0)
        with desk.house.lock:
            second = desk.at_bank(deposits(transfer)[1])
            assert desk.bank.force(second, verb=verb, given={"code": "AC04"}, now=desk.bank_time()) is None
        desk.run(rounds=8)
        back = desk.fresh(transfer)
        assert (back.state, back.fund_id, back.blocker_code) == ("completed", transfer.fund_id, "")
        assert (money(transfer.fund), money(other)) == (AMOUNT, 0)
        assert (places(transfer.fund), places(other)) == ((1, 0, AMOUNT), (0, 0, 0))
        published()


def rejected(desk: Treasury, **given: Any) -> Transfer:
    """In clearing, because its fund's bank rejected the deposit."""
    desk.fault(Fault.REJECT, kind="deposit", code="AC04")
    transfer = desk.request(desk.account(), desk.fund(on_deposit_failure="hold", **given), AMOUNT)
    desk.run(rounds=6)
    found = desk.fresh(transfer)
    assert found.blocker_code == "deposit_rejected"
    return found


def deposits(transfer: Transfer) -> list[BankInstruction]:
    return list(transfer.instructions.filter(kind="deposit").order_by("attempt"))


def settles_late(desk: Treasury, transfer: Transfer, *, rounds: int = 3) -> None:
    """The first deposit, which its bank had rejected."""
    with desk.house.lock:
        first = desk.at_bank(deposits(transfer)[0])
        assert desk.bank.force(first, verb="settle", given={}, now=desk.bank_time()) is None
    desk.run(rounds=rounds)


def money(fund: Fund) -> int:
    return balance(owner_id=fund.id, kind=Kind.CASH, currency="USD")


def stop_deposits(fund: Fund) -> None:
    wanted = stops.NewStop(scope="fund", fund_id=fund.id, deposits=True, why="The fund asked us to wait.")
    (result,) = stops.set_stops(stops=[wanted], actor=CHECKER)
    assert isinstance(result, Done), result


def refused(desk: Treasury, fault: Fault = Fault.REJECT, **given: Any) -> Transfer:
    """Its refund was rejected by the investor's bank."""
    desk.fault(Fault.REJECT, kind="deposit", code="AC04")
    desk.fault(fault, kind="refund", code="AC04", **given)
    transfer = desk.request(desk.account(), desk.fund(), AMOUNT)
    desk.run(rounds=10)
    return desk.fresh(transfer)


def verified(desk: Treasury, transfer: Transfer, **given: Any) -> InvestorAccount:
    account = desk.account(balance=0, **{"investor": transfer.investor, **given})
    account.details_verified_at = clock.now()
    account.save(update_fields=["details_verified_at"])
    return account


def onto(account: InvestorAccount) -> dict[str, Any]:
    return {"account": str(account.id), "last4": account.number_last4, "why": "Old account closed; called back."}


class TestAnotherAccount:
    def test_a_rejected_refund_is_paid_there(self, desk: Treasury) -> None:
        transfer = refused(desk)
        assert (transfer.state, transfer.blocker_code) == ("withdrawn", "refund_rejected")
        other = verified(desk, transfer)
        desk.agreed(PAY_ELSEWHERE, transfer.id, onto(other))
        desk.run(rounds=8)
        ended = desk.fresh(transfer)
        assert ended.state == "refunded"
        paid = ended.instructions.filter(kind="refund").latest("attempt")
        assert (paid.attempt, paid.account_id, paid.state) == (2, other.id, "settled")
        assert balance(owner_id=other.id, kind=Kind.CASH, currency="USD") == AMOUNT
        assert balance(owner_id=transfer.source_account_id, kind=Kind.CASH, currency="USD") == -AMOUNT
        with desk.house.lock:
            at_bank = desk.bank.books.accounts[other.institution, other.reveal_number()]
        assert at_bank.current == AMOUNT
        assert "transfer.refund_redirected" in story(transfer)

    def test_a_refund_that_comes_back_from_there_is_booked_from_there(self, desk: Treasury) -> None:
        transfer = refused(desk)
        other = verified(desk, transfer)
        desk.agreed(PAY_ELSEWHERE, transfer.id, onto(other))
        desk.run(rounds=8)
        order = desk.at_bank(transfer.instructions.filter(kind="refund").latest("attempt"))
        with desk.house.lock:
            desk.bank.force(order, verb="return", given={"code": "AC04"}, now=desk.bank_time())
        desk.run(rounds=3)
        again = desk.fresh(transfer)
        assert (again.state, again.blocker_code) == ("withdrawn", "refund_returned")
        assert balance(owner_id=other.id, kind=Kind.CASH, currency="USD") == 0
        desk.refunds(again)  # the usual way: where the money came from
        paid = again.instructions.filter(kind="refund").latest("attempt")
        assert paid.account_id == transfer.source_account_id

    def test_the_events_show_the_last_four_digits_only(self, desk: Treasury) -> None:
        transfer = refused(desk)
        other = verified(desk, transfer)
        desk.agreed(PAY_ELSEWHERE, transfer.id, onto(other))
        told = [event.data for event in events.timeline(subject_type="transfer", subject_id=transfer.pk)]
        assert other.reveal_number() not in str(told)
        assert other.number_last4 in str(told)

    def test_only_an_account_of_the_same_investor_that_is_usable(self, desk: Treasury) -> None:
        transfer = refused(desk)
        unverified = desk.account(investor=transfer.investor)
        with pytest.raises(AccountUnusable, match="not verified"):
            desk.asked(PAY_ELSEWHERE, transfer.id, onto(unverified))
        with pytest.raises(NotFound):
            desk.asked(PAY_ELSEWHERE, transfer.id, onto(desk.account()))
        with pytest.raises(AccountUnusable, match="from which the money came"):
            desk.asked(PAY_ELSEWHERE, transfer.id, onto(transfer.source_account))
        euros = verified(desk, transfer, currency="EUR")
        with pytest.raises(AccountUnusable, match="in EUR"):
            desk.asked(PAY_ELSEWHERE, transfer.id, onto(euros))
        shut = verified(desk, transfer)
        InvestorAccount.objects.filter(pk=shut.pk).update(status="closed")
        with pytest.raises(AccountUnusable, match="not open"):
            desk.asked(PAY_ELSEWHERE, transfer.id, onto(shut))

    def test_bank_details_that_change_after_the_request_refuse_it(self, desk: Treasury) -> None:
        transfer = refused(desk)
        other = verified(desk, transfer)
        asked = desk.asked(PAY_ELSEWHERE, transfer.id, onto(other))
        InvestorAccount.objects.filter(pk=other.pk).update(number_last4="0000", details_changed_at=clock.now())
        (result,) = desk.decided(asked)
        assert isinstance(result, Refused)
        assert desk.fresh(transfer).blocker_code == "refund_rejected"

    def test_not_while_the_refund_may_still_go_the_usual_way(self, desk: Treasury) -> None:
        transfer = waiting(desk)
        with pytest.raises(NotSafe):
            desk.asked(PAY_ELSEWHERE, transfer.id, onto(verified(desk, transfer)))
