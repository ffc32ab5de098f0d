"""How near a limit something is, said once per crossing: up at once, down only when it is clearly below the line."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from bridge.events.services import Fact
from bridge.kernel import ids
from bridge.kernel.money import display
from bridge.kernel.results import ENGINE
from bridge.kernel.transactions import require_atomic
from transfers.controls.telling import tell
from transfers.models import Alarm

EASES_BELOW: Final = 5  # per cent of the limit below a line before the alarm of that line ends
FINE, ALERT, STOP = Alarm.Level.FINE, Alarm.Level.ALERT, Alarm.Level.STOP
EXPOSURE, ADVANCE = Alarm.Kind.EXPOSURE, Alarm.Kind.ADVANCE
Name = tuple[str, str, str]  # kind, institution ("": all), currency


@dataclass(frozen=True, slots=True)
class Reading:
    """How it stands. `value` and `limit` in minor units; the lines are per cent of the limit."""

    kind: str
    institution: str
    currency: str
    value: int
    limit: int = 0
    alert: int = 100
    stop: int = 100
    reached: bool = False  # something was held back, though the value itself is below the line

    @property
    def name(self) -> Name:
        return (self.kind, self.institution, self.currency)

    def level(self, before: int) -> int:
        """The level now, after `before`: going down takes a distance from the line."""
        if self.kind == ADVANCE:
            return STOP if self.value < 0 else FINE
        lines = ((STOP, self.stop), (ALERT, self.alert))
        for level, line in lines:
            eased = line - EASES_BELOW if before >= level else line
            if self.value * 100 >= self.limit * eased or (level == STOP and self.reached):
                return level
        return FINE

    def says(self, level: int) -> str:
        if self.kind == ADVANCE:
            short = display(abs(self.value), self.currency)
            if level == STOP:
                return f"The firm's own money is {short} short of its open advances: {self.currency} withdrawals stop."
            return f"The firm's own money covers its open advances in {self.currency} again: withdrawals go on."
        whose = f"from {self.institution}" if self.institution else "from all institutions"
        now = f"{display(self.value, self.currency)} of at most {display(self.limit, self.currency)}"
        after = {STOP: " No new withdrawal begins that would exceed it.", ALERT: " The limit is near.", FINE: ""}
        return f"Money on the bridge {whose}: {now}.{after[Alarm.Level(level)]}"


def note(readings: Iterable[Reading], *, at: datetime, only_up: bool = False) -> None:
    """Keep what crossed a line since it was last noted, and tell operations. Needs a transaction, and that nobody else
    notes these: the caller is alone with their locks. `only_up`: the caller cannot judge whether it is over."""
    require_atomic()
    rows = {row.name_key: row for row in Alarm.objects.all()}
    facts = []
    for reading in readings:
        row = rows.get(reading.name)
        before = row.level if row else FINE
        level = reading.level(before)
        if level == before or (only_up and level < before):
            continue
        if row is None:
            kind, institution, currency = reading.name
            row = Alarm(id=ids.new_id(), kind=kind, institution=institution, currency=currency)
        row.level, row.value, row.limit, row.since = level, reading.value, reading.limit, at
        row.version += 1
        row.save()
        facts.append(_fact(row.id, row.version, reading, level, raised=level > before))
    tell(facts=facts, actor=ENGINE, at=at)


def _fact(subject: uuid.UUID, version: int, reading: Reading, level: int, *, raised: bool) -> Fact:
    state = Alarm.Level(level).name.lower()
    data = {
        "kind": reading.kind,
        "institution": reading.institution,
        "currency": reading.currency,
        "value": reading.value,
        "limit": reading.limit,
        "message": reading.says(level),
    }
    if raised:
        return Fact("alarm", subject, "alarm.raised", state, version, data)
    return Fact("alarm", subject, "alarm.cleared", state, version, data)
