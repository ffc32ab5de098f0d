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


def named(term: str) -> Q:
    """The instructions that somebody means by this text: by a name of ours, or else by the bank's reference."""
    ours = by_name([term])
    if BankInstruction.objects.filter(ours).exists():
        return ours
    return Q(reference=term) | Q(institution_reference=term)
