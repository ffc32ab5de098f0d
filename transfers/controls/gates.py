"""What holds back a new instruction: a stop, an institution that does not answer, a limit, an uncovered advance.

Asked before the row locks of a unit of work, which the answers then hold for. What is held back keeps due work and
looks again within a minute; when the reason goes away it is woken at once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from bridge.kernel import bulk, locking
from bridge.kernel.gateway import InstructionKind
from transfers.controls import circuits, stops
from transfers.controls.exposure import FULL, Room
from transfers.models import Circuit, Stop, Transfer

LOOKS_AGAIN: Final = 45  # seconds
UNCOVERED: Final = "advance_uncovered"
STOPPABLE: Final = (InstructionKind.WITHDRAWAL, InstructionKind.DEPOSIT)


@dataclass(frozen=True, slots=True)
class Barrier:
    """Why not now, in plain words, and when to look again."""

    code: str
    message: str
    until: datetime


@dataclass(slots=True)
class Gates:
    """Whether instructions of one kind may begin in this unit of work."""

    kind: InstructionKind
    at: datetime
    stops: Sequence[Stop] = ()
    unreachable: dict[str, datetime] = field(default_factory=dict)
    room: Room | None = None

    @classmethod
    def of(
        cls, kind: InstructionKind, transfer_ids: Iterable[uuid.UUID], *, at: datetime, limits: bool = True
    ) -> Gates:
        """Look at what is in force, and keep it so until the commit. `limits` False: stops and circuits only."""
        gates = cls(kind, at, unreachable=circuits.open_until())
        if kind in STOPPABLE:
            locking.alone(stops.LOCK, shared=True)
            gates.stops = stops.open_stops()
        if kind == InstructionKind.WITHDRAWAL and limits:
            wanted = Transfer.objects.filter(bulk.Among("pk", transfer_ids)).order_by()
            gates.room = Room.of(wanted.values_list("source_account__institution", "currency").distinct(), at=at)
        return gates

    def against(self, row: Transfer, *, institution: str, at_fund: bool = False) -> Barrier | None:
        """Why this transfer's instruction may not begin now. `institution`: its account's; `at_fund`: the order goes
        to the fund's."""
        stop = next((stop for stop in self.stops if self._concerns(stop, row, institution)), None)
        if stop is not None:
            return self._barrier(stops.STOPPED, _said(stop))
        called = row.fund.institution if at_fund else institution
        if called in self.unreachable:
            message = f"{called.title()} does not answer. Nothing new is sent there until it does; Bridge keeps trying."
            return self._barrier(circuits.UNREACHABLE, message, until=self.unreachable[called])
        if self.room is None:
            return None
        if row.currency in self.room.short:
            message = (
                f"The firm's own money does not cover its open advances in {row.currency}. Fund it, then this goes on."
            )
            return self._barrier(UNCOVERED, message)
        full = self.room.refusal(institution, row.currency, row.amount)
        return self._barrier(FULL, full) if full else None

    def begun(self, row: Transfer, *, institution: str) -> None:
        """It did begin: there is so much less room."""
        if self.room is not None:
            self.room.take(institution, row.currency, row.amount)

    def close(self) -> None:
        """At the end: tell operations what has come near a limit."""
        if self.room is not None and self.room.limits:
            self.room.note()

    def _concerns(self, stop: Stop, row: Transfer, institution: str) -> bool:
        if self.kind == InstructionKind.DEPOSIT and not stop.deposits:
            return False
        match stop.scope:
            case Stop.Scope.ALL:
                return True
            case Stop.Scope.INSTITUTION:
                return stop.institution in (institution, row.fund.institution)
            case Stop.Scope.FUND:
                return stop.fund_id == row.fund_id
            case _:
                return stop.investor_id == row.investor_id

    def _barrier(self, code: str, message: str, *, until: datetime | None = None) -> Barrier:
        again = self.at + timedelta(seconds=LOOKS_AGAIN)
        return Barrier(code, message, min(max(until, self.at + timedelta(seconds=1)), again) if until else again)


def closed() -> bool:
    """Whether anything is stopped or unreachable: asked without locks, before anybody is asked for a balance."""
    return (
        Stop.objects.filter(lifted_at__isnull=True).exists() or Circuit.objects.filter(opened_at__isnull=False).exists()
    )


def _said(stop: Stop) -> str:
    who = stop.set_by_name or stop.set_by
    text = f"Stopped for {stops.subject_of(stop)} by {who} since {stop.set_at:%Y-%m-%d %H:%M} UTC: {stop.why}"
    return f"{text.rstrip('. ')[:340]}. It goes on by itself when the stop is lifted."
