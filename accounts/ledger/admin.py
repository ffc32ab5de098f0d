"""The ledger, to read: where money is, and how it came there."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Model, Q, QuerySet
from django.http import HttpRequest
from unfold.decorators import display

from accounts.ledger.kinds import FUND_KINDS, Kind
from accounts.ledger.models import Entry, LedgerAccount, Posting
from bridge.console.base import ReadOnlyAdmin
from bridge.console.display import EMPTY, amount, id_link, link, public_id, rows_link, when, whole_id
from bridge.console.named import named
from bridge.console.pages import Table, names, section
from bridge.console.recent import recent

# The rows of the posting table, as `accounts.ledger.rows` draws them up.
_ROWS = {"W": 5, "D": 5, "R": 5, "A": 4, "S": 3, "F": 1, "Z": 2, "X": 2}


def rows_of_the_table() -> list[str]:
    return [f"{letter}{number}" for letter, most in _ROWS.items() for number in range(1, most + 1)]


def account_text(account: LedgerAccount) -> str:
    return link("ledger.ledgeraccount", account.pk, f"{account.get_kind_display()} · {account.currency}")


def _name_owners(request: HttpRequest, rows: Iterable[Any]) -> None:
    """Have the apps that know the owners name them, once for all rows."""
    owned = [row for row in rows if row.owner_id is not None]
    known = names(request, "owner", {row.owner_id for row in owned})
    for row in owned:
        row.owner_names = known


@admin.register(LedgerAccount)
class LedgerAccountAdmin(ReadOnlyAdmin):
    list_display = ("name", "owner", "shown_balance", "version")
    list_filter = ("kind", "currency")
    search_fields = ()
    search_help_text = "An id of an investor account or fund (acct_…, fund_…)."
    ordering = ("-id",)
    id_columns: ClassVar = {"account": "owner_id", "fund": "owner_id"}
    fields = ("name", "owner", "shown_balance", "version", "lines")

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        return ("currency__exact",)

    @display(description="account", ordering="kind")
    def name(self, row: LedgerAccount) -> str:
        return f"{row.get_kind_display()} · {row.currency}"

    @display(description="owner")
    def owner(self, row: LedgerAccount) -> str:
        if row.owner_id is None:
            return f"all {row.currency}"
        known: dict[uuid.UUID, Any] = getattr(row, "owner_names", {})
        if row.owner_id in known:
            return str(known[row.owner_id])
        if row.kind in set(FUND_KINDS) - {Kind.CASH}:
            return id_link("fund", "funds.fund", row.owner_id)
        if row.kind == Kind.CASH:
            return str(row.owner_id)  # an investor account or a fund: the ledger does not know which
        return id_link("account", "accounts.investoraccount", row.owner_id)

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        made = super().get_changelist_instance(request)
        made.result_list = list(made.result_list)
        _name_owners(request, made.result_list)
        return made

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        row = super().get_object(request, object_id, from_field)
        _name_owners(request, [row] if row is not None else [])
        return row

    @display(description="balance", ordering="balance")
    def shown_balance(self, row: LedgerAccount) -> str:
        return amount(row.balance, row.currency)

    @display(description="entries")
    def lines(self, row: LedgerAccount) -> str:
        return rows_link("ledger.entry", "show its entries", account__id__exact=row.pk)


@admin.register(Posting)
class PostingAdmin(ReadOnlyAdmin):
    list_display = ("public", "row", "transfer", "instruction", "effective", "created")
    list_filter = (named("row", rows_of_the_table), recent("created_at"))
    search_fields = ("row__exact",)
    search_help_text = "An id of a posting or transfer (pst_…, trf_…), or a row of the posting table (W1, D2 …)."
    ordering = ("-id",)
    id_columns: ClassVar = {"posting": "id", "transfer": "transfer_id"}
    fields = ("identifier", "row", "transfer", "instruction", "effective", "created", "undone")

    def find(self, term: str) -> Q | None:
        return Q(row=term.upper()) if len(term) == 2 else None

    @display(description="posting")
    def public(self, posting: Posting) -> str:
        return public_id("posting", posting.pk)

    @display(description="posting")
    def identifier(self, posting: Posting) -> str:
        return whole_id("posting", posting.pk)

    @display(description="transfer")
    def transfer(self, posting: Posting) -> str:
        return id_link("transfer", "transfers.transfer", posting.transfer_id)

    @display(description="instruction")
    def instruction(self, posting: Posting) -> str:
        return id_link("instruction", "transfers.bankinstruction", posting.instruction_id)

    @display(description="bank's date")
    def effective(self, posting: Posting) -> str:
        return when(posting.effective_at)

    @display(description="written")
    def created(self, posting: Posting) -> str:
        return when(posting.created_at)

    @display(description="reverses")
    def undone(self, posting: Posting) -> str:
        return id_link("posting", "ledger.posting", posting.reverses_id) if posting.reverses_id else EMPTY


@section("ledger.posting", permission="ledger.view_entry", order=10)
def entries_of_posting(request: HttpRequest, posting: Model) -> Table:
    entries = Entry.objects.filter(posting_id=posting.pk).select_related("account").order_by("id")
    return Table(
        title="Entries",
        headers=("account", "amount"),
        rows=[(account_text(entry.account), amount(entry.amount, entry.account.currency)) for entry in entries],
        empty="No entries.",
        numeric=frozenset({1}),
    )


@admin.register(Entry)
class EntryAdmin(ReadOnlyAdmin):
    list_display = ("id", "posting_row", "ledger_account", "shown_amount", "transfer", "created")
    list_filter = ("account__kind", "account__currency")
    list_select_related = ("posting", "account")
    search_fields = ("posting__row__exact",)
    search_help_text = "An id of a posting or transfer (pst_…, trf_…)."
    ordering = ("-id",)
    id_columns: ClassVar = {"posting": "posting_id", "transfer": "transfer_id"}
    fields = ("posting_row", "ledger_account", "shown_amount", "transfer", "created")

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        return lookup == "account__id__exact" or super().lookup_allowed(lookup, value, request)

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).select_related("posting", "account")

    @display(description="posting")
    def posting_row(self, entry: Entry) -> str:
        return link("ledger.posting", entry.posting_id, entry.posting.row)

    @display(description="account")
    def ledger_account(self, entry: Entry) -> str:
        return account_text(entry.account)

    @display(description="amount", ordering="amount")
    def shown_amount(self, entry: Entry) -> str:
        return amount(entry.amount, entry.account.currency)

    @display(description="transfer")
    def transfer(self, entry: Entry) -> str:
        return id_link("transfer", "transfers.transfer", entry.transfer_id)

    @display(description="written")
    def created(self, entry: Entry) -> str:
        return when(entry.posting.created_at)
