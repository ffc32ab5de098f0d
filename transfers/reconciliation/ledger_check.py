"""The third side: what an instruction says of itself against what the ledger booked for it. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from datetime import date

from transfers.models import BankInstruction
from transfers.reconciliation.books import Movement
from transfers.reconciliation.matching import Difference, Facet, Kind, Matching


def compare(*, rows: Sequence[BankInstruction], booked: Iterable[Movement], day: date) -> Matching:
    """Every facet of every instruction against all its postings ever. One difference per instruction at most, under
    the reference `<key>:ledger`."""
    totals: dict[tuple[uuid.UUID, str], int] = {}
    for item in booked:
        totals[item.instruction_id, item.facet] = totals.get((item.instruction_id, item.facet), 0) + item.amount
    result = Matching()
    for row in rows:
        said = {Facet.SETTLED: row.settled_amount, Facet.RETURNED: row.returned_amount, Facet.FEE: row.fee}
        wrong = [facet for facet in Facet if said[facet] != totals.get((row.pk, facet), 0)]
        reference = f"{row.key}:ledger"
        if not wrong:
            result.agreed.add(reference)
            continue
        facet = wrong[0]
        ledger = totals.get((row.pk, facet), 0)
        result.differences.append(
            Difference(
                Kind.AMOUNT,
                row.institution,
                reference,
                row.currency,
                ledger,
                said[facet],
                f"Our own books differ on what was {_WORDS[facet]}: the ledger (ours) and the {row.kind} (theirs).",
                (row.settled_at or row.created_at).date() if row.settled_at else day,
                row.pk,
                row.transfer_id,
            )
        )
    return result


_WORDS = {Facet.SETTLED: "settled", Facet.RETURNED: "returned", Facet.FEE: "kept as a fee"}
