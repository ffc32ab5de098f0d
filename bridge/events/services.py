"""Writing to the log: facts in bulk, seals once a minute."""

from __future__ import annotations

import json
import uuid
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db import connection

from bridge.events import chain
from bridge.events.models import Epoch, Event, Seal
from bridge.events.queries import SETTLED_EVENTS, position
from bridge.kernel import bulk, columns, ids, rows
from bridge.kernel.results import Actor
from bridge.kernel.transactions import require_atomic, retried, unit_of_work

_COLUMNS = ("id", "epoch", "subject_type", "subject_id", "seq", "type", "state", "version", "at", "prev_hash", "hash")
_LAST = (
    "SELECT s.id, e.seq, e.hash FROM unnest(%s::uuid[]) AS s(id) CROSS JOIN LATERAL ("
    "SELECT seq, hash FROM events_event WHERE subject_type = %s AND subject_id = s.id ORDER BY seq DESC LIMIT 1) AS e"
)
SEAL_LOCK = 0x627269646765  # one sealer at a time


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
    heads = _heads([fact for fact in facts if fact.subject_id not in newborn])
    epoch = current_epoch()
    who, moment = actor.as_json(), chain.moment(at)
    actor_text = chain.canonical(who)
    events, texts = [], []
    for fact in facts:
        subject = (fact.subject_type, fact.subject_id)
        seq, prev_hash = heads.get(subject, (0, chain.GENESIS))
        data, text = _rendered(fact.data)
        event = rows.new(
            Event,
            {
                "id": ids.new_id(),
                "epoch": epoch,
                "subject_type": fact.subject_type,
                "subject_id": fact.subject_id,
                "seq": seq + 1,
                "type": fact.type,
                "state": fact.state,
                "version": fact.version,
                "actor": who,
                "data": data,
                "at": at,
                "prev_hash": prev_hash,
            },
        )
        event.hash = chain.hash_with(event, actor=actor_text, data=text, at=moment)
        heads[subject] = (event.seq, event.hash)
        events.append(event)
        texts.append(bulk.Rendered(text))
    _insert(events, actor=bulk.Rendered(actor_text), data=texts)
    return events


def _rendered(data: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """The data as its readers will find it, and its canonical JSON: rendered once, hashed and stored."""
    try:
        return data, chain.canonical(data)
    except TypeError:  # ids and times in it
        plain = json.loads(bulk.dumps(data))
        return plain, chain.canonical(plain)


def _insert(events: list[Event], *, actor: str, data: list[bulk.Rendered]) -> None:
    values = {name: [getattr(event, name) for event in events] for name in _COLUMNS}
    bulk.insert_columns(Event, {**values, "actor": [actor] * len(events), "data": data})


def _heads(facts: Sequence[Fact]) -> dict[tuple[str, uuid.UUID], tuple[int, bytes]]:
    by_type: dict[str, set[uuid.UUID]] = {}
    for fact in facts:
        by_type.setdefault(fact.subject_type, set()).add(fact.subject_id)
    heads: dict[tuple[str, uuid.UUID], tuple[int, bytes]] = {}
    for subject_type, subjects in by_type.items():
        found = bulk.execute(_LAST, [columns.uuids(subjects), subject_type])
        for subject_id, seq, head in found.fetchall():
            heads[subject_type, subject_id] = (seq, head)
    return heads


def current_epoch() -> int:
    """The number that new events carry: 1 until a backup was restored."""
    return Epoch.objects.order_by("-number").values_list("number", flat=True).first() or 1


@retried
def begin_epoch(*, why: str) -> int:
    """After a restore: readers of the log must not take the new events for old ones. Returns the new number."""
    with unit_of_work() as moment:
        number = current_epoch() + 1
        Epoch.objects.create(number=number, since=moment, why=why)
    return number


@retried
def seal() -> Seal | None:
    """Seal every event of finished transactions that no seal covers yet; `None` where there is nothing to seal.

    One sealer works at a time; another returns `None` at once.
    """
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
