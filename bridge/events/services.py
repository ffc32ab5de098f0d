"""Writing to the log: facts in bulk, seals once a minute."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from operator import attrgetter
from typing import Any

from django.db import connection

from bridge.events import chain
from bridge.events.models import Epoch, Event, Seal
from bridge.events.queries import SETTLED_EVENTS, is_restored, position
from bridge.kernel import binary, bulk, ids, locking, rows, together
from bridge.kernel.results import Actor
from bridge.kernel.transactions import Reading, require_atomic, retried, unit_of_work

_COLUMNS = ("id", "epoch", "subject_type", "subject_id", "seq", "type", "state", "version", "at", "prev_hash", "hash")
_LAST = (
    "SELECT s.id, e.seq, e.hash FROM unnest(%s::uuid[]) AS s(id) CROSS JOIN LATERAL ("
    "SELECT seq, hash FROM events_event WHERE subject_type = %s AND subject_id = s.id ORDER BY seq DESC LIMIT 1) AS e"
)
SEAL_LOCK = 0x627269646765  # one sealer at a time

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that became true of a subject. `data` holds JSON values; amounts in minor units."""

    subject_type: str
    subject_id: uuid.UUID
    type: str
    state: str = ""
    version: int = 0
    data: dict[str, Any] = field(default_factory=dict)


def append(
    *, facts: Sequence[Fact], actor: Actor, at: datetime, newborn: Container[uuid.UUID] = frozenset()
) -> list[Event]:
    """Write all facts with one INSERT, each chained to the last event of its subject, and return them in order.

    `newborn`: subjects that this transaction creates, for whom no earlier event needs to be looked for.

    Needs a transaction and the lock of every subject that exists: two writers of one subject would collide on its
    next `seq` (`IntegrityError`).
    """
    require_atomic()
    if not facts:
        return []
    heads = _heads([fact for fact in facts if fact.subject_id not in newborn] if newborn else facts)
    who = actor.as_json()
    frame = _Frame(epoch=current_epoch(), actor=who, actor_text=chain.canonical(who), at=at)
    events, texts = [], []
    for fact in facts:
        subject = (fact.subject_type, fact.subject_id.int)
        seq, prev_hash = heads.get(subject, (0, chain.GENESIS))
        event, hashed, text = frame.event(fact, seq + 1, prev_hash)
        heads[subject] = (seq + 1, hashed)
        events.append(event)
        texts.append(bulk.Rendered(text))
    values = {name: list(map(attrgetter(name), events)) for name in _COLUMNS}
    actors = [bulk.Rendered(frame.actor_text)] * len(events)
    bulk.insert_columns(Event, {**values, "actor": actors, "data": texts})
    return events


class _Frame:
    """What the events of one call have in common."""

    def __init__(self, *, epoch: int, actor: dict[str, Any], actor_text: str, at: datetime) -> None:
        self.actor_text = actor_text
        self._same = {"epoch": epoch, "actor": actor, "at": at}
        self._moment = chain.moment(at)
        self._quoted: dict[str, str] = {}

    def event(self, fact: Fact, seq: int, prev_hash: bytes) -> tuple[Event, bytes, str]:
        """The event, its hash, and its data as it is hashed and stored."""
        number, subject, quoted = ids.new_id(), fact.subject_id, self._quoted
        for word in (fact.subject_type, fact.type, fact.state):
            if word not in quoted:
                quoted[word] = chain.quoted(word)
        data, text = _rendered(fact.data)
        hashed = chain.hash_with(
            prev_hash,
            chain.written(number),
            quoted[fact.subject_type],
            chain.written(subject),
            seq,
            quoted[fact.type],
            quoted[fact.state],
            fact.version,
            self.actor_text,
            text,
            self._moment,
        )
        event = rows.new(
            Event,
            {
                **self._same,
                "id": number,
                "subject_type": fact.subject_type,
                "subject_id": subject,
                "seq": seq,
                "type": fact.type,
                "state": fact.state,
                "version": fact.version,
                "data": data,
                "prev_hash": prev_hash,
                "hash": hashed,
            },
        )
        return event, hashed, text


def _rendered(data: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The data as its readers will find it, and its canonical JSON: rendered once, hashed and stored."""
    try:
        return data, chain.canonical(data)
    except TypeError:  # ids and times in it
        plain = json.loads(bulk.dumps(data))
        return plain, chain.canonical(plain)


def _heads(facts: Sequence[Fact]) -> dict[tuple[str, int], tuple[int, bytes]]:
    """Per subject, its type and its uuid as a number, the last event's `seq` and hash."""
    by_type: dict[str, dict[int, uuid.UUID]] = {}
    for fact in facts:
        by_type.setdefault(fact.subject_type, {})[fact.subject_id.int] = fact.subject_id
    if by_type:
        together.send()  # an event of one of them may wait there
    heads: dict[tuple[str, int], tuple[int, bytes]] = {}
    for subject_type, subjects in by_type.items():
        found = bulk.execute(_LAST, [binary.uuids(subjects.values()), subject_type])
        for subject_id, seq, head in found.fetchall():
            heads[subject_type, subject_id.int] = (seq, head)
    return heads


def current_epoch() -> int:
    """The number that new events carry: 1 until a backup was restored."""
    return EPOCH.at()


EPOCH: Reading[int] = Reading("(SELECT max(number) FROM events_epoch)", lambda number: number or 1)


@retried
def begin_epoch(*, why: str) -> int:
    """After a restore: readers of the log must not take the new events for old ones. Returns the new number."""
    with unit_of_work() as moment:
        locking.alone("epoch")
        number = current_epoch() + 1
        Epoch.objects.create(number=number, since=moment, why=why[:200])
        EPOCH.heard(number)
    return number


@retried
def seal() -> Seal | None:
    """Seal every event of finished transactions that no seal covers yet; `None` where there is nothing to seal.

    One sealer works at a time; another returns `None` at once. It also sees, and says in the log, that a backup was
    restored and no epoch begun.
    """
    if is_restored():
        logger.error("events are numbered by another server than this: after a restore run manage.py begin_epoch")
    with unit_of_work() as moment:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SEAL_LOCK])
            if not cursor.fetchone()[0]:
                return None
            last = Seal.objects.order_by("-number").first()
            cursor.execute(SETTLED_EVENTS.format(columns="epoch, tx::text::bigint, id, hash"), position(last))
            rows = cursor.fetchall()
        if not rows:
            return None
        number = last.number + 1 if last else 1
        prev_hash = bytes(last.hash) if last else chain.GENESIS
        digest, count = chain.seal_hash(prev_hash=prev_hash, number=number, hashes=(bytes(row[3]) for row in rows))
        epoch, tx, event_id, _ = rows[-1]
        return Seal.objects.create(
            number=number,
            epoch=epoch,
            tx=tx,
            event_id=event_id,
            count=count,
            prev_hash=prev_hash,
            hash=digest,
            at=moment,
        )
