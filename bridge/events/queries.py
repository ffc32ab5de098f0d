"""Reading the log: a subject's timeline, the cursor, and the proof that nobody touched it."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from bridge.events import chain
from bridge.events.models import Event, Seal

# An event of a transaction that still runs, or runs beside an older one, waits: it could be overtaken by one with a
# smaller position. Those of an earlier epoch were over when the backup was made, whatever this server's numbers are.
SETTLED = "(epoch < (SELECT max(number) FROM events_epoch) OR tx < pg_snapshot_xmin(pg_current_snapshot()))"
SETTLED_EVENTS = """
    SELECT {columns} FROM events_event WHERE (epoch, tx, id) > (%s, %s::xid8, %s) AND {settled} ORDER BY epoch, tx, id
""".replace("{settled}", SETTLED)
_FOREIGN = """
    SELECT EXISTS (
        SELECT 1 FROM (SELECT epoch, tx FROM events_event ORDER BY epoch DESC, tx DESC LIMIT 1) AS last
        WHERE last.epoch >= (SELECT coalesce(max(number), 1) FROM events_epoch)
        AND last.tx >= pg_snapshot_xmax(pg_current_snapshot())
    )
"""


def is_restored() -> bool:
    """Whether the log's newest events are of transactions that this server has not had yet: it was restored from a
    backup of another, and nobody has begun an epoch since."""
    with connection.cursor() as cursor:
        cursor.execute(_FOREIGN)
        (found,) = cursor.fetchone()
    return bool(found)


def position(seal: Seal | None) -> list[Any]:
    """The cursor behind a seal, or the beginning of the log."""
    if seal is None:
        return [0, "0", uuid.UUID(int=0)]
    return [seal.epoch, str(seal.tx), seal.event_id]


def timeline(*, subject_type: str, subject_id: uuid.UUID) -> QuerySet[Event]:
    """Everything that happened to one subject, oldest first."""
    return Event.objects.filter(subject_type=subject_type, subject_id=subject_id).order_by("seq")


@dataclass(frozen=True, slots=True)
class Fault:
    """One place where the log is not what was written."""

    where: str
    what: str

    def as_row(self) -> dict[str, str]:
        return {"where": self.where, "what": self.what}


def audit_faults(*, progress: Callable[[int], None] = lambda _: None) -> Iterator[Fault]:
    """Recompute every event's hash, every subject's chain and every seal; yield what does not fit."""
    yield from _chain_faults(progress)
    yield from _seal_faults()


def _chain_faults(progress: Callable[[int], None]) -> Iterator[Fault]:
    subject: tuple[str, uuid.UUID] | None = None
    seq, head = 0, chain.GENESIS
    events = Event.objects.order_by("subject_type", "subject_id", "seq").iterator(chunk_size=2000)
    for done, event in enumerate(events, 1):
        if (event.subject_type, event.subject_id) != subject:
            subject, seq, head = (event.subject_type, event.subject_id), 0, chain.GENESIS
        where = f"{event.subject_type} {event.subject_id} #{event.seq}"
        if event.seq != seq + 1:
            yield Fault(where, f"event {seq + 1} of this subject is missing")
        elif bytes(event.prev_hash) != head:
            yield Fault(where, "does not follow from the event before it")
        expected = chain.hash_of(event)
        if bytes(event.hash) != expected:
            yield Fault(where, "content does not match its hash")
        seq, head = event.seq, bytes(event.hash)
        if done % 1000 == 0:
            progress(1000)


def _seal_faults() -> Iterator[Fault]:
    previous: Seal | None = None
    for seal in Seal.objects.order_by("number").iterator():
        where = f"seal {seal.number}"
        head = bytes(previous.hash) if previous else chain.GENESIS
        if seal.number != (previous.number + 1 if previous else 1):
            yield Fault(where, "a seal before it is missing")
        if bytes(seal.prev_hash) != head:
            yield Fault(where, "does not follow from the seal before it")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT hash FROM events_event WHERE (epoch, tx, id) > (%s, %s::xid8, %s) "
                "AND (epoch, tx, id) <= (%s, %s::xid8, %s) ORDER BY epoch, tx, id",
                [*position(previous), *position(seal)],
            )
            hashes = [bytes(row[0]) for row in cursor.fetchall()]
        digest, count = chain.seal_hash(prev_hash=bytes(seal.prev_hash), number=seal.number, hashes=hashes)
        if count != seal.count:
            yield Fault(where, f"sealed {seal.count} events, {count} are there")
        elif digest != bytes(seal.hash):
            yield Fault(where, "the sealed events were changed or reordered")
        previous = seal
