"""Writing down what reconciliation found, and what people decided about it. Money is never touched here."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date as Date
from datetime import datetime

from django.db import connection

from bridge.events import services as events
from bridge.kernel import bulk, crashpoints
from bridge.kernel.errors import BridgeError, NotAllowed, NotFound, StaleVersion, WrongState
from bridge.kernel.results import Actor, Change, Done, Refused, Result, Role, only
from bridge.kernel.transactions import retried, unit_of_work
from transfers.event_types import EventType
from transfers.models import Break, ReconciliationRun
from transfers.reconciliation.matching import Difference
from transfers.reconciliation.results import Compared

WRITER_LOCK = 0x7265636F6E  # one reconciliation writes at a time
MAY_RESOLVE = (Role.MAKER, Role.CHECKER, Role.COMPLIANCE)
LONGEST_RESOLUTION = 400
_FIELDS = ["kind", "ours", "theirs", "explanation", "last_seen_at", "resolved_at", "resolution", "version"]


class ResolutionMissing(BridgeError):
    code = "resolution_missing"
    status = 422
    title = "A break is resolved with a reason"
    message = f"Say in 1 to {LONGEST_RESOLUTION} characters what explains this difference."


@retried
def record(*, date: Date, since: Date, found: Compared, actor: Actor) -> ReconciliationRun:
    """Write the run and its breaks. A difference that is open already is seen again, not new; an open break of the
    days from `since` to `date` is resolved only where both sides now say the same.

    Takes an advisory lock for the whole write, then the open breaks by id.
    """
    with unit_of_work() as at:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [WRITER_LOCK])
        differences = found.by_reference()
        known = {
            (row.institution, row.reference): row
            for row in Break.objects.filter(resolved_at__isnull=True).select_for_update(no_key=True).order_by("pk")
        }
        fresh = [_new(item, at=at) for place, item in differences.items() if place not in known]
        seen, changed, resolved = [], [], []
        for place, row in known.items():
            if place in differences:
                seen.append(row)
                if _see_again(row, differences[place], at=at):
                    changed.append(row)
            elif row.institution in found.judged and since <= row.date <= date and place in found.agreed:
                row.resolved_at, row.resolution = at, "Both sides agree now; found by the next reconciliation."
                row.version += 1
                resolved.append(row)
        bulk.insert(Break, fresh)
        bulk.update(Break, [*seen, *resolved], fields=_FIELDS)
        facts = [_fact(row, EventType.BREAK_FOUND) for row in fresh]
        facts += [_fact(row, EventType.BREAK_CHANGED) for row in changed]
        facts += [_fact(row, EventType.BREAK_RESOLVED, automatic=True) for row in resolved]
        events.append(facts=facts, actor=actor, at=at)
        run = ReconciliationRun.objects.create(
            date=date,
            matched=found.matched,
            new_breaks=len(fresh),
            open_breaks=len(known) - len(resolved) + len(fresh),
            problems=found.problems,
            unstated=found.unstated,
            at=at,
        )
        crashpoints.reach(crashpoints.Point.RECONCILE_WRITTEN)
        return run


def _new(difference: Difference, *, at: datetime) -> Break:
    return Break(
        kind=str(difference.kind),
        institution=difference.institution,
        reference=difference.reference[:100],
        instruction_id=difference.instruction_id,
        transfer_id=difference.transfer_id,
        currency=difference.currency,
        ours=difference.ours,
        theirs=difference.theirs,
        explanation=difference.explanation[:400],
        date=difference.date,
        first_seen_at=at,
        last_seen_at=at,
    )


def _see_again(row: Break, difference: Difference, *, at: datetime) -> bool:
    """Whether it is another difference than last time."""
    row.last_seen_at = at
    if (row.kind, row.ours, row.theirs) == (str(difference.kind), difference.ours, difference.theirs):
        return False
    row.kind, row.ours, row.theirs = str(difference.kind), difference.ours, difference.theirs
    row.explanation = difference.explanation[:400]
    row.version += 1
    return True


def _fact(row: Break, kind: EventType, **more: object) -> events.Fact:
    data = {
        "kind": row.kind,
        "institution": row.institution,
        "reference": row.reference,
        "instruction": row.instruction_id,
        "transfer": row.transfer_id,
        "currency": row.currency,
        "ours": row.ours,
        "theirs": row.theirs,
        "explanation": row.explanation,
        "date": row.date,
        **more,
    }
    if kind == EventType.BREAK_RESOLVED:
        data["resolution"] = row.resolution
    state = "resolved" if row.resolved_at else "open"
    return events.Fact("break", row.pk, str(kind), state, row.version, data)


def resolve_break(*, change: Change, actor: Actor, resolution: str) -> Result:
    """A person explains a difference. It says why; it moves no money. See `resolve_breaks` for the refusals."""
    (result,) = resolve_breaks(changes=[change], actor=actor, resolution=resolution)
    return result


@retried
def resolve_breaks(*, changes: Sequence[Change], actor: Actor, resolution: str) -> list[Result]:
    """One `Done` or `Refused` per change, in order. Locks the breaks by id.

    Refuses with `NotAllowed` (a role that does not decide), `ResolutionMissing`, `NotFound`, `StaleVersion`, and
    `WrongState` for a break that is resolved already.
    """
    wanted, reason = list(changes), resolution.strip()
    if actor.role not in MAY_RESOLVE:
        return [Refused(change.id, NotAllowed(only(MAY_RESOLVE))) for change in wanted]
    if not 1 <= len(reason) <= LONGEST_RESOLUTION:
        return [Refused(change.id, ResolutionMissing()) for change in wanted]
    with unit_of_work() as at:
        rows = {
            row.pk: row
            for row in Break.objects.filter(pk__in={change.id for change in wanted})
            .select_for_update(no_key=True)
            .order_by("pk")
        }
        results = [_resolve(rows.get(change.id), change, actor, reason, at=at) for change in wanted]
        done = [rows[result.id] for result in results if isinstance(result, Done)]
        bulk.update(Break, done, fields=["resolved_at", "resolved_by", "resolution", "version"])
        facts = [_fact(row, EventType.BREAK_RESOLVED, automatic=False) for row in done]
        events.append(facts=facts, actor=actor, at=at)
    return results


def _resolve(row: Break | None, change: Change, actor: Actor, reason: str, *, at: datetime) -> Result:
    if row is None:
        return Refused(change.id, NotFound(what="break"))
    if change.expected_version not in (None, row.version):
        return Refused(row.pk, StaleVersion(expected=change.expected_version, actual=row.version))
    if row.resolved_at is not None:
        return Refused(row.pk, WrongState("This break is resolved already."))
    row.resolved_at, row.resolution = at, reason
    row.resolved_by_id = int(actor.id) if actor.id.isdecimal() else None
    row.version += 1
    return Done(row.pk, "resolved", row.version)
