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
from bridge.kernel.api.naming import outside
from bridge.kernel.idempotency import Answer
from bridge.kernel.results import Refused, Result
from funds.models import Reservation, Verification
from transfers import disclosure, services
from transfers.blockers import allowed
from transfers.models import BankInstruction, Transfer, Work
from transfers.states import State, Step

_BEFORE_ANY_LEG = (State.REQUESTED, State.IN_REVIEW, State.WAITLISTED, State.APPROVED, State.REJECTED)
_DECISION = ("rule", "version", "outcome", "reason")
EARLIER = "waiting_for_earlier", "An earlier withdrawal of the same account goes first. Nothing needs to be done."


def render_transfers(transfers: Sequence[Transfer], *, inside: bool) -> list[dict[str, Any]]:
    """`inside`: for the firm's people and systems. Investors are told less of why, see `transfers.disclosure`."""
    legs = _legs(row.id for row in transfers if row.state not in _BEFORE_ANY_LEG)
    every = [row.id for row in transfers]
    places = {row.transfer_id: row for row in Reservation.objects.filter(transfer_id__in=every)}
    newest = Verification.objects.filter(transfer_id__in=every).order_by("transfer_id", "-id").distinct("transfer_id")
    decisions = {
        transfer_id: _decisions(made, inside=inside)
        for transfer_id, made in newest.values_list("transfer_id", "decisions")
    }
    waiting = waiting_for_earlier(transfers)
    return [
        _transfer(
            row,
            place=_reservation(places.get(row.id), inside=inside),
            legs=legs.get(row.id, []),
            decisions=decisions.get(row.id, []),
            waits=row.id in waiting,
            inside=inside,
        )
        for row in transfers
    ]


def _transfer(
    row: Transfer,
    *,
    place: dict[str, Any] | None,
    legs: list[dict[str, Any]],
    decisions: list[dict[str, Any]],
    waits: bool,
    inside: bool,
) -> dict[str, Any]:
    return {
        "id": row.public_id,
        "object": "transfer",
        "state": str(row.state) if inside else disclosure.state(row.state),
        "amount": row.amount,
        "currency": row.currency,
        "source_account": ids.encode("account", row.source_account_id),
        "fund": ids.encode("fund", row.fund_id),
        "reservation": place,
        "legs": legs,
        "decisions": decisions,
        "blocker": _blocker(row, decisions, waits=waits, inside=inside),
        "version": row.version,
        "created_at": moment(row.created_at),
        "expected_at": moment(row.expected_at),
        "final_at": moment(row.final_at),
        "external_id": row.external_id,
        "metadata": row.metadata,
        "livemode": row.livemode,
    }


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


def _reservation(place: Reservation | None, *, inside: bool) -> dict[str, Any] | None:
    if place is None:
        return None
    state = place.state if inside else disclosure.place(place.state, quiet=place.quiet)
    return {"state": state, "expires_at": moment(place.expires_at)}


def _decisions(made: Sequence[dict[str, Any]], *, inside: bool) -> list[dict[str, Any]]:
    brief = [{name: decision[name] for name in _DECISION} for decision in made]
    return brief if inside else disclosure.decisions(brief)


def _blocker(row: Transfer, decisions: Sequence[dict[str, Any]], *, waits: bool, inside: bool) -> dict[str, Any] | None:
    code, message = EARLIER if waits else (row.blocker_code, row.blocker_message)
    if not code:
        return None
    if not inside:
        code, message = disclosure.blocker(code, message, decisions)
        return {"code": code, "message": message}
    safe = allowed(state=row.state, next_step=row.next_step, blocker_code=code)
    return {"code": code, "message": message, "actions": [str(deed) for deed in safe]}


def render_each(*, status: int, location: str, inside: bool) -> services.RenderEach:
    """A renderer for what a service opened: one answer for each, with its address behind `location`. Asks nothing."""

    def render(opened: Sequence[services.Opened]) -> list[Answer]:
        return [_answer(one) for one in opened]

    def _answer(one: services.Opened) -> Answer:
        body = _transfer(
            one.transfer,
            place={"state": "reserved", "expires_at": moment(one.place_until)} if one.place_until else None,
            legs=[],
            decisions=one.decisions if inside else disclosure.decisions(one.decisions),
            waits=one.waits,
            inside=inside,
        )
        return Answer(status, body, {"ETag": etag(one.transfer.version), "Location": f"{location}/{body['id']}"})

    return render


def render_one(*, inside: bool) -> Callable[[list[Result]], Answer]:
    """A renderer for a service's single result. It raises a refusal's error, so that nothing is kept under the key."""

    def render(results: list[Result]) -> Answer:
        (result,) = results
        if isinstance(result, Refused):
            raise result.error
        (body,) = render_transfers([Transfer.objects.get(pk=result.id)], inside=inside)
        return Answer(200, body, {"ETag": etag(body["version"])})

    return render


def render_events(events: Iterable[Any], *, inside: bool) -> list[dict[str, Any]]:
    """`inside`: the firm sees who it was and why; investors in what role, and what they may know of why."""
    return [
        {
            "id": event.public_id,
            "object": "event",
            "type": event.type,
            "subject": {"type": event.subject_type, "id": outside(event.subject_type, str(event.subject_id))},
            "seq": event.seq,
            "state": event.state if inside else disclosure.state(event.state),
            "version": event.version,
            "actor": event.actor if inside else {"role": event.actor.get("role", "")},
            "data": {name: outside(name, value) for name, value in _data(event, inside=inside).items()},
            "at": moment(event.at),
        }
        for event in events
        if inside or event.type not in disclosure.HIDDEN_EVENTS
    ]


def _data(event: Any, *, inside: bool) -> dict[str, Any]:
    return event.data if inside else disclosure.event_data(event.type, event.data, by=event.actor.get("role", ""))
