"""Opening accounts and posting: balances follow entries, once per account and batch."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from accounts.ledger import rows, services
from accounts.ledger.kinds import CURRENCY_KINDS, FUND_KINDS, INVESTOR_KINDS, Kind
from accounts.ledger.models import Entry, LedgerAccount, Posting
from accounts.ledger.queries import by_transfer, money_on_the_bridge
from accounts.ledger.rows import Draft, Parties
from bridge.kernel import bulk, ids
from tests.integration.ledger.books import AT, BANK_DATE, Books, broken, broken_books, line, post, refused

AMOUNT = 250_000


class TestOpening:
    def test_an_investor_account_a_fund_and_the_currency_get_their_accounts(self, books: Books) -> None:
        opened = set(LedgerAccount.objects.values_list("owner_id", "kind"))
        assert opened == {
            *((books.who.account_id, str(kind)) for kind in INVESTOR_KINDS),
            *((books.who.fund_id, str(kind)) for kind in FUND_KINDS),
            *((None, str(kind)) for kind in CURRENCY_KINDS),
        }

    def test_opening_twice_changes_nothing(self, books: Books) -> None:
        post(rows.withdrawal_submitted(books.who, amount=AMOUNT))
        before = list(LedgerAccount.objects.order_by("id").values())
        services.open_accounts(owners=[(books.who.account_id, "USD")], kinds=INVESTOR_KINDS)
        assert list(LedgerAccount.objects.order_by("id").values()) == before

    def test_the_accounts_of_a_currency_exist_once(self, books: Books) -> None:
        with refused("ledger_account_once"):
            LedgerAccount.objects.create(owner_id=None, kind=Kind.FEES, currency="USD")

    @pytest.mark.django_db(transaction=True)
    def test_outside_a_unit_of_work_nothing_is_opened(self) -> None:
        with pytest.raises(RuntimeError, match="unit of work"):
            services.open_accounts(owners=[(ids.new_id(), "USD")], kinds=INVESTOR_KINDS)


class TestPosting:
    def test_balances_follow_the_entries(self, books: Books) -> None:
        post(rows.withdrawal_submitted(books.who, amount=AMOUNT))
        assert books.of_investor(Kind.CASH) == -AMOUNT
        assert books.of_investor(Kind.WITHDRAWAL_IN_TRANSIT) == AMOUNT
        post(rows.withdrawal_settled(books.who, amount=AMOUNT, credited=AMOUNT - 25, fee=25))
        assert books.of_investor(Kind.WITHDRAWAL_IN_TRANSIT) == 0
        assert books.of_investor(Kind.CLEARING) == AMOUNT - 25
        assert books.shared(Kind.FEES) == 25
        assert money_on_the_bridge() == {"USD": AMOUNT - 25}
        assert by_transfer([books.who.transfer_id])[books.who.transfer_id][Kind.CLEARING] == AMOUNT - 25
        assert broken_books() == {}

    def test_a_posting_keeps_the_banks_date_beside_ours(self, books: Books) -> None:
        (posting,) = post(rows.withdrawal_submitted(books.who, amount=AMOUNT))
        stored = Posting.objects.get(pk=posting.pk)
        assert (stored.row, stored.effective_at, stored.created_at) == ("W1", BANK_DATE, AT)
        assert stored.transfer_id == books.who.transfer_id

    def test_every_entry_carries_its_transfer(self, books: Books) -> None:
        post(rows.withdrawal_submitted(books.who, amount=AMOUNT))
        assert set(Entry.objects.values_list("transfer_id", flat=True)) == {books.who.transfer_id}

    def test_a_draft_without_lines_is_not_written(self, books: Books) -> None:
        assert post(Draft("W1", "USD", (), AT)) == []
        assert not Posting.objects.exists()

    def test_a_posting_and_its_negation_leave_the_balance_as_it_was(self, books: Books) -> None:
        first = rows.withdrawal_submitted(books.who, amount=AMOUNT)
        second = rows.withdrawal_rejected(books.who, amount=AMOUNT)
        post(first, second)
        assert books.of_investor(Kind.CASH) == 0
        assert books.account(Kind.CASH).version == 1
        assert broken_books() == {}

    def test_an_account_that_was_never_opened(self, books: Books) -> None:
        stranger = Parties(ids.new_id(), ids.new_id(), books.who.fund_id, "USD", AT)
        with pytest.raises(LookupError, match="No such ledger account"):
            post(rows.withdrawal_submitted(stranger, amount=AMOUNT))
        assert not Posting.objects.exists()

    def test_an_account_of_another_currency_does_not_do(self, books: Books) -> None:
        euros = Parties(ids.new_id(), books.who.account_id, books.who.fund_id, "EUR", AT)
        with pytest.raises(LookupError):
            post(rows.withdrawal_submitted(euros, amount=AMOUNT))

    @pytest.mark.django_db(transaction=True)
    def test_outside_a_unit_of_work_nothing_is_posted(self) -> None:
        with pytest.raises(RuntimeError, match="unit of work"):
            services.post(drafts=[], at=AT)

    def test_a_charge_on_no_payment_carries_no_transfer(self, books: Books) -> None:
        post(rows.bank_charge(currency="USD", amount=1_500, effective_at=BANK_DATE))
        assert books.shared(Kind.FEES) == 1_500
        assert books.shared(Kind.FIRM_ADVANCE) == -1_500
        assert broken().keys() <= {
            "I12 booked"
        }  # which wants the movement of the float that the treasury writes with it


class TestBatches:
    @pytest.mark.parametrize("size", [1, 10, 400])
    def test_the_number_of_statements_does_not_grow(self, books: Books, size: int) -> None:
        drafts = [rows.withdrawal_submitted(books.new_transfer(), amount=n + 1) for n in range(size)]
        with CaptureQueriesContext(connection) as queries:
            services.post(drafts=drafts, at=AT)
        kinds = [query["sql"].lstrip().split()[0] for query in queries.captured_queries]
        few = ["INSERT" if len(written) <= bulk.FEW else "COPY" for written in (drafts, [*drafts, *drafts])]
        assert kinds == ["SELECT", "SELECT", *few, "UPDATE"]

    def test_one_update_moves_each_account_by_the_sum_of_its_lines(self, books: Books) -> None:
        drafts = [rows.withdrawal_submitted(books.new_transfer(), amount=n + 1) for n in range(100)]
        post(*drafts)
        assert books.of_investor(Kind.CASH) == -5_050
        assert books.account(Kind.CASH).version == 1
        assert Entry.objects.count() == 200
        assert broken_books() == {}

    def test_the_order_of_a_batch_does_not_matter_only_its_sum(self, books: Books) -> None:
        """Clearing may be left before it is entered, as long as the commit is not below zero."""
        who = books.who
        post(
            rows.deposit_submitted(who, amount=AMOUNT),
            rows.withdrawal_settled(who, amount=AMOUNT, credited=AMOUNT),
            rows.withdrawal_submitted(who, amount=AMOUNT),
        )
        assert books.of_fund(Kind.DEPOSIT_IN_TRANSIT) == AMOUNT
        assert broken_books() == {}


class TestTheCheckSeesWhatTheTriggersCannot:
    def test_a_balance_that_somebody_set(self, books: Books) -> None:
        LedgerAccount.objects.filter(owner_id=books.who.account_id, kind=Kind.CLEARING).update(balance=7)
        (row,) = broken()["I2"]
        assert (row["balance"], row["entries"]) == (7, 0)

    def test_an_entry_on_the_bridge_that_belongs_to_no_transfer(self, books: Books) -> None:
        lines = (line(books.who.account_id, Kind.CLEARING, 9), line(books.who.account_id, Kind.CASH, -9))
        post(Draft("W5", "USD", lines, AT))
        assert len(broken()["I9 tags"]) == 2
