"""An investor's papers for one fund: what was signed, and counsel's word on how many owners the investor counts as."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from accounts.models import Investor
from bridge.events import services as events
from bridge.kernel import ids
from bridge.kernel.errors import BridgeError, NotAllowed, NotFound, StaleVersion
from bridge.kernel.results import Actor, Role, only
from bridge.kernel.transactions import retried, unit_of_work
from funds.models import Fund, Subscription

LONGEST_NAME = 60


class CounselSaysWhy(BridgeError):
    code = "counsel_says_why"
    status = 422
    title = "Counsel's word needs a note"
    message = "Say who decided on the number of owners, when and why."


class UnknownDocument(BridgeError):
    code = "unknown_document"
    status = 422
    title = "Unknown document"
    message = "'{name}' is no document that this fund asks for."


@dataclass(frozen=True, slots=True)
class Papers:
    """All that is on file: `signed` replaces what was there. `counsel_weight` None: counted by the usual rules."""

    fund_id: uuid.UUID
    investor_id: uuid.UUID
    signed: tuple[str, ...] = ()
    counsel_weight: int | None = None
    counsel_note: str = ""


@retried
def record_papers(
    *, papers: Papers, actor: Actor, expected_version: int | None = None, reason: str = ""
) -> Subscription:
    """Keep the papers of one investor for one fund, with an event. For compliance only.

    `expected_version` 0 means that there are none yet. Raises `NotAllowed`, `NotFound`, `StaleVersion`,
    `UnknownDocument`, `CounselSaysWhy`. Locks the fund's row, so that two people cannot begin one file.
    """
    if actor.role not in (Role.COMPLIANCE, Role.SYSTEM):
        raise NotAllowed(only([Role.COMPLIANCE]))
    if papers.counsel_weight is not None and not papers.counsel_note.strip():
        raise CounselSaysWhy()
    with unit_of_work() as moment:
        fund = Fund.objects.select_for_update(no_key=True).filter(pk=papers.fund_id).first()
        if fund is None:
            raise NotFound(what="fund")
        if not Investor.objects.filter(pk=papers.investor_id).exists():
            raise NotFound(what="investor")
        row = Subscription.objects.filter(fund=fund, investor_id=papers.investor_id).first()
        if row is None:
            row = Subscription(id=ids.new_id(), fund=fund, investor_id=papers.investor_id, version=0)
        if expected_version not in (None, row.version):
            raise StaleVersion(expected=expected_version, actual=row.version)
        known = {*fund.required_documents, *row.signed}  # what was signed once stays, though nobody asks for it now
        for name in papers.signed:
            if name not in known:
                raise UnknownDocument(name=name)
        row.signed = list(dict.fromkeys(papers.signed))
        row.counsel_weight, row.counsel_note = papers.counsel_weight, papers.counsel_note.strip()[:300]
        row.version += 1
        row.updated_at = moment
        row.save()
        data = {
            "fund": row.fund_id,
            "investor": row.investor_id,
            "signed": row.signed,
            "counsel_weight": row.counsel_weight,
            "counsel_note": row.counsel_note,
            "reason": reason,
        }
        fact = events.Fact("subscription", row.pk, "subscription.recorded", "", row.version, data)
        events.append(facts=[fact], actor=actor, at=moment)
    return row
