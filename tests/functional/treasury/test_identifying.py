"""A receipt finds its transfer: it repays the firm first, fills a short pay, opens an ended transfer, or is a child."""

from __future__ import annotations

from typing import Any

import pytest

from accounts.ledger import firm
from accounts.ledger.kinds import Kind
from accounts.ledger.queries import balance
from bridge.events import queries as events
from bridge.kernel.errors import NotFound
from bridge.kernel.results import Refused
from bridge.sandbox.model import Fault
from tests.functional.treasury.conftest import CLERK, Treasury
from transfers.asked import AskedMalformed
from transfers.models import BankInstruction, Receipt, Transfer
from transfers.receipt_approvals import IDENTIFY, SEND_BACK
from transfers.reconciliation.running import reconcile
from transfers.services.identifying import ReceiptDoesNotFit
from transfers.services.receipts import ReceiptClosed

AMOUNT = 1_000_000


def story(transfer: Transfer) -> list[str]:
    return [event.type for event in events.timeline(subject_type="transfer", subject_id=transfer.pk)]


def place_of(desk: Treasury, receipt: Receipt, transfer: Transfer) -> Transfer:
    desk.agreed(IDENTIFY, receipt.id, {"transfer": str(transfer.id), "why": "Named on the wire."})
    return desk.fresh(transfer)


class TestAnAdvance:
    def test_the_investor_pays_again_and_the_firm_has_its_money_back(self, desk: Treasury) -> None:
        (transfer,) = desk.moved(amount=AMOUNT)
        desk.takes_back(transfer)
        assert (desk.fresh(transfer).state, desk.fresh(transfer).blocker_code) == ("completed", "advance_open")
        assert firm.open_claims("USD") == {transfer.id: AMOUNT}
        paid = desk.receipt(AMOUNT, reference="Paid again")
        settled = place_of(desk, paid, transfer)
        assert (settled.state, settled.blocker_code) == ("completed", "")
        assert firm.open_claims("USD") == {}
        assert balance(owner_id=None, kind=Kind.SUSPENSE, currency="USD") == 0
        assert "transfer.identified" in story(transfer)
        paid.refresh_from_db()
        assert (paid.state, paid.transfer_id) == ("identified", transfer.id)

    def test_what_is_more_than_the_advance_is_refunded_as_a_child(self, desk: Treasury) -> None:
        (transfer,) = desk.moved(amount=AMOUNT)
        desk.takes_back(transfer)
        place_of(desk, desk.receipt(AMOUNT + 500), transfer)
        child = Transfer.objects.get(split_from=transfer)
        assert child.amount == 500
        desk.run(rounds=8)
        assert desk.fresh(child).state == "refunded"

    def test_less_than_the_advance_leaves_the_rest_open(self, desk: Treasury) -> None:
        (transfer,) = desk.moved(amount=AMOUNT)
        desk.takes_back(transfer)
        settled = place_of(desk, desk.receipt(400_000), transfer)
        assert (settled.state, settled.blocker_code) == ("completed", "advance_open")
        assert firm.open_claims("USD") == {transfer.id: 600_000}


class TestAShortPay:
    def test_the_missing_part_comes_under_no_key_and_the_deposit_goes_on(self, desk: Treasury) -> None:
        transfer = desk.short_paid(by=20_000_00)
        assert (transfer.state, transfer.blocker_code, transfer.amount) == ("withdrawn", "short_paid", 80_000_00)
        grown = place_of(desk, desk.receipt(20_000_00), transfer)
        assert (grown.amount, grown.next_step) == (100_000_00, "deposit")
        desk.run(rounds=8)
        done = desk.fresh(transfer)
        assert (done.state, done.amount) == ("completed", 100_000_00)

    def test_more_than_is_missing_is_a_child(self, desk: Treasury) -> None:
        transfer = desk.short_paid(by=20_000_00)
        grown = place_of(desk, desk.receipt(20_500_00), transfer)
        assert grown.amount == 100_000_00
        assert Transfer.objects.get(split_from=transfer).amount == 500_00


class TestAnEndedTransfer:
    def test_a_failed_one_opens_again_and_the_money_goes_back(self, desk: Treasury) -> None:
        desk.fault(Fault.REJECT, kind="withdrawal")
        (transfer,) = desk.moved(amount=AMOUNT)
        assert transfer.state == "failed"
        opened = place_of(desk, desk.receipt(AMOUNT), transfer)
        assert (opened.state, opened.next_step) == ("withdrawn", "refund")
        desk.run(rounds=8)
        assert desk.fresh(transfer).state == "refunded"

    def test_a_completed_one_keeps_its_place_and_the_money_is_a_child(self, desk: Treasury) -> None:
        (transfer,) = desk.moved(amount=AMOUNT)
        kept = place_of(desk, desk.receipt(7_00), transfer)
        assert (kept.state, kept.amount) == ("completed", AMOUNT)
        assert Transfer.objects.get(split_from=transfer).amount == 7_00


