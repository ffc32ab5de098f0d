"""What people type or hear on the phone, looked for from every page: names, external ids and references of banks.

Each finder asks an index, a small table, or the newest rows of a large one, and shows a few.
"""

from __future__ import annotations

from collections.abc import Iterator

from django.db.models import Q

from accounts.models import Investor
from bridge.console.display import money_text
from bridge.console.finding import Found, finder, newest
from funds.models import Fund
from transfers import references
from transfers.models import BankInstruction, Transfer
from transfers.states import State

SHORTEST_NAME = 3
SHORTEST_REFERENCE = 4
NEWEST_INVESTORS = 100_000
SHOWN = 8


def investors_named(term: str, most: int) -> list[Investor]:
    """Among the newest investors, those with this in their name."""
    rows = Investor.objects.filter(newest(Investor, NEWEST_INVESTORS), legal_name__plainly=term)
    return list(rows.order_by()[:most])


def funds_named(term: str) -> list[Fund]:
    """Those with this in their name or code; a house has few funds."""
    return list(Fund.objects.filter(Q(name__plainly=term) | Q(code__icontains=term)).order_by("name"))


@finder("funds.view_fund")
def find_funds(term: str) -> Iterator[Found]:
    if len(term) >= SHORTEST_NAME:
        for fund in funds_named(term)[:SHOWN]:
            yield Found(fund.name, f"Fund {fund.code}, {fund.get_status_display()}", "fund", fund.pk)


@finder("accounts.view_investor")
def find_investors(term: str) -> Iterator[Found]:
    if len(term) >= SHORTEST_NAME:
        for investor in investors_named(term, SHOWN):
            yield Found(investor.legal_name, f"Investor, {investor.get_kind_display()}", "investor", investor.pk)


@finder("transfers.view_transfer")
def find_by_external_id(term: str) -> Iterator[Found]:
    rows = Transfer.objects.filter(external_id=term).select_related("investor", "fund")
    for transfer in rows.order_by("-id")[:SHOWN]:
        yield _transfer(term, transfer)


@finder("transfers.view_transfer", "transfers.view_bankinstruction")
def find_by_reference(term: str) -> Iterator[Found]:
    """By our reference or key, and among the newest by the bank's own."""
    if len(term) < SHORTEST_REFERENCE:
        return
    ours = references.of_ours(term)
    if ours is None:
        ours = newest(BankInstruction) & (Q(reference=term) | Q(institution_reference=term))
    legs = BankInstruction.objects.filter(ours).select_related("transfer__investor", "transfer__fund")
    for leg in legs.order_by("-id")[:SHOWN]:
        name = leg.institution_reference if term == leg.institution_reference else leg.reference
        yield _transfer(name, leg.transfer, f"{leg.get_kind_display()}, {leg.get_state_display()}, ")


def _transfer(title: str, transfer: Transfer, leg: str = "") -> Found:
    way = f"{transfer.investor} → {transfer.fund}"
    words = f"{leg}transfer of {money_text(transfer.amount, transfer.currency)}, {way}, {State(transfer.state).label}"
    return Found(title, f"{words[:1].upper()}{words[1:]}", "transfer", transfer.pk)
