"""Our own mistakes: two people reverse what people decided, and nothing that a bank reported."""

from __future__ import annotations

import pytest

from accounts.ledger import firm
from accounts.ledger.kinds import Kind
from accounts.ledger.models import Posting
from accounts.ledger.queries import balance
from bridge.approvals.services import AlreadyOpen
from bridge.events import queries as events
from bridge.kernel.errors import NotFound
from bridge.kernel.results import Refused
from bridge.sandbox.model import Fault
from tests.functional.treasury.conftest import Treasury
from tests.functional.treasury.test_covering import AMOUNT, WHY, advanced
from tests.world import MAKER
from transfers.float_approvals import PUT_IN, TAKE_OUT
from transfers.models import FloatMovement, Receipt, Transfer
from transfers.money_approvals import WRITE_OFF
from transfers.receipt_approvals import IDENTIFY, SEND_BACK
from transfers.reversal_approvals import REVERSE
from transfers.services.covering import TopUp, top_up_transfers
from transfers.services.reversing import Irreversible
from transfers.services.treasury import FloatTooSmall

MISTAKE = {"why": "Another investor of that name."}


def posting(row: str, **given: object) -> Posting:
    return Posting.objects.filter(row=row, **given).latest("id")


def identified(desk: Treasury, receipt: Receipt, transfer: Transfer) -> Posting:
    desk.agreed(IDENTIFY, receipt.id, {"transfer": str(transfer.id), "why": "By name."})
    return posting("S2")


def story(kind: str, subject: object) -> list[str]:
    return [event.type for event in events.timeline(subject_type=kind, subject_id=subject.pk)]  # type: ignore[attr-defined]


class TestAMistakenIdentification:
    def test_of_what_repaid_an_advance_opens_the_claim_again(self, desk: Treasury) -> None:
        transfer = advanced(desk)
        stray = desk.receipt(AMOUNT)
        wrong = identified(desk, stray, transfer)
        desk.agreed(REVERSE, wrong.id, MISTAKE)
        again = desk.fresh(transfer)
        assert (again.state, again.blocker_code) == ("completed", "advance_open")
        assert firm.open_claims("USD") == {transfer.id: AMOUNT}
        stray.refresh_from_db()
        assert (stray.state, stray.transfer_id, stray.closed_by) == ("unidentified", None, None)
        assert balance(owner_id=None, kind=Kind.SUSPENSE, currency="USD") == AMOUNT
        assert "transfer.corrected" in story("transfer", transfer)
        assert story("receipt", stray) == ["receipt.recorded", "receipt.identified", "receipt.reopened"]

    def test_it_can_then_be_identified_rightly(self, desk: Treasury) -> None:
        wrong = advanced(desk)
        desk.funds_float(3 * AMOUNT)  # while its float is short, no withdrawal begins
        right = advanced(desk)
        stray = desk.receipt(AMOUNT)
        desk.agreed(REVERSE, identified(desk, stray, wrong).id, MISTAKE)
        identified(desk, stray, right)
        assert firm.open_claims("USD") == {wrong.id: AMOUNT}
        assert desk.fresh(right).blocker_code == ""

    def test_of_what_became_a_child_takes_the_child_back(self, desk: Treasury) -> None:
        transfer = desk.completed_where_arrivals_wait()
        stray = desk.receipt(7_00)
        wrong = identified(desk, stray, transfer)
        child = Transfer.objects.get(split_from=transfer)
        assert (child.state, child.next_step) == ("withdrawn", "none")
        desk.agreed(REVERSE, wrong.id, MISTAKE)
        assert desk.fresh(child).state == "returned"
        assert desk.fresh(transfer).state == "completed"
        assert balance(owner_id=None, kind=Kind.SUSPENSE, currency="USD") == 7_00

    def test_not_once_the_money_was_paid_on(self, desk: Treasury) -> None:
        desk.fault(Fault.REJECT, kind="withdrawal")
        (transfer,) = desk.moved(amount=AMOUNT)
        wrong = identified(desk, desk.receipt(AMOUNT), transfer)
        desk.run(rounds=8)
        assert desk.fresh(transfer).state == "refunded"
        with pytest.raises(Irreversible, match="no longer in the settlement account"):
            desk.asked(REVERSE, wrong.id, MISTAKE)

    def test_of_the_firms_own_gives_it_back_to_suspense(self, desk: Treasury) -> None:
        desk.moved()
        stray = desk.receipt(5_00)
        desk.agreed(IDENTIFY, stray.id, {"of_the_firm": True, "why": "Ours."})
        desk.agreed(REVERSE, posting("S2").id, MISTAKE)
        assert firm.float_of("USD").own == 0
        stray.refresh_from_db()
        assert (stray.state, stray.of_the_firm) == ("unidentified", False)


