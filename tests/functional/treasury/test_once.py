"""One payment of the bank is booked once, whatever people say that it was."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from accounts.ledger.kinds import Kind
from accounts.ledger.queries import balance
from bridge.kernel import ids
from bridge.kernel.results import Refused
from tests.functional.treasury.conftest import CLERK, Treasury
from transfers.float_approvals import PUT_IN, TAKE_OUT
from transfers.models import BankStatement, Break, FloatMovement, Receipt
from transfers.receipt_approvals import SEND_BACK
from transfers.reconciliation.intake import import_statement
from transfers.reconciliation.running import reconcile
from transfers.reconciliation.statements import StatementRefused
from transfers.services.payments import MovementBooked, MovementIsReceipt
from transfers.services.receipts import LineChanged

reconciles = pytest.mark.django_db(transaction=True)


def sent_back_by(desk: Treasury, reference: str) -> dict[str, str]:
    return {"bank_reference": reference, "paid_on": desk.day.isoformat(), "why": "Sender unknown."}


def in_suspense() -> int:
    return balance(owner_id=None, kind=Kind.SUSPENSE, currency="USD")


def forget_statements() -> None:
    """As if the statements themselves had been lost, but not what they booked."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM transfers_bankstatement")
        cursor.execute("SET LOCAL session_replication_role = origin")


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


