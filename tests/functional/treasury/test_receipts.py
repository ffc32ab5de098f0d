"""Money under no key of ours: booked once per line of the bank, and shown until somebody finds whose it is."""

from __future__ import annotations

import json

import pytest
from django.db import IntegrityError, ProgrammingError, connection, transaction

from accounts.ledger.kinds import Kind
from accounts.ledger.queries import balance
from bridge.events import queries as events
from bridge.kernel import clock, invariants
from tests.functional.treasury.conftest import CLERK, Treasury
from transfers.desk import everything
from transfers.models import BankStatement, Break, FloatMovement, Receipt
from transfers.reconciliation.intake import import_statement
from transfers.reconciliation.running import reconcile
from transfers.services.receipts import LineChanged

reconciles = pytest.mark.django_db(transaction=True)


def of_firm(kind: Kind) -> int:
    return balance(owner_id=None, kind=kind, currency="USD")


class TestWhatNobodyCanPlace:
    def test_a_credit_waits_in_suspense(self, desk: Treasury) -> None:
        desk.moved()
        line = desk.arrives(333_00, reference="INVOICE 77", sender="alderbank")
        desk.take_in()
        row = Receipt.objects.get()
        assert (row.amount, row.currency, row.state) == (333_00, "USD", "unidentified")
        assert (row.sender, row.reference) == ("alderbank", "INVOICE 77")
        assert (row.account, row.line) == ("SETTLEMENT-USD", f"settlement-{line.id}")
        assert row.received_at == line.at
        assert of_firm(Kind.SUSPENSE) == 333_00
        assert [e.type for e in events.timeline(subject_type="receipt", subject_id=row.pk)] == ["receipt.recorded"]
        (shown,) = [item for item in everything(at=clock.now()) if item.kind == "receipt"]
        assert (shown.id, shown.amount, shown.place) == (row.public_id, 333_00, "settlement account, in suspense")

    @reconciles
    def test_it_is_no_break_and_the_balance_agrees(self, desk: Treasury) -> None:
        desk.moved()
        desk.arrives(333_00)
        desk.arrives(-25_00, kind="fee", reference="Account fee")
        desk.take_in()
        found = reconcile(date=desk.day, actor=CLERK)
        assert (found.new_breaks, list(Break.objects.values_list("explanation", flat=True))) == (0, [])

    def test_a_payment_of_ours_is_no_receipt(self, desk: Treasury) -> None:
        desk.moved(3)
        desk.take_in()
        assert not Receipt.objects.exists()
        assert not FloatMovement.objects.exists()

    @reconciles
    def test_a_debit_that_is_no_charge_stays_a_break(self, desk: Treasury) -> None:
        desk.moved()
        desk.arrives(500_00)
        desk.arrives(-500_00, reference="OUT-1")
        desk.take_in()
        reconcile(date=desk.day, actor=CLERK)
        item = Break.objects.get()
        assert (item.kind, item.institution, item.theirs) == ("missing_here", "settlement", -500_00)


class TestCharges:
    def test_the_firm_bears_a_charge_on_no_payment(self, desk: Treasury) -> None:
        desk.moved()
        desk.arrives(1_000_00)
        desk.arrives(-25_00, kind="fee", reference="Account fee May")
        desk.take_in()
        row = FloatMovement.objects.get()
        assert (row.kind, row.amount, row.why) == ("charge", 25_00, "Account fee May")
        assert (of_firm(Kind.FIRM_ADVANCE), of_firm(Kind.FEES)) == (-25_00, 25_00)
        assert [e.type for e in events.timeline(subject_type="movement", subject_id=row.pk)] == ["float.charged"]


class TestOnce:
    def test_a_line_that_comes_again_is_booked_once(self, desk: Treasury) -> None:
        desk.moved()
        desk.arrives(333_00)
        body = json.loads(desk.statement())
        desk.take_in()
        with connection.cursor() as cursor:  # as if the statement itself had been lost, but not what it booked
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("DELETE FROM transfers_bankstatement")
            cursor.execute("SET LOCAL session_replication_role = origin")
        import_statement(name="again.json", content=json.dumps(body).encode() + b"\n", actor=CLERK)
        assert (Receipt.objects.count(), of_firm(Kind.SUSPENSE)) == (1, 333_00)

    def test_a_line_with_another_amount_than_before_is_refused_whole(self, desk: Treasury) -> None:
        desk.moved()
        desk.arrives(333_00)
        body = json.loads(desk.statement())
        desk.take_in()
        for line in body["lines"]:
            del line["balance"]
        body["lines"][-1]["amount"] += 1
        body["closing_balance"] += 1
        body["date"] = "2020-01-02"
        with pytest.raises(
            LineChanged, match=r"was booked as 33300 USD in .* and is stated as 33301 USD in .* 2020-01-02"
        ):
            import_statement(name="b.json", content=json.dumps(body).encode(), actor=CLERK)
        assert (Receipt.objects.count(), BankStatement.objects.count()) == (1, 1)


class TestWhatTheDatabaseKeeps:
    @pytest.mark.parametrize("change", [{"amount": 1}, {"sender": "somebody else"}, {"line": "x"}])
    def test_what_the_bank_stated_never_changes(self, desk: Treasury, change: dict[str, object]) -> None:
        desk.moved()
        desk.arrives(333_00)
        desk.take_in()
        with pytest.raises(ProgrammingError), transaction.atomic():
            Receipt.objects.update(**change)

    def test_no_receipt_is_deleted(self, desk: Treasury) -> None:
        desk.moved()
        desk.arrives(333_00)
        desk.take_in()
        with pytest.raises(ProgrammingError, match="never_deleted"), transaction.atomic():
            Receipt.objects.all().delete()

    @pytest.mark.parametrize("change", [{"state": "identified"}, {"state": "sent_back"}, {"of_the_firm": True}])
    def test_nothing_is_decided_without_its_posting(self, desk: Treasury, change: dict[str, object]) -> None:
        desk.moved()
        desk.arrives(333_00)
        desk.take_in()
        with pytest.raises(IntegrityError), transaction.atomic():
            Receipt.objects.update(**change)

    def test_a_receipt_that_vanished_is_seen(self, desk: Treasury) -> None:
        desk.moved()
        desk.arrives(333_00)
        desk.take_in()
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            cursor.execute("DELETE FROM transfers_receipt")
            broken = {verdict.name for verdict in invariants.verify_all() if not verdict.holds}
            transaction.set_rollback(True)
        assert broken == {"I12 suspense", "I12 booked", "I7 receipts"}
