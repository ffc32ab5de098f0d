"""What the database refuses about postings and entries, whoever writes and by whatever way."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.db import connection

from accounts.ledger import rows
from accounts.ledger.kinds import SIGNED_KINDS, Kind
from accounts.ledger.models import Entry, LedgerAccount, Posting
from bridge.kernel import bulk, ids
from tests.integration.ledger.books import AT, Books, broken, broken_books, open_books, post, raw_posting, refused

AMOUNT = 250_000
Write = Callable[[list[Entry]], None]


def by_orm(entries: list[Entry]) -> None:
    Entry.objects.bulk_create(entries)


def by_array(entries: list[Entry]) -> None:
    bulk.insert(Entry, entries)


def by_sql(entries: list[Entry]) -> None:
    values = ", ".join(["(%s, %s, %s)"] * len(entries))
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO ledger_entry (posting_id, account_id, amount) VALUES {values}",
            [value for entry in entries for value in (entry.posting_id, entry.account_id, entry.amount)],
        )


every_way = pytest.mark.parametrize("write", [by_orm, by_array, by_sql])


class TestUnbalanced:
    @every_way
    def test_a_posting_that_does_not_sum_to_zero(self, books: Books, write: Write) -> None:
        posting, cash, clearing = raw_posting(), books.account(Kind.CASH), books.account(Kind.CLEARING)
        with refused("posting_not_balanced"):
            write(
                [
                    Entry(posting=posting, account=clearing, amount=AMOUNT),
                    Entry(posting=posting, account=cash, amount=1 - AMOUNT),
                ]
            )
        assert not Entry.objects.exists()

    @every_way
    def test_two_postings_that_balance_only_together(self, books: Books, write: Write) -> None:
        first, second, cash = raw_posting(), raw_posting(), books.account(Kind.CASH)
        with refused("posting_not_balanced"):
            write([Entry(posting=first, account=cash, amount=1), Entry(posting=second, account=cash, amount=-1)])

    @every_way
    def test_two_currencies_that_balance_only_together(self, books: Books, write: Write) -> None:
        posting = raw_posting()
        euros = LedgerAccount.objects.create(owner_id=ids.new_id(), kind=Kind.CASH, currency="EUR")
        with refused("posting_not_balanced"):
            write(
                [
                    Entry(posting=posting, account=euros, amount=AMOUNT),
                    Entry(posting=posting, account=books.account(Kind.CASH), amount=-AMOUNT),
                ]
            )

    @every_way
    def test_the_two_sides_in_two_inserts(self, books: Books, write: Write) -> None:
        posting = raw_posting()
        with refused("posting_not_balanced"):
            write([Entry(posting=posting, account=books.account(Kind.CLEARING), amount=AMOUNT)])
            write([Entry(posting=posting, account=books.account(Kind.CASH), amount=-AMOUNT)])

    def test_an_entry_of_nothing(self, books: Books) -> None:
        posting = raw_posting()
        with refused("entry_not_zero"):
            by_orm([Entry(posting=posting, account=books.account(Kind.CASH), amount=0)])


@pytest.mark.django_db(transaction=True)
class TestOldPostings:
    @every_way
    def test_entries_for_a_posting_of_another_transaction(self, write: Write) -> None:
        books = open_books()
        (posting,) = post(rows.withdrawal_submitted(books.who, amount=AMOUNT))
        cash, clearing = books.account(Kind.CASH), books.account(Kind.CLEARING)
        with refused("entry_of_old_posting"):
            write([Entry(posting=posting, account=clearing, amount=5), Entry(posting=posting, account=cash, amount=-5)])
        assert Entry.objects.filter(posting=posting).count() == 2
        assert broken_books() == {}

    def test_a_posting_that_never_got_entries_is_named_by_the_check(self) -> None:
        posting = raw_posting()
        assert [row["posting"] for row in broken()["I1"]] == [posting.id]


class TestAccountsStay:
    """Entries have no foreign keys: what those would keep, triggers keep."""

    @every_way
    def test_an_entry_of_an_account_that_nobody_opened(self, books: Books, write: Write) -> None:
        posting, cash = raw_posting(), books.account(Kind.CASH)
        unknown = Entry(posting=posting, account_id=10**12, amount=1)
        with refused("entry_without_account"):
            write([unknown, Entry(posting=posting, account=cash, amount=-1)])
        with refused("entry_without_account"):
            write([unknown, Entry(posting=posting, account_id=10**12, amount=-1)])

    @every_way
    def test_an_entry_of_a_posting_that_does_not_exist(self, books: Books, write: Write) -> None:
        unknown, cash = ids.new_id(), books.account(Kind.CASH)
        with refused("entry_of_old_posting"):
            write([Entry(posting_id=unknown, account=cash, amount=amount) for amount in (1, -1)])

    @pytest.mark.parametrize("statement", ["DELETE FROM {table} WHERE id = 0", "TRUNCATE {table} CASCADE"])
    def test_an_account_is_never_deleted(self, books: Books, statement: str) -> None:
        with refused("never_deleted"), connection.cursor() as cursor:
            cursor.execute(statement.format(table="ledger_ledgeraccount"))

    @pytest.mark.parametrize("change", [{"id": 1}, {"owner_id": None}, {"kind": Kind.FEES}, {"currency": "EUR"}])
    def test_an_account_stays_what_it_is(self, books: Books, change: dict[str, object]) -> None:
        with refused("stays_what_it_is"):
            LedgerAccount.objects.filter(pk=books.account(Kind.CASH).pk).update(**change)

    def test_the_check_names_entries_that_point_to_nothing(self, books: Books) -> None:
        """Somebody has switched the triggers off."""
        posting = raw_posting()
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL session_replication_role = replica")
            by_sql([Entry(posting=posting, account_id=10**12, amount=amount) for amount in (1, -1)])
            cursor.execute("SET LOCAL session_replication_role = origin")
        assert [row["account"] for row in broken()["I1 keys"]] == [10**12, 10**12]


class TestAppendOnly:
    def test_updates_through_the_orm(self, books: Books) -> None:
        (posting,) = post(rows.withdrawal_submitted(books.who, amount=AMOUNT))
        with refused("append_only"):
            Posting.objects.update(row="W2")
        with refused("append_only"):
            Entry.objects.filter(posting=posting).update(amount=1)
        entry = Entry.objects.filter(posting=posting).first()
        assert entry is not None
        entry.amount = 1
        with refused("append_only"):
            entry.save()

    def test_bulk_updates(self, books: Books) -> None:
        (posting,) = post(rows.withdrawal_submitted(books.who, amount=AMOUNT))
        entries = list(posting.entries.all())
        with refused("append_only"):
            Entry.objects.bulk_update(entries, ["amount"])
        with refused("append_only"):
            bulk.update(Entry, entries, fields=["amount"])

    def test_deletes_through_the_orm(self, books: Books) -> None:
        (posting,) = post(rows.withdrawal_submitted(books.who, amount=AMOUNT))
        with refused("append_only"):
            Entry.objects.all().delete()
        with refused("append_only"):
            Posting.objects.filter(pk=posting.pk)._raw_delete("default")

    @pytest.mark.parametrize("table", ["ledger_posting", "ledger_entry"])
    @pytest.mark.parametrize(
        "statement", ["UPDATE {table} SET id = id", "DELETE FROM {table}", "TRUNCATE {table} CASCADE"]
    )
    def test_raw_statements(self, books: Books, table: str, statement: str) -> None:
        post(rows.withdrawal_submitted(books.who, amount=AMOUNT))
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")  # or TRUNCATE fails for waiting foreign keys
            with refused("append_only"):
                cursor.execute(statement.format(table=table))

    def test_even_a_statement_that_meets_no_row(self, books: Books) -> None:
        with refused("append_only"), connection.cursor() as cursor:
            cursor.execute("DELETE FROM ledger_entry WHERE false")


class TestBelowZero:
    @pytest.mark.parametrize("kind", sorted(set(Kind) - set(SIGNED_KINDS)))
    def test_a_place_on_the_bridge_never_owes(self, books: Books, kind: Kind) -> None:
        account, _ = LedgerAccount.objects.get_or_create(owner_id=books.who.account_id, kind=kind, currency="USD")
        with refused("ledger_balance_not_negative"):
            LedgerAccount.objects.filter(pk=account.pk).update(balance=-1)

    @pytest.mark.parametrize("kind", SIGNED_KINDS)
    def test_other_peoples_books_may_have_either_sign(self, books: Books, kind: Kind) -> None:
        account, _ = LedgerAccount.objects.get_or_create(owner_id=books.who.account_id, kind=kind, currency="USD")
        assert LedgerAccount.objects.filter(pk=account.pk).update(balance=-1) == 1

    def test_a_posting_that_would_overdraw_clearing_writes_nothing(self, books: Books) -> None:
        with refused("ledger_balance_not_negative"):
            post(rows.deposit_submitted(books.who, amount=AMOUNT))
        assert not Posting.objects.exists()
        assert books.of_fund(Kind.DEPOSIT_IN_TRANSIT) == 0

    def test_a_second_deposit_of_the_same_money(self, books: Books) -> None:
        post(rows.withdrawal_submitted(books.who, amount=AMOUNT))
        post(rows.withdrawal_settled(books.who, amount=AMOUNT, credited=AMOUNT))
        post(rows.deposit_submitted(books.who, amount=AMOUNT))
        with refused("ledger_balance_not_negative"):
            post(rows.deposit_submitted(books.who, amount=AMOUNT))


class TestReversals:
    def test_a_posting_is_reversed_once(self, books: Books) -> None:
        (posting,) = post(rows.withdrawal_submitted(books.who, amount=AMOUNT))
        Posting.objects.create(row="X2", effective_at=AT, created_at=AT, reverses=posting)
        with refused("reverses"):
            Posting.objects.create(row="X2", effective_at=AT, created_at=AT, reverses=posting)

    def test_a_posting_does_not_reverse_itself(self, db: None) -> None:
        new_id = ids.new_id()
        with refused("posting_not_its_own_reversal"):
            Posting.objects.create(id=new_id, row="X2", effective_at=AT, created_at=AT, reverses_id=new_id)
