"""One payment of the bank is booked once, whatever people say that it was."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from accounts.ledger.kinds import Kind
from accounts.ledger.queries import balance
from bridge.kernel import ids
from bridge.kernel.results import Refused
from tests.functional.treasury.conftest import Treasury
from transfers.float_approvals import PUT_IN, TAKE_OUT
from transfers.models import FloatMovement, Receipt
from transfers.receipt_approvals import SEND_BACK
from transfers.services.payments import MovementBooked, MovementIsReceipt


def sent_back_by(desk: Treasury, reference: str) -> dict[str, str]:
    return {"bank_reference": reference, "paid_on": desk.day.isoformat(), "why": "Sender unknown."}


def in_suspense() -> int:
    return balance(owner_id=None, kind=Kind.SUSPENSE, currency="USD")


class TestOnePaymentOut:
    def test_sends_one_receipt_back_however_many_were_asked_for(self, desk: Treasury) -> None:
        desk.moved()
        strays = [desk.receipt(100_00), desk.receipt(100_00)]
        asked = [desk.asked(SEND_BACK, stray.id, sent_back_by(desk, "OUT-1")) for stray in strays]
        first, second = desk.decided(*asked)
        assert not isinstance(first, Refused)
        assert isinstance(second, Refused)
        assert second.error.code == "movement_booked"
        assert in_suspense() == 100_00

    def test_that_sent_a_receipt_back_was_not_taken_out(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(500_00, stated=False)
        stray = desk.receipt(100_00)
        asked = desk.asked(TAKE_OUT, *desk.funding(100_00, "OUT-1"))
        desk.agreed(SEND_BACK, stray.id, sent_back_by(desk, "OUT-1"))
        (result,) = desk.decided(asked)
        assert isinstance(result, Refused)
        assert result.error.code == "movement_booked"
        with pytest.raises(MovementBooked, match="OUT-1 is booked already"):
            desk.asked(TAKE_OUT, *desk.funding(50_00, "OUT-1"))

    def test_that_was_taken_out_sent_no_receipt_back(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(500_00, stated=False)
        stray = desk.receipt(100_00)
        asked = desk.asked(SEND_BACK, stray.id, sent_back_by(desk, "OUT-1"))
        desk.agreed(TAKE_OUT, *desk.funding(100_00, "OUT-1"))
        (result,) = desk.decided(asked)
        assert isinstance(result, Refused)
        assert result.error.code == "movement_booked"
        with pytest.raises(MovementBooked, match="OUT-1 is booked already"):
            desk.asked(SEND_BACK, stray.id, sent_back_by(desk, "OUT-1"))


class TestOneCredit:
    @pytest.mark.parametrize("name", ["L1", "BANKREF9", "INVOICE 77"])
    def test_that_is_a_receipt_is_not_put_in_under_any_of_its_names(self, desk: Treasury, name: str) -> None:
        desk.moved()
        desk.states({"id": "L1", "amount": 100_00, "institution_reference": "BANKREF9", "reference": "INVOICE 77"})
        assert Receipt.objects.get().institution_reference == "BANKREF9"
        with pytest.raises(MovementIsReceipt, match="Identify that as the firm's own money"):
            desk.asked(PUT_IN, *desk.funding(100_00, name))

    def test_that_was_stated_meanwhile_is_not_put_in(self, desk: Treasury) -> None:
        desk.moved()
        asked = desk.asked(PUT_IN, *desk.funding(100_00, "BANKREF9"))
        desk.states({"id": "L1", "amount": 90_00, "institution_reference": "BANKREF9"})
        (result,) = desk.decided(asked)
        assert isinstance(result, Refused)
        assert result.error.code == "movement_is_receipt"


class TestWhatTheDatabaseKeeps:
    def test_no_two_receipts_went_back_by_one_payment(self, desk: Treasury) -> None:
        desk.moved()
        first, second = desk.receipt(100_00), desk.receipt(100_00)
        desk.agreed(SEND_BACK, first.id, sent_back_by(desk, "OUT-1"))
        desk.agreed(SEND_BACK, second.id, sent_back_by(desk, "OUT-2"))
        with pytest.raises(IntegrityError, match="receipt_sent_back_once"), transaction.atomic():
            Receipt.objects.filter(pk=second.pk).update(bank_reference="OUT-1")

    def test_no_payment_moved_the_float_twice(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(100_00, stated=False)
        row = FloatMovement.objects.get()
        row.pk, row.posting_id, row.account = ids.new_id(), ids.new_id(), "ANOTHER-NAME"
        with pytest.raises(IntegrityError, match="movement_payment_once"), transaction.atomic():
            row.save(force_insert=True)
