"""Transfers and events as they look outside: a page of transfers takes four queries, however long it is."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from django.db.models import Min

from bridge.kernel import ids
from bridge.kernel.api.headers import etag
from bridge.kernel.api.moments import moment
from bridge.kernel.idempotency import Answer
from bridge.kernel.results import Refused, Result
from funds.models import Reservation, Verification
from transfers.models import BankInstruction, Transfer, Work
from transfers.states import State, Step

_BEFORE_ANY_LEG = (State.REQUESTED, State.IN_REVIEW, State.WAITLISTED, State.APPROVED, State.REJECTED)
_DECISION = ("rule", "version", "outcome", "reason")
WAITING = {
    "code": "waiting_for_earlier",
    "message": "An earlier withdrawal of the same account goes first. Nothing needs to be done.",
}


def render_transfers(transfers: Sequence[Transfer]) -> list[dict[str, Any]]:
    legs = _legs(row.id for row in transfers if row.state not in _BEFORE_ANY_LEG)
    every = [row.id for row in transfers]
    places = {row.transfer_id: row for row in Reservation.objects.filter(transfer_id__in=every)}
    newest = Verification.objects.filter(transfer_id__in=every).order_by("transfer_id", "-id").distinct("transfer_id")
    decisions = dict(newest.values_list("transfer_id", "decisions"))
    waiting = waiting_for_earlier(transfers)
    return [
        {
            "id": row.public_id,
            "object": "transfer",
            "state": str(row.state),
            "amount": row.amount,
            "currency": row.currency,
            "source_account": ids.encode("account", row.source_account_id),
            "fund": ids.encode("fund", row.fund_id),
            "reservation": _reservation(places.get(row.id)),
            "legs": legs.get(row.id, []),
            "decisions": [{name: made[name] for name in _DECISION} for made in decisions.get(row.id, [])],
            "blocker": WAITING if row.id in waiting else _blocker(row),
            "version": row.version,
            "created_at": moment(row.created_at),
            "expected_at": moment(row.expected_at),
            "final_at": moment(row.final_at),
            "external_id": row.external_id,
            "metadata": row.metadata,
            "livemode": row.livemode,
        }
        for row in transfers
    ]


def waiting_for_earlier(transfers: Sequence[Transfer]) -> set[uuid.UUID]:
    """Those that are approved while an earlier transfer of their account is about to be withdrawn, or unanswered."""
    approved = [row for row in transfers if row.state == State.APPROVED and not row.blocker_code]
    if not approved:
        return set()
    first = dict(
        Work.objects.filter(
            account_id__in={row.source_account_id for row in approved}, step__in=[Step.WITHDRAW, Step.ASK_WITHDRAWAL]
        )
        .values("account_id")
        .annotate(first=Min("account_seq"))
        .values_list("account_id", "first")
    )
    return {row.id for row in approved if first.get(row.source_account_id, row.account_seq) < row.account_seq}


def _legs(transfer_ids: Iterable[uuid.UUID]) -> dict[uuid.UUID, list[dict[str, Any]]]:
    found: dict[uuid.UUID, list[dict[str, Any]]] = defaultdict(list)
    wanted = list(transfer_ids)
    if not wanted:
        return found
    for leg in BankInstruction.objects.filter(transfer_id__in=wanted).order_by("id"):
        found[leg.transfer_id].append(
            {
                "id": leg.public_id,
                "kind": leg.kind,
                "attempt": leg.attempt,
                "state": leg.state,
                "reference": leg.reference,
                "institution_reference": leg.institution_reference,
                "submitted_at": moment(leg.submitted_at),
                "settled_at": moment(leg.settled_at),
                "settled_amount": leg.settled_amount,
                "return_code": leg.return_code,
            }
        )
    return found


def _reservation(place: Reservation | None) -> dict[str, Any] | None:
    return {"state": place.state, "expires_at": moment(place.expires_at)} if place else None


def _blocker(row: Transfer) -> dict[str, str] | None:
    return {"code": row.blocker_code, "message": row.blocker_message} if row.blocker_code else None


def render_one(*, status: int = 200, location: str = "") -> Callable[[list[Result]], Answer]:
    """A renderer for a service's single result. It raises a refusal's error, so that nothing is kept under the key."""

    def render(results: list[Result]) -> Answer:
        (result,) = results
        if isinstance(result, Refused):
            raise result.error
        (body,) = render_transfers([Transfer.objects.get(pk=result.id)])
        headers = {"ETag": etag(body["version"])}
        if location:
            headers["Location"] = f"{location}/{body['id']}"
        return Answer(status, body, headers)

    return render


_IDS = {
    "transfer": "transfer",
    "source_account": "account",
    "account": "account",
    "fund": "fund",
    "investor": "investor",
    "instruction": "instruction",
    "break": "break",
}


def render_events(events: Iterable[Any], *, whole_actor: bool) -> list[dict[str, Any]]:
    """`whole_actor`: people of the firm see who it was, investors see in what role."""
    return [
        {
            "id": event.public_id,
            "object": "event",
            "type": event.type,
            "subject": {"type": event.subject_type, "id": _outside(event.subject_type, str(event.subject_id))},
            "seq": event.seq,
            "state": event.state,
            "version": event.version,
            "actor": event.actor if whole_actor else {"role": event.actor.get("role", "")},
            "data": {name: _outside(name, value) for name, value in event.data.items()},
            "at": moment(event.at),
        }
        for event in events
    ]


def _outside(name: str, value: Any) -> Any:
    """Our uuids as TypeIDs."""
    kind = _IDS.get(name)
    if kind is None or not isinstance(value, str):
        return value
    try:
        return ids.encode(kind, uuid.UUID(value))
    except ValueError:
        return value
