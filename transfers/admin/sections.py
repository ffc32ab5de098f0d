"""Transfers on the pages of accounts, investors and funds, and postings on the page of an instruction."""

from __future__ import annotations

from typing import Any

from django.db.models import Model
from django.http import HttpRequest

from accounts.ledger.models import Posting
from bridge.console.display import amount, badge, id_link, link, link_to, rows_url, when
from bridge.console.pages import Table, section
from transfers.models import Transfer

NEWEST = 10


def _table(rows: list[Transfer], more: str) -> Table:
    return Table(
        title="Newest transfers",
        headers=("transfer", "state", "amount", "investor", "fund", "requested"),
        rows=[
            (
                id_link("transfer", "transfers.transfer", row.pk),
                badge(row.state),
                amount(row.amount, row.currency),
                link_to(row.investor),
                link_to(row.fund),
                when(row.created_at),
            )
            for row in rows
        ],
        empty="No transfer yet.",
        more=more if rows else "",
        numeric=frozenset({2}),
    )


def _newest(public_id: str, **condition: Any) -> Table:
    rows = Transfer.objects.filter(**condition).select_related("investor", "fund").order_by("-id")[:NEWEST]
    return _table(list(rows), rows_url("transfers.transfer", q=public_id))


@section("accounts.investoraccount", permission="transfers.view_transfer", order=10)
def of_account(request: HttpRequest, account: Any) -> Table:
    return _newest(account.public_id, source_account_id=account.pk)


@section("accounts.investor", permission="transfers.view_transfer", order=30)
def of_investor(request: HttpRequest, investor: Any) -> Table:
    return _newest(investor.public_id, investor_id=investor.pk)


@section("funds.fund", permission="transfers.view_transfer", order=30)
def of_fund(request: HttpRequest, fund: Any) -> Table:
    return _newest(fund.public_id, fund_id=fund.pk)


@section("transfers.bankinstruction", permission="ledger.view_posting", order=10)
def postings_of_instruction(request: HttpRequest, instruction: Model) -> Table:
    # By transfer, which is indexed: a transfer has a few dozen postings at most.
    postings = Posting.objects.filter(transfer_id=instruction.transfer_id).order_by("id")  # type: ignore[attr-defined]
    rows = [row for row in postings if row.instruction_id == instruction.pk]
    return Table(
        title="Postings",
        headers=("row", "bank's date", "written"),
        rows=[(link("ledger.posting", row.pk, row.row), when(row.effective_at), when(row.created_at)) for row in rows],
        empty="Nothing was posted for it yet.",
    )