class TestOneLine:
    """Each payment that people booked explains one line, whatever its text says."""

    @reconciles
    def test_a_second_line_of_the_same_text_and_amount_is_a_receipt(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(100_00, "TOP UP")
        desk.take_in()
        assert not Receipt.objects.exists()
        desk.next_day()
        again = desk.arrives(100_00, reference="TOP UP")
        desk.take_in()
        assert Receipt.objects.get().line == f"settlement-{again.id}"
        assert in_suspense() == 100_00
        assert reconcile(date=desk.day, actor=CLERK).new_breaks == 0

    def test_a_day_that_is_imported_again_changes_nothing(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(100_00, "TOP UP", stated=False)
        lines = [
            {"id": "1", "amount": 100_00, "reference": "TOP UP"},
            {"id": "2", "amount": 100_00, "reference": "TOP UP"},
            {"id": "3", "amount": -5_00, "kind": "fee"},
        ]
        desk.states(*lines)
        before = [*Receipt.objects.values(), *FloatMovement.objects.values()]
        forget_statements()
        desk.states(*lines)
        assert [*Receipt.objects.values(), *FloatMovement.objects.values()] == before
        forget_statements()
        with pytest.raises(LineChanged, match="Line 1 was booked as 10000 USD and is stated as 10100 USD"):
            desk.states({**lines[0], "amount": 101_00}, *lines[1:])

    @reconciles
    def test_what_was_stated_first_is_shown_by_its_line_once_people_book_it(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(500_00)
        desk.arrives(-40_00, reference="RENT")
        desk.take_in()
        reconcile(date=desk.day, actor=CLERK)
        assert Break.objects.filter(resolved_at__isnull=True).count() == 1
        desk.agreed(TAKE_OUT, *desk.funding(40_00, "RENT"))
        reconcile(date=desk.day, actor=CLERK)
        assert not Break.objects.filter(resolved_at__isnull=True).exists()

    def test_a_line_shows_one_payment_whichever_name_is_given(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(500_00, stated=False)
        desk.states({"id": "L1", "amount": -40_00, "institution_reference": "BANKREF9", "reference": "RENT"})
        desk.agreed(TAKE_OUT, *desk.funding(40_00, "RENT"))
        with pytest.raises(MovementBooked, match="BANKREF9 is booked already"):
            desk.asked(TAKE_OUT, *desk.funding(40_00, "BANKREF9"))

    def test_a_charge_was_not_taken_out_as_well(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(500_00, stated=False)
        desk.states({"id": "L1", "amount": -5_00, "kind": "fee", "institution_reference": "BANKREF9"})
        with pytest.raises(MovementBooked, match="BANKREF9 is booked already"):
            desk.asked(TAKE_OUT, *desk.funding(5_00, "BANKREF9"))

    def test_a_payment_of_ours_is_not_taken_out_as_well(self, desk: Treasury) -> None:
        (transfer,) = desk.moved()
        desk.funds_float(500_000_00, stated=False)
        key = desk.leg(transfer, "deposit").key
        desk.states({"id": "L1", "amount": -1_000_000, "key": key, "institution_reference": "BANKREF9"})
        with pytest.raises(MovementBooked, match="BANKREF9 is booked already"):
            desk.asked(TAKE_OUT, *desk.funding(1_000_000, "BANKREF9"))


class TestNumbersThatBeginAnew:
    """Some banks number the lines of each day from 1."""

    @pytest.mark.parametrize("amount", [100_00, 70_00])
    def test_the_same_number_on_another_day_is_another_line(self, desk: Treasury, amount: int) -> None:
        desk.moved()
        closing = desk.states({"id": "1", "amount": 100_00}, {"id": "2", "amount": -5_00, "kind": "fee"})
        desk.next_day()
        desk.states({"id": "1", "amount": amount}, {"id": "2", "amount": -6_00, "kind": "fee"}, opening=closing)
        assert in_suspense() == 100_00 + amount
        assert sorted(FloatMovement.objects.values_list("amount", flat=True)) == [5_00, 6_00]

    @reconciles
    def test_what_one_day_explains_the_other_does_not(self, desk: Treasury) -> None:
        desk.arrives(100_00)
        desk.arrives(-40_00)
        body = [json.loads(desk.statement())]
        desk.next_day()
        desk.arrives(100_00)
        body.append(json.loads(desk.statement()))
        for day in body:
            for number, line in enumerate(day["lines"], 1):
                line["id"] = str(number)
            day["lines"].reverse()
            for line in day["lines"]:
                del line["balance"]
            import_statement(name="day.json", content=json.dumps(day).encode(), actor=CLERK)
        reconcile(date=desk.day - timedelta(days=1), actor=CLERK)
        reconcile(date=desk.day, actor=CLERK)
        (item,) = Break.objects.filter(resolved_at__isnull=True)
        assert (item.kind, item.reference, item.theirs) == ("missing_here", "2", -40_00)

    def test_the_same_line_in_the_statements_of_two_days_is_refused(self, desk: Treasury) -> None:
        desk.moved()
        line = {"id": "1", "amount": 100_00, "at": f"{desk.day}T09:00:00+00:00"}
        closing = desk.states(line)
        desk.next_day()
        with pytest.raises(LineChanged, match=r"Line 1 was booked as 10000 USD in SETTLEMENT-USD .* is stated as"):
            desk.states(line, opening=closing)


class TestOneStatementADay:
    def test_the_same_day_under_another_name_of_the_account_is_refused(self, desk: Treasury) -> None:
        desk.moved()
        line = {"id": "1", "amount": 100_00}
        desk.states(line)
        with pytest.raises(StatementRefused, match=r"another statement of SETTLEMENT-USD .* in USD was imported on"):
            desk.states(line, account="DE89370400440532013000")
        assert in_suspense() == 100_00

    def test_the_database_keeps_one_per_currency(self, desk: Treasury) -> None:
        desk.states({"id": "1", "amount": 100_00})
        row = BankStatement.objects.get()
        row.pk, row.account, row.sha256 = ids.new_id(), "DE89370400440532013000", "another"
        with pytest.raises(IntegrityError, match="statement_day_once_per_currency"), transaction.atomic():
            row.save(force_insert=True)


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

    def test_a_line_shows_one_movement_for_good(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(100_00, "IN-1", stated=False)
        desk.funds_float(100_00, "IN-2", stated=False)
        desk.states({"id": "1", "amount": 100_00, "reference": "IN-1"})
        first, second = FloatMovement.objects.order_by("id")
        assert first.shown_by == f"SETTLEMENT-USD {desk.day} 1"
        with pytest.raises(IntegrityError, match="movement_shown_once"), transaction.atomic():
            FloatMovement.objects.filter(pk=second.pk).update(shown_by=first.shown_by)
        with pytest.raises(ProgrammingError), transaction.atomic():
            FloatMovement.objects.filter(pk=first.pk).update(shown_by="")
        with pytest.raises(IntegrityError, match="movement_shown_stands"), transaction.atomic():
            FloatMovement.objects.filter(pk=first.pk).update(reversed_at=first.recorded_at)
