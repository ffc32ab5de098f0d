"""A circuit per institution, in the database, because workers are many.

After so many calls in a row without an answer it opens: nothing new begins at that institution and questions wait.
When its time is over one worker asks whether somebody is there; the first answer closes it, silence doubles the wait.
A call that is answered writes nothing: a row changes only while something is wrong.
"""

from __future__ import annotations

import uuid
from collections.abc import Container, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from bridge.events.services import Fact
from bridge.kernel import bulk, clock, compiled, locking
from bridge.kernel.results import ENGINE
from bridge.kernel.transactions import retried, unit_of_work
from transfers.controls.telling import tell
from transfers.controls.waking import wake
from transfers.models import Circuit
from transfers.parameters import SCOPES
from transfers.policy import policy

UNREACHABLE: Final = "institution_unreachable"
AILING: Final = """
    SELECT institution, opened_at IS NOT NULL AND retry_at IS NOT NULL AS is_open FROM transfers_circuit
    WHERE opened_at IS NOT NULL OR failures > 0
"""
TRYING: Final = 60  # seconds that one try may take before another worker may try

_open_ones = compiled.Tuples(
    lambda: (
        Circuit.objects.filter(opened_at__isnull=False, retry_at__isnull=False)
        .order_by()
        .values_list("institution", "retry_at")
    )
)


def open_until() -> dict[str, datetime]:
    """Institutions whose circuit is open, with the time of the next try."""
    return dict(_open_ones())


def ailing() -> dict[str, bool]:
    """Institutions that owed us an answer lately, and whether their circuit is open."""
    return dict(bulk.execute(AILING).fetchall())


def heard(calls: Mapping[str, Sequence[bool]], *, known: Container[str] | None = None) -> None:
    """What became of calls: per institution whether each was answered, in the order of their ends.

    `known`: those that were ailing just before the calls, where the caller has asked. An answer of another one
    changes nothing.
    """
    wrong = {institution for institution, answers in calls.items() if not all(answers)}
    better = {institution for institution, answers in calls.items() if any(answers)} - wrong
    if better:
        known = ailing() if known is None else known
        better = {institution for institution in better if institution in known}
    for institution in sorted(wrong | better):
        _note(institution=institution, answers=list(calls[institution]))


@retried
def due_try() -> str:
    """The institution that the caller alone shall try now; empty where none is due."""
    if not Circuit.objects.filter(opened_at__isnull=False, retry_at__lte=clock.now()).exists():
        return ""
    with unit_of_work() as moment:
        row = (
            Circuit.objects.select_for_update(skip_locked=True)
            .filter(opened_at__isnull=False, retry_at__lte=moment)
            .order_by("retry_at")
            .first()
        )
        if row is None:
            return ""
        row.retry_at = moment + timedelta(seconds=TRYING)
        row.save(update_fields=["retry_at"])
        return row.institution


@retried
def tried(*, institution: str, answered: bool) -> None:
    """What became of that try: closed, or open for twice as long."""
    if answered:
        _note(institution=institution, answers=[True])
        return
    with unit_of_work() as moment:
        row = _locked(institution, moment)
        if row.opened_at is not None:
            row.wait = min(row.wait * 2, policy(institution=institution).circuit_last)
            row.retry_at = moment + timedelta(seconds=row.wait)
            row.save(update_fields=["wait", "retry_at"])


@retried
def _note(*, institution: str, answers: Sequence[bool]) -> None:
    silent = next((n for n, answered in enumerate(reversed(answers)) if answered), len(answers))
    with unit_of_work() as moment:
        row = _locked(institution, moment)
        rules = policy(institution=institution)
        if any(answers):
            if row.opened_at is not None:
                _close(row, moment)
            row.failures = silent
        else:
            row.failures += silent
        if row.opened_at is None and row.failures >= rules.circuit_failures:
            _open(row, moment, rules.circuit_first)
        row.changed_at = moment
        row.save()


def _locked(institution: str, at: datetime) -> Circuit:
    """The institution's row, alone with it; a new one is saved by the caller."""
    locking.alone(f"circuit:{institution}")
    found = Circuit.objects.select_for_update(no_key=True).filter(pk=institution).first()
    return found or Circuit(institution=institution, changed_at=at)


def _open(row: Circuit, at: datetime, wait: int) -> None:
    row.opened_at, row.retry_at, row.wait = at, at + timedelta(seconds=wait), wait
    row.version += 1
    message = (
        f"{row.institution.title()} has not answered {row.failures} calls in a row. Nothing new begins there; Bridge "
        "tries again by itself."
    )
    data = {"institution": row.institution, "failures": row.failures, "message": message, "retry_at": row.retry_at}
    tell(facts=[Fact("circuit", _subject(row), "circuit.opened", "open", row.version, data)], actor=ENGINE, at=at)


def _close(row: Circuit, at: datetime) -> None:
    assert row.opened_at is not None
    lasted = int((at - row.opened_at).total_seconds())
    row.opened_at, row.retry_at, row.wait, row.failures = None, None, 0, 0
    row.version += 1
    data = {
        "institution": row.institution,
        "failures": 0,
        "message": f"{row.institution.title()} answers again. What was held back goes on.",
        "open_seconds": lasted,
    }
    tell(facts=[Fact("circuit", _subject(row), "circuit.closed", "closed", row.version, data)], actor=ENGINE, at=at)
    wake([UNREACHABLE], at=at)


def _subject(row: Circuit) -> uuid.UUID:
    return uuid.uuid5(SCOPES, f"circuit:{row.institution}")