class TestTheFirmsOwn:
    def test_it_belongs_to_the_float(self, desk: Treasury) -> None:
        desk.moved()
        own = desk.receipt(5_000_00)
        desk.agreed(IDENTIFY, own.id, {"of_the_firm": True, "why": "Treasury funded it early."})
        assert firm.float_of("USD") == firm.Float("USD", own=5_000_00, claims=0)
        own.refresh_from_db()
        assert (own.state, own.of_the_firm, own.transfer_id) == ("identified", True, None)


class TestSentBack:
    @pytest.mark.django_db(transaction=True)
    def test_the_statement_shows_the_payment_and_agrees(self, desk: Treasury) -> None:
        desk.moved()
        stray = desk.receipt(900_00, reference="?")
        desk.arrives(-900_00, reference="OUT-9")
        payload = {"bank_reference": "OUT-9", "paid_on": desk.day.isoformat(), "why": "Sender unknown."}
        desk.agreed(SEND_BACK, stray.id, payload)
        stray.refresh_from_db()
        assert (stray.state, stray.bank_reference) == ("sent_back", "OUT-9")
        assert balance(owner_id=None, kind=Kind.SUSPENSE, currency="USD") == 0
        desk.take_in()
        assert reconcile(date=desk.day, actor=CLERK).new_breaks == 0

    def test_not_before_it_came(self, desk: Treasury) -> None:
        desk.moved()
        stray = desk.receipt(900_00)
        payload = {"bank_reference": "OUT-9", "paid_on": "2026-01-01", "why": "Sender unknown."}
        with pytest.raises(AskedMalformed, match="to today"):
            desk.asked(SEND_BACK, stray.id, payload)


class TestRefusals:
    def test_a_receipt_is_decided_once(self, desk: Treasury) -> None:
        (transfer,) = desk.moved(amount=AMOUNT)
        stray = desk.receipt(7_00)
        place_of(desk, stray, transfer)
        with pytest.raises(ReceiptClosed, match="This receipt is identified"):
            desk.asked(IDENTIFY, stray.id, {"of_the_firm": True, "why": "Mine."})

    def test_whose_money_never_moved_takes_none(self, desk: Treasury) -> None:
        desk.moved()
        waiting = desk.request(desk.account(), desk.fund(minimum=10_000_000), 1_000)
        assert waiting.state == "rejected"
        with pytest.raises(ReceiptDoesNotFit, match="No money of it has ever moved"):
            desk.asked(IDENTIFY, desk.receipt(7_00).id, {"transfer": str(waiting.id), "why": "By name."})

    def test_not_while_its_withdrawal_is_on_the_way(self, desk: Treasury) -> None:
        desk.moved()
        stray = desk.receipt(7_00)
        desk.fault(Fault.TIMEOUT_BEFORE, kind="withdrawal", count=None)
        going = desk.request(desk.account(), desk.fund(), AMOUNT)
        desk.run(rounds=1)
        assert desk.fresh(going).state == "withdrawing"
        with pytest.raises(ReceiptDoesNotFit, match="wait for the bank's answer"):
            desk.asked(IDENTIFY, stray.id, {"transfer": str(going.id), "why": "By name."})

    @pytest.mark.parametrize("payload", [{"why": "x"}, {"transfer": "trf_1", "why": "x"}, {"transfer": 7, "why": "x"}])
    def test_a_bad_id_is_refused_with_what_to_do(self, desk: Treasury, payload: dict[str, Any]) -> None:
        desk.moved()
        with pytest.raises(AskedMalformed, match="Copy the whole of it"):
            desk.asked(IDENTIFY, desk.receipt(7_00).id, payload)

    def test_an_unknown_transfer_is_refused(self, desk: Treasury) -> None:
        desk.moved()
        stray = desk.receipt(7_00)
        with pytest.raises(NotFound):
            desk.asked(IDENTIFY, stray.id, {"transfer": str(stray.id), "why": "x"})

    def test_an_approval_is_void_once_the_receipt_was_decided(self, desk: Treasury) -> None:
        (transfer,) = desk.moved(amount=AMOUNT)
        stray = desk.receipt(7_00)
        asked = desk.asked(IDENTIFY, stray.id, {"transfer": str(transfer.id), "why": "By name."})
        Receipt.objects.filter(pk=stray.pk).update(version=9)
        (result,) = desk.decided(asked)
        assert isinstance(result, Refused)
        assert result.error.code == "approval_void"
        assert not BankInstruction.objects.filter(kind="refund").exists()
        Receipt.objects.filter(pk=stray.pk).update(version=stray.version)
