"""Finding instructions by what people have at hand, without looking at all of them.

Our reference names its transfer, so it leads to the index by transfer. Only what is no name of ours, such as a bank's
own reference, is compared with every row: nothing that changes has an index here.
"""

from __future__ import annotations

import re
import uuid

from django.db.models import Q

from bridge.kernel import ids
from bridge.kernel.errors import MalformedId
from transfers.models import BankInstruction

_OURS = re.compile(r"BR[A-Z][0-9]{1,4}([0-9A-Z]{26})")
_BEGUN = re.compile(r"BR[A-Z][0-9A-Z]{7,33}")
_SURE = 6  # letters of a transfer's id that tell when it was made, to a quarter of an hour


def transfer_of(reference: str) -> uuid.UUID | None:
    """The transfer that a reference of ours names; nothing for any other text."""
    found = _OURS.fullmatch(reference.strip().upper())
    try:
        return ids.decode("transfer", f"trf_{found[1].lower()}") if found else None
    except MalformedId:
        return None


def by_name(names: list[str]) -> Q:
    """The instructions with these keys or references of ours; indexes find them."""
    references = {name.upper(): transfer for name in names if (transfer := transfer_of(name))}
    return Q(key__in=names) | Q(transfer_id__in=list(references.values()), reference__in=list(references))


def begun(term: str) -> Q | None:
    """The instructions whose reference begins so, as statements and people shorten it; nothing for any other text.

    How many figures count the attempt is not known from the beginning alone, so each number of them is tried.
    """
    text = term.strip().upper().rstrip(".…")
    if not _BEGUN.fullmatch(text):
        return None
    found = Q(pk__in=[])
    for figures in range(1, 5):
        attempt, letters = text[3 : 3 + figures], text[3 + figures :].lower()
        if attempt.isdecimal() and _SURE <= len(letters) < 26:
            try:
                first, last = ids.between(letters)
            except MalformedId:
                continue
            found |= Q(transfer_id__gte=first, transfer_id__lte=last, reference__startswith=text)
    return found


def of_ours(term: str) -> Q | None:
    """The instructions that a name of ours or the beginning of our reference means, if there are any."""
    for found in (by_name([term]), begun(term)):
        if found is not None and BankInstruction.objects.filter(found).exists():
            return found
    return None


def named(term: str) -> Q:
    """The instructions that somebody means by this text: by a name of ours, or else by the bank's reference."""
    ours = of_ours(term)
    if ours is not None:
        return ours
    return Q(reference=term) | Q(institution_reference=term)
