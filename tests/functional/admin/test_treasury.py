"""The treasury's pages: receipts and what they may belong to, the float, the buttons of a transfer, and reversals."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from accounts.gateway import registry as investor_side
from accounts.ledger import firm
from accounts.ledger.models import Posting
from bridge.approvals.models import Approval
from bridge.kernel.results import Role
from funds.gateway import registry as fund_side
from tests import factories
from tests.functional.admin.conftest import Console, SignIn
from tests.functional.admin.test_actions import act, item
from tests.functional.admin.test_pages import list_of, page_of
from tests.functional.treasury.conftest import Treasury
from tests.functional.treasury.test_redirecting import refused, verified, waiting
from tests.world import HARBOR, MERIDIAN
from transfers.models import FloatMovement, Receipt, Transfer

RECEIPT, DECIDE = "transfers_receipt", "approvals_approval"
FLOAT = "/admin/transfers/floatmovement/float/"
AMOUNT = 1_000_000


@pytest.fixture
def desk(db: None) -> Iterator[Treasury]:
    made = Treasury()
    with (
        investor_side.use_gateways({MERIDIAN: made.house.gateway(MERIDIAN)}),
        fund_side.use_gateways({HARBOR: made.house.gateway(HARBOR)}),
    ):
        made.settle_clocks()
        yield made
        made.check()


def agree(checker: Console) -> str:
    """Approve the one open request in the console."""
    asked = Approval.objects.get(state="open")
    assert act("approve", DECIDE) in checker.get(page_of(asked))
    return checker.post(act("approve", DECIDE), {"item": item(asked), "reason": "Agreed."})


class TestReceipts:
    def test_the_queue_shows_open_ones_and_finds_by_sender_and_reference(self, desk: Treasury, sign_in: SignIn) -> None:
        desk.moved()
        stray = desk.receipt(7_00, reference="INVOICE 77", sender="alderbank")
        console = sign_in(Role.AUDITOR)
        assert "INVOICE 77" in console.get(list_of(Receipt))
        assert "INVOICE 77" in console.get(list_of(Receipt), q="alder")
        assert "INVOICE 77" in console.get(list_of(Receipt), q=stray.public_id)
        assert "INVOICE 77" not in console.get(list_of(Receipt), q="invoice 78")
        assert "INVOICE 77" not in console.get(list_of(Receipt), queue="identified")

    def test_the_page_names_the_likely_transfer_and_why(self, desk: Treasury, sign_in: SignIn) -> None:
        quoted, claimed = desk.moved(2, amount=AMOUNT)
        desk.takes_back(claimed)
        stray = desk.receipt(AMOUNT, reference=f"for {quoted.public_id}, thanks")
        page = sign_in(Role.MAKER).get(page_of(stray))
        assert "named in the reference" in page
        assert "the firm has advanced exactly USD 10,000.00 for it" in page
        assert page.index("named in the reference") < page.index("has advanced exactly")

    def test_a_maker_asks_and_a_checker_agrees(self, desk: Treasury, sign_in: SignIn) -> None:
        (transfer,) = desk.moved(amount=AMOUNT)
        desk.takes_back(transfer)
        stray = desk.receipt(AMOUNT)
        maker, checker = sign_in(Role.MAKER), sign_in(Role.CHECKER)
        assert act("identify", RECEIPT) in maker.get(page_of(stray))
        form = {"item": item(stray), "transfer": str(transfer.pk), "why": "The investor called."}
        assert "a second person decides" in maker.post(act("identify", RECEIPT), form)
        assert firm.open_claims("USD") == {transfer.pk: AMOUNT}
        assert "Approved." in agree(checker)
        assert firm.open_claims("USD") == {}
        assert "identified" in maker.get(page_of(stray))

    @pytest.mark.parametrize(
        ("given", "told"),
        [
            ({}, "Choose a transfer, or give the id of another one below."),
            ({"other": "trf_1"}, "This is no transfer"),
            ({"other": "7"}, "This is no transfer"),
        ],
    )
    def test_bad_input_is_told_what_to_do(
        self, desk: Treasury, sign_in: SignIn, given: dict[str, str], told: str
    ) -> None:
        desk.moved()
        stray = desk.receipt(7_00)
        page = sign_in(Role.MAKER).post(act("identify", RECEIPT), {"item": item(stray), "why": "x", **given})
        assert told in page
        assert not Approval.objects.exists()

    def test_a_day_before_it_came_is_refused_in_the_form(self, desk: Treasury, sign_in: SignIn) -> None:
        desk.moved()
        stray = desk.receipt(7_00)
        form = {"item": item(stray), "bank_reference": "OUT-1", "paid_on": "2020-01-01", "why": "Unknown sender."}
        assert "when it came, to today" in sign_in(Role.MAKER).post(act("sent_back", RECEIPT), form)
        form["paid_on"] = desk.day.isoformat()
        assert "a second person decides" in sign_in(Role.MAKER).post(act("sent_back", RECEIPT), form)

    def test_an_auditor_reads_and_decides_nothing(self, desk: Treasury, sign_in: SignIn) -> None:
        desk.moved()
        stray = desk.receipt(7_00)
        auditor = sign_in(Role.AUDITOR)
        assert act("identify", RECEIPT) not in auditor.get(page_of(stray))
        assert auditor.client.post(act("identify", RECEIPT), {"item": item(stray)}).status_code == 403


class TestTheFloat:
    def test_shows_what_is_the_firms_what_is_out_and_what_moved_it(self, desk: Treasury, sign_in: SignIn) -> None:
        (transfer,) = desk.moved(amount=AMOUNT)
        desk.takes_back(transfer)
        console = sign_in(Role.MAKER)
        assert "The float is used up." in console.get(FLOAT)
        desk.funds_float(3 * AMOUNT, "IN-1")
        page = console.get(FLOAT)
        for text in ("USD 30,000.00", "USD 10,000.00", "USD 20,000.00", "IN-1", transfer.public_id[:8]):
            assert text in page
        assert "The float is used up." not in page

    def test_a_maker_asks_to_put_in_and_a_checker_agrees(self, desk: Treasury, sign_in: SignIn) -> None:
        desk.moved()
        maker, checker = sign_in(Role.MAKER), sign_in(Role.CHECKER)
        assert "float/put-in/?currency=USD" in maker.get(FLOAT)
        desk.arrives(50_00, reference="IN-9")
        form = {"currency": "USD", "amount": "50.00", "bank_reference": "IN-9", "paid_on": desk.day.isoformat()}
        assert "This field is required" in maker.post(f"{FLOAT}put-in/", form)
        assert "second person decides" in maker.post(f"{FLOAT}put-in/", {**form, "why": "Initial float."})
        assert not FloatMovement.objects.exists()
        assert "Approved." in agree(checker)
        assert firm.float_of("USD").free == 50_00

    def test_what_waits_for_a_second_person_stands_on_its_page(self, desk: Treasury, sign_in: SignIn) -> None:
        desk.moved()
        maker, checker = sign_in(Role.MAKER, username="mara"), sign_in(Role.CHECKER)
        assert "Waiting for a second person" not in maker.get(FLOAT)
        desk.arrives(50_00, reference="IN-9")
        form = {"currency": "USD", "amount": "50.00", "bank_reference": "IN-9", "paid_on": desk.day.isoformat()}
        maker.post(f"{FLOAT}put-in/", {**form, "why": "Initial float."})
        page = checker.get(FLOAT)
        for text in ("Waiting for a second person, in USD", "USD 50.00", "IN-9", "mara"):
            assert text in page
        assert page_of(Approval.objects.get()) in page
        agree(checker)
        assert "Waiting for a second person" not in checker.get(FLOAT)

    def test_a_currency_that_there_is_not_is_no_page_and_none_is_chosen_unasked(
        self, desk: Treasury, sign_in: SignIn
    ) -> None:
        desk.moved()
        maker = sign_in(Role.MAKER)
        assert maker.status(f"{FLOAT}put-in/?currency=XXX") == 404
        assert '<option value="USD" selected>' in maker.get(f"{FLOAT}put-in/", currency="USD")
        factories.make_account(factories.make_investor(), currency="EUR")
        page = maker.get(f"{FLOAT}put-in/")
        assert '<option value="" selected>choose one</option>' in page
        assert '<option value="USD">' in page

    @pytest.mark.parametrize(
        ("days", "told"),
        [(1, "This day is in the future. Today is"), (-401, "This day is too long ago. Give one from")],
    )
    def test_a_wrong_day_is_told_in_words_beside_its_field(
        self, desk: Treasury, sign_in: SignIn, days: int, told: str
    ) -> None:
        desk.moved()
        day = (desk.day + timedelta(days=days)).isoformat()
        form = {"currency": "USD", "amount": "50.00", "bank_reference": "IN-9", "paid_on": day, "why": "Float."}
        page = sign_in(Role.MAKER).post(f"{FLOAT}put-in/", form)
        assert told in page
        assert "paid_on&#x27; is a day" not in page
        assert not Approval.objects.exists()

    def test_taking_out_too_much_is_told_what_to_do(self, desk: Treasury, sign_in: SignIn) -> None:
        desk.moved()
        form = {
            "currency": "USD",
            "amount": "0.01",
            "bank_reference": "O-1",
            "paid_on": desk.day.isoformat(),
            "why": "x",
        }
        page = sign_in(Role.MAKER).post(f"{FLOAT}take-out/", form)
        assert "Take out less, or recover the advances first." in page

    def test_an_auditor_looks_and_asks_nothing(self, desk: Treasury, sign_in: SignIn) -> None:
        desk.moved()
        auditor = sign_in(Role.AUDITOR)
        assert "put-in" not in auditor.get(FLOAT)
        assert auditor.status(f"{FLOAT}put-in/") == 403
        assert sign_in(is_staff=True).status(FLOAT) == 403

    def test_no_other_deed_has_a_page(self, desk: Treasury, sign_in: SignIn) -> None:
        assert sign_in(Role.MAKER).status(f"{FLOAT}give-away/") == 404


class TestATransfersMoney:
    def test_an_advance_offers_its_receipt_and_the_write_off(self, desk: Treasury, sign_in: SignIn) -> None:
        (transfer,) = desk.moved(amount=AMOUNT)
        desk.takes_back(transfer)
        desk.funds_float(3 * AMOUNT)
        stray = desk.receipt(400_000)
        maker, checker = sign_in(Role.MAKER), sign_in(Role.CHECKER)
        page = maker.get(page_of(transfer))
        assert act("write_off") in page
        assert act("identify") in page
        assert "USD 10,000.00 is advanced." in maker.get(act("write_off"), item=self.now(transfer))
        form = {"item": self.now(transfer), "receipt": str(stray.pk), "why": "By name."}
        assert "a second person decides" in maker.post(act("identify"), form)
        agree(checker)
        assert firm.open_claims("USD") == {transfer.pk: 600_000}
        form = {"item": self.now(transfer), "why": "Insolvent."}
        assert "a second person decides" in maker.post(act("write_off"), form)
        agree(checker)
        assert firm.open_claims("USD") == {}

    def test_a_small_top_up_is_done_and_a_large_one_asked_for(
        self, desk: Treasury, sign_in: SignIn, settings: Any
    ) -> None:
        settings.BRIDGE_POLICY = {"short_pay": "hold"}
        transfer = desk.short_paid(by=500_00)
        desk.funds_float(1_000_00)
        maker, checker = sign_in(Role.MAKER), sign_in(Role.CHECKER)
        assert "USD 500.00 is missing" in maker.get(act("top_up"), item=self.now(transfer))
        small = {"item": self.now(transfer), "amount": "10", "why": "A fee of ours."}
        assert "Topped up." in maker.post(act("top_up"), small)
        much = {"item": self.now(transfer), "amount": "491.00", "why": "A fee of ours."}
        told = maker.post(act("top_up"), much)
        assert "Nothing was changed." in told
        assert 'name="amount" value="491.00"' in told
        assert "A fee of ours." in told
        large = {"item": self.now(transfer), "amount": "490.00", "why": "A fee of ours."}
        assert "second person decides" in maker.post(act("top_up"), large)
        agree(checker)
        assert desk.fresh(transfer).amount == 100_000_00

    def test_redirect_and_refund_elsewhere_from_the_page(self, desk: Treasury, sign_in: SignIn) -> None:
        transfer, other = waiting(desk), desk.fund()
        maker, checker = sign_in(Role.MAKER), sign_in(Role.CHECKER)
        assert act("redirect") in maker.get(page_of(transfer))
        form = {"item": self.now(transfer), "fund": str(other.pk), "why": "In writing."}
        assert "a second person decides" in maker.post(act("redirect"), form)
        agree(checker)
        assert desk.fresh(transfer).fund_id == other.pk
        desk.run(rounds=6)  # so that it is out of the way of the faults to come
        stuck = refused(desk)
        account = verified(desk, stuck)
        shown = maker.get(act("pay_elsewhere"), item=self.now(stuck))
        assert f"···{account.number_last4}" in shown
        assert account.reveal_number() not in shown
        form = {"item": self.now(stuck), "account": str(account.pk), "why": "Called back."}
        assert "a second person decides" in maker.post(act("pay_elsewhere"), form)
        agree(checker)
        assert desk.fresh(stuck).refund_account_id == account.pk

    def now(self, transfer: Transfer) -> str:
        return item(Transfer.objects.get(pk=transfer.pk))


class TestReversals:
    def test_a_mistake_is_reversed_from_the_page_of_its_posting(self, desk: Treasury, sign_in: SignIn) -> None:
        desk.moved()
        desk.funds_float(100_00, "IN-1", stated=False)
        posting = Posting.objects.get(row="A3")
        url = reverse("admin:transfers_reverse", args=[posting.pk])
        maker, checker = sign_in(Role.MAKER), sign_in(Role.CHECKER)
        assert url in maker.get(page_of(posting))
        assert "movement of the firm" in maker.get(url)
        assert "This field is required" in maker.post(url, {})
        assert "second person decides" in maker.post(url, {"why": "A wrong amount."})
        agree(checker)
        assert firm.float_of("USD").own == 0
        assert url not in maker.get(page_of(posting))

    def test_what_a_bank_told_has_no_button_and_says_why(self, desk: Treasury, sign_in: SignIn) -> None:
        desk.moved()
        posting = Posting.objects.filter(row="W2").latest("id")
        url = reverse("admin:transfers_reverse", args=[posting.pk])
        maker = sign_in(Role.MAKER)
        assert url not in maker.get(page_of(posting))
        assert "only the bank can put right" in maker.client.get(url, follow=True).content.decode()

    def test_an_auditor_reverses_nothing(self, desk: Treasury, sign_in: SignIn) -> None:
        desk.moved()
        desk.funds_float(100_00, "IN-1", stated=False)
        url = reverse("admin:transfers_reverse", args=[Posting.objects.get(row="A3").pk])
        assert sign_in(Role.AUDITOR).status(url) == 403


def test_the_timeline_tells_of_money_in_money(desk: Treasury, sign_in: SignIn) -> None:
    (transfer,) = desk.moved(amount=AMOUNT)
    desk.takes_back(transfer)
    stray = desk.receipt(400_000)
    desk.agreed("receipt.identify", stray.id, {"transfer": str(transfer.id), "why": "By name."})
    page = sign_in(Role.AUDITOR).get(page_of(transfer))
    assert "advance: USD 10,000.00" in page
    assert "amount received: USD 4,000.00" in page
    assert "repaid: USD 4,000.00" in page
    assert page_of(stray) in page