class TestOtherMistakes:
    def test_a_write_off_is_taken_back_and_the_claim_is_open_again(self, desk: Treasury) -> None:
        transfer = advanced(desk)
        desk.funds_float(3 * AMOUNT)
        desk.agreed(WRITE_OFF, transfer.id, WHY)
        desk.agreed(REVERSE, posting("A2").id, MISTAKE)
        again = desk.fresh(transfer)
        assert (again.state, again.blocker_code) == ("completed", "advance_open")
        assert firm.float_of("USD") == firm.Float("USD", own=3 * AMOUNT, claims=AMOUNT)

    def test_a_top_up_is_taken_back_while_it_waits(self, desk: Treasury, settings: object) -> None:
        settings.BRIDGE_POLICY = {"short_pay": "hold"}  # type: ignore[attr-defined]
        transfer = desk.short_paid(by=20_00)
        desk.funds_float(100_00)
        top_up_transfers(top_ups=[TopUp(transfer.id, 5_00, "A fee of ours.")], actor=MAKER)
        desk.agreed(REVERSE, posting("A4").id, MISTAKE)
        assert desk.fresh(transfer).amount == 99_980_00
        assert firm.float_of("USD").free == 100_00

    def test_a_movement_of_the_float_that_no_statement_shows(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(100_00, "IN-1", stated=False)
        desk.agreed(REVERSE, posting("A3").id, {"why": "Typed a wrong amount."})
        row = FloatMovement.objects.get()
        assert row.reversed_at is not None
        assert firm.float_of("USD").own == 0
        assert story("movement", row) == ["float.put_in", "float.corrected"]
        desk.agreed(PUT_IN, *desk.funding(10_00, "IN-1"))  # its reference is free again
        assert firm.float_of("USD").own == 10_00

    def test_not_what_the_banks_statement_shows(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(100_00, "IN-1")
        desk.take_in()
        with pytest.raises(Irreversible, match=r"statement shows this payment \(SETTLEMENT-USD "):
            desk.asked(REVERSE, posting("A3").id, MISTAKE)

    def test_a_funding_that_was_typed_with_a_nought_too_many(self, desk: Treasury) -> None:
        desk.moved()
        desk.agreed(PUT_IN, *desk.funding(1_000_00, "IN-1"))
        desk.states({"id": "L1", "amount": 100_00, "reference": "IN-1"})
        desk.agreed(REVERSE, posting("A3").id, {"why": "Typed a nought too many."})
        assert firm.float_of("USD").own == 0
        desk.agreed(IDENTIFY, Receipt.objects.get().id, {"of_the_firm": True, "why": "It was this."})
        assert firm.float_of("USD").own == 100_00

    def test_a_receipt_that_went_back_by_its_senders_own_reference_and_then_did_not(self, desk: Treasury) -> None:
        desk.moved()
        desk.states({"id": "L1", "amount": 100_00, "reference": "INV-77"})
        stray = Receipt.objects.get()
        payload = {"bank_reference": "INV-77", "paid_on": desk.day.isoformat(), "why": "Return of INV-77."}
        desk.agreed(SEND_BACK, stray.id, payload)
        desk.agreed(REVERSE, posting("S3").id, {"why": "Nobody ever paid it."})
        stray.refresh_from_db()
        assert stray.state == "unidentified"

    def test_not_a_receipt_that_a_statement_shows_going_back(self, desk: Treasury) -> None:
        desk.moved()
        closing = desk.states({"id": "L1", "amount": 100_00})
        desk.next_day()
        payload = {"bank_reference": "OUT-1", "paid_on": desk.day.isoformat(), "why": "Sender unknown."}
        desk.agreed(SEND_BACK, Receipt.objects.get().id, payload)
        asked = desk.asked(REVERSE, posting("S3").id, MISTAKE)
        desk.states({"id": "L2", "amount": -100_00, "reference": "OUT-1"}, opening=closing)
        (result,) = desk.decided(asked)
        assert isinstance(result, Refused)
        assert result.error.code == "irreversible"

    def test_a_charge_that_people_had_taken_out_and_reversed_is_booked_from_the_statement(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(500_00, stated=False)
        desk.agreed(TAKE_OUT, *desk.funding(25_00, "L9"))
        desk.agreed(REVERSE, posting("A3").id, {"why": "It is a charge."})
        desk.states({"id": "L9", "amount": -25_00, "kind": "fee"}, opening=500_00)
        assert Posting.objects.filter(row="F1").count() == 1

    def test_a_receipt_that_was_not_sent_back_after_all(self, desk: Treasury) -> None:
        desk.moved()
        stray = desk.receipt(900_00)
        payload = {"bank_reference": "OUT-9", "paid_on": desk.day.isoformat(), "why": "Sender unknown."}
        desk.agreed(SEND_BACK, stray.id, payload)
        desk.agreed(REVERSE, posting("S3").id, {"why": "The bank had not sent it."})
        stray.refresh_from_db()
        assert (stray.state, stray.bank_reference) == ("unidentified", "")
        assert balance(owner_id=None, kind=Kind.SUSPENSE, currency="USD") == 900_00


class TestAFloatThatIsInUse:
    def test_keeps_what_was_put_in(self, desk: Treasury) -> None:
        transfer = advanced(desk)
        desk.funds_float(3 * AMOUNT, stated=False)
        desk.agreed(WRITE_OFF, transfer.id, WHY)
        with pytest.raises(FloatTooSmall, match="Put money into the float first"):
            desk.asked(REVERSE, posting("A3").id, MISTAKE)
        assert firm.float_of("USD").own == 2 * AMOUNT

    def test_is_judged_again_when_the_second_person_agrees(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(100_00, stated=False)
        asked = desk.asked(REVERSE, posting("A3").id, MISTAKE)
        desk.agreed(TAKE_OUT, *desk.funding(60_00, "OUT-1"))
        (result,) = desk.decided(asked)
        assert isinstance(result, Refused)
        assert result.error.code == "float_too_small"
        assert firm.float_of("USD").own == 40_00

    def test_keeps_a_receipt_that_was_the_firms_own(self, desk: Treasury) -> None:
        desk.moved()
        desk.agreed(IDENTIFY, desk.receipt(100_00).id, {"of_the_firm": True, "why": "Ours."})
        desk.agreed(TAKE_OUT, *desk.funding(60_00, "OUT-1"))
        with pytest.raises(FloatTooSmall):
            desk.asked(REVERSE, posting("S2").id, MISTAKE)

    def test_may_take_back_what_was_taken_out(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(100_00, stated=False)
        desk.agreed(TAKE_OUT, *desk.funding(100_00, "OUT-1"))
        desk.agreed(REVERSE, posting("A3").id, MISTAKE)
        assert firm.float_of("USD").free == 100_00


class TestWhatIsNotOurs:
    @pytest.mark.parametrize(
        ("row", "why"),
        [
            ("W2", "only the bank can put right"),
            ("D2", "only the bank can put right"),
            ("S1", "statement shows this receipt"),
            ("F1", "statement shows this charge"),
        ],
    )
    def test_what_a_bank_told_is_never_reversed(self, desk: Treasury, row: str, why: str) -> None:
        desk.moved()
        desk.arrives(500_00)
        desk.arrives(-25_00, kind="fee")
        desk.take_in()
        with pytest.raises(Irreversible, match=why):
            desk.asked(REVERSE, posting(row).id, MISTAKE)

    def test_nothing_is_reversed_twice_nor_a_reversal(self, desk: Treasury) -> None:
        desk.moved()
        stray = desk.receipt(5_00)
        desk.agreed(IDENTIFY, stray.id, {"of_the_firm": True, "why": "Ours."})
        wrong = posting("S2")
        asked = desk.asked(REVERSE, wrong.id, MISTAKE)
        with pytest.raises(AlreadyOpen):
            desk.asked(REVERSE, wrong.id, MISTAKE)
        desk.decided(asked)
        with pytest.raises(Irreversible, match="reversed already"):
            desk.asked(REVERSE, wrong.id, MISTAKE)
        with pytest.raises(Irreversible, match="a reversal itself"):
            desk.asked(REVERSE, posting("X2").id, MISTAKE)

    def test_a_decision_about_what_has_moved_on_is_refused(self, desk: Treasury) -> None:
        transfer = desk.completed_where_arrivals_wait()
        wrong = identified(desk, desk.receipt(7_00), transfer)
        asked = desk.asked(REVERSE, wrong.id, MISTAKE)
        child = Transfer.objects.get(split_from=transfer)
        desk.refunds(child)
        (result,) = desk.decided(asked)
        assert isinstance(result, Refused)
        assert result.error.code == "irreversible"

    def test_an_unknown_posting(self, desk: Treasury) -> None:
        (transfer,) = desk.moved()
        with pytest.raises(NotFound):
            desk.asked(REVERSE, transfer.id, MISTAKE)
