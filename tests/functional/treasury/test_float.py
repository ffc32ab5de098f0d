"""The firm's own money in the settlement account: two people put it in and take it out, by the bank's reference."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from accounts.ledger import firm
from bridge.approvals.services import AlreadyOpen
from bridge.events import queries as events
from bridge.kernel import clock
from bridge.kernel.errors import BridgeError
from bridge.kernel.results import Refused
from tests.functional.treasury.conftest import CLERK, Treasury
from tests.world import CHECKER, MAKER
from transfers.asked import AskedMalformed
from transfers.float_approvals import PUT_IN, TAKE_OUT, payment_id
from transfers.models import Break, FloatMovement, Receipt
from transfers.reconciliation.running import reconcile
from transfers.services.payments import MovementBooked, MovementIsReceipt
from transfers.services.treasury import FloatTooSmall

reconciles = pytest.mark.django_db(transaction=True)


class TestPuttingIn:
    def test_two_people_book_what_the_firm_paid_in(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(100_000_00, "IN-1")
        row = FloatMovement.objects.get()
        assert (row.kind, row.amount, row.bank_reference) == ("put_in", 100_000_00, "IN-1")
        assert (row.made_by, row.approved_by) == (MAKER.id, CHECKER.id)
        assert firm.float_of("USD") == firm.Float("USD", own=100_000_00, claims=0)
        assert [e.type for e in events.timeline(subject_type="movement", subject_id=row.pk)] == ["float.put_in"]

    @reconciles
    def test_the_statement_agrees_and_its_line_is_no_receipt(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(100_000_00, "IN-1")
        desk.take_in()
        assert not Receipt.objects.exists()
        assert reconcile(date=desk.day, actor=CLERK).new_breaks == 0

    @reconciles
    def test_what_no_statement_shows_is_a_break(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(100_000_00, "IN-1", stated=False)
        desk.take_in()
        reconcile(date=desk.day, actor=CLERK)
        item = Break.objects.get()
        assert (item.kind, item.reference, item.ours, item.theirs) == ("missing_there", "IN-1", 100_000_00, None)

    def test_the_maker_cannot_agree(self, desk: Treasury) -> None:
        desk.moved()
        asked = desk.asked(PUT_IN, *desk.funding(5_00, "IN-1"), by=CHECKER)
        (result,) = desk.decided(asked, by=CHECKER)
        assert isinstance(result, Refused)
        assert result.error.code == "maker_is_checker"
        assert not FloatMovement.objects.exists()

    def test_one_reference_is_booked_once(self, desk: Treasury) -> None:
        desk.moved()
        asked = desk.asked(PUT_IN, *desk.funding(5_00, "IN-1"))
        with pytest.raises(AlreadyOpen):
            desk.asked(PUT_IN, *desk.funding(6_00, "IN-1"))
        desk.decided(asked)
        with pytest.raises(MovementBooked, match="IN-1 is booked already"):
            desk.asked(PUT_IN, *desk.funding(5_00, "IN-1"))

    def test_what_the_bank_stated_first_is_a_receipt_and_not_booked_twice(self, desk: Treasury) -> None:
        desk.moved()
        desk.arrives(5_00, reference="IN-1")
        desk.take_in()
        with pytest.raises(MovementIsReceipt, match="Identify that as the firm's own money"):
            desk.asked(PUT_IN, *desk.funding(5_00, "IN-1"))


class TestTakingOut:
    @reconciles
    def test_two_people_book_what_the_firm_took_out(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(100_00, "IN-1")
        desk.arrives(-40_00, reference="OUT-1")
        desk.agreed(TAKE_OUT, *desk.funding(40_00, "OUT-1"))
        assert firm.float_of("USD").free == 60_00
        desk.take_in()
        assert reconcile(date=desk.day, actor=CLERK).new_breaks == 0

    def test_never_more_than_there_is(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(100_00)
        with pytest.raises(FloatTooSmall, match=r"USD 100\.01 is needed, and the firm has USD 100\.00"):
            desk.asked(TAKE_OUT, *desk.funding(100_01, "OUT-1"))

    def test_two_requests_cannot_take_the_same_money(self, desk: Treasury) -> None:
        desk.moved()
        desk.funds_float(100_00)
        both = [desk.asked(TAKE_OUT, *desk.funding(60_00, f"OUT-{n}")) for n in (1, 2)]
        results = desk.decided(*both)
        assert [isinstance(result, Refused) for result in results] == [False, True]
        assert results[1].error.code == "float_too_small"
        assert firm.float_of("USD").free == 40_00


class TestBadInput:
    @pytest.mark.parametrize(
        ("change", "what"),
        [
            ({"amount": 0}, "whole number of minor units"),
            ({"amount": -5}, "whole number of minor units"),
            ({"amount": 1.5}, "whole number of minor units"),
            ({"amount": True}, "whole number of minor units"),
            ({"amount": "100"}, "whole number of minor units"),
            ({"amount": 10**15}, "whole number of minor units"),
            ({"currency": "XXQ"}, "ISO 4217"),
            ({"currency": None}, "ISO 4217"),
            ({"bank_reference": "  "}, "as it stands on the statement"),
            ({"bank_reference": 7}, "as it stands on the statement"),
            ({"bank_reference": "x" * 101}, "1 to 100 characters"),
            ({"why": ""}, "say why"),
            ({"why": "a\x00b"}, "say why"),
            ({"paid_on": "yesterday"}, "such as 2026-01-31"),
            ({"paid_on": None}, "such as 2026-01-31"),
            ({"paid_on": "1999-01-01"}, "to today"),
        ],
    )
    def test_is_refused_with_what_to_do(self, desk: Treasury, change: dict[str, Any], what: str) -> None:
        desk.moved()
        _, payload = desk.funding(5_00, "IN-1")
        given = {**payload, **change}
        with pytest.raises(AskedMalformed, match=what):
            desk.asked(PUT_IN, payment_id("USD", "IN-1"), given)

    def test_a_day_to_come_is_refused(self, desk: Treasury) -> None:
        desk.moved()
        tomorrow = (clock.now() + timedelta(days=1)).date().isoformat()
        with pytest.raises(AskedMalformed, match="to today"):
            desk.asked(PUT_IN, *desk.funding(5_00, "IN-1", paid_on=tomorrow))

    def test_a_subject_that_is_another_payment_is_refused(self, desk: Treasury) -> None:
        desk.moved()
        _, payload = desk.funding(5_00, "IN-1")
        with pytest.raises(BridgeError, match="another payment"):
            desk.asked(PUT_IN, payment_id("USD", "IN-2"), payload)
