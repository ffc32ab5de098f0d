"""To which transfer a receipt may belong: a short list for people, by what its sender wrote, by amount and by name.

It only suggests. Two people decide, and the service judges again.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Iterable
from dataclasses import dataclass, field

from django.db.models import Q

from accounts.ledger import firm
from accounts.models import Investor
from bridge.kernel import ids
from bridge.kernel.errors import MalformedId
from bridge.kernel.money import display
from transfers.models import BankInstruction, Receipt, Transfer
from transfers.references import by_name
from transfers.services.identifying import TAKES_MONEY

MOST = 10
LOOKED_AT = 50  # per way of finding
_TRANSFER = re.compile(r"trf_[0-9a-z]{26}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{3,99}")
_QUOTED, _CLAIMED, _AMOUNT, _NAMED = 100, 60, 30, 20


@dataclass(slots=True)
class Likely:
    transfer: Transfer
    points: int = 0
    reasons: list[str] = field(default_factory=list)


def likely_transfers(receipt: Receipt) -> list[Likely]:
    """The likeliest first, at most ten, each with its reasons. A few queries, whatever the number of transfers."""
    found: dict[uuid.UUID, Likely] = {}

    def add(rows: Iterable[Transfer], points: int, reason: str) -> None:
        for row in rows:
            item = found.setdefault(row.id, Likely(row))
            item.points += points
            item.reasons.append(reason)

    usable = Transfer.objects.filter(currency=receipt.currency, state__in=TAKES_MONEY)
    usable = usable.select_related("investor", "fund", "source_account")
    add(usable.filter(_quoted(receipt.reference))[:LOOKED_AT], _QUOTED, "named in the reference")
    claims = firm.open_claims(receipt.currency)
    exact = [transfer_id for transfer_id, claim in claims.items() if claim == receipt.amount]
    open_ = display(receipt.amount, receipt.currency)
    add(usable.filter(pk__in=exact[:LOOKED_AT]), _CLAIMED, f"the firm has advanced exactly {open_} for it")
    same = usable.filter(work__isnull=False, amount=receipt.amount)
    add(same[:LOOKED_AT], _AMOUNT, "open, with this very amount")
    add(_of_sender(receipt, claims), _NAMED, "the investor's name is the sender's")
    return sorted(found.values(), key=lambda item: (-item.points, -item.transfer.id.int))[:MOST]


def _quoted(text: str) -> Q:
    """Our ids, our references and external ids, wherever they stand in the text."""
    named = []
    for public in _TRANSFER.findall(text.lower()):
        try:
            named.append(ids.decode("transfer", public))
        except MalformedId:
            continue
    words = _WORD.findall(text)[:LOOKED_AT]
    legs = BankInstruction.objects.filter(by_name(words))
    return Q(pk__in=named) | Q(pk__in=list(legs.values_list("transfer_id", flat=True))) | Q(external_id__in=words)


def _of_sender(receipt: Receipt, claims: dict[uuid.UUID, int]) -> list[Transfer]:
    sender = receipt.sender.strip()
    if len(sender) < 3:
        return []
    people = Investor.objects.filter(legal_name__icontains=sender).values_list("pk", flat=True)[:LOOKED_AT]
    rows = Transfer.objects.filter(investor_id__in=list(people), currency=receipt.currency, state__in=TAKES_MONEY)
    newest = list(rows.select_related("investor", "fund", "source_account").order_by("-id")[:LOOKED_AT])
    return sorted(newest, key=lambda row: row.id not in claims)
