"""Callbacks: queued with the change they tell of, and lost, doubled, delayed or swapped where a fault says so."""

from __future__ import annotations

import heapq
from datetime import datetime, timedelta

from bridge.sandbox.model.books import Books
from bridge.sandbox.model.faults import Call, Fault
from bridge.sandbox.model.records import Callback, Instruction
from bridge.sandbox.model.sequels import target_of
from bridge.sandbox.model.views import instruction_view, moment

LATE_SECONDS = 60.0
OUT_OF_ORDER_SECONDS = 10.0


class Notices:
    """The queue of callbacks of one bank."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._waiting_for_the_next: dict[str, Callback] = {}
        self._queued: list[tuple[datetime, int]] = []
        for notice in books.callbacks.values():
            heapq.heappush(self._queued, (notice.due_at, notice.seq))

    def announce(self, instruction: Instruction, at: datetime) -> None:
        """Queue a callback with the instruction as it is now."""
        plan = self._books.faults
        target = target_of(instruction)
        if rule := plan.take(Fault.LOST_CALLBACK, Call.CALLBACK, target):
            self._books.touch(rule)
            return
        notice = self._queue(instruction, at)
        if rule := plan.take(Fault.DUPLICATED_CALLBACK, Call.CALLBACK, target):
            self._books.touch(rule)
            self._copy(notice)
        self._let_pass(notice)
        if rule := plan.take(Fault.LATE_CALLBACK, Call.CALLBACK, target):
            self._books.touch(rule)
            self._add(notice, at + timedelta(seconds=rule.seconds or LATE_SECONDS))
        elif rule := plan.take(Fault.OUT_OF_ORDER_CALLBACK, Call.CALLBACK, target):
            self._books.touch(rule)
            self._add(notice, at + timedelta(seconds=rule.seconds or OUT_OF_ORDER_SECONDS))
            self._waiting_for_the_next[instruction.institution] = notice

    def take_due(self, now: datetime, limit: int = 1000) -> list[Callback]:
        """What is to be sent, in order, each given out once. It stays in the books until `sent` is told of it, so a
        sender that dies loses nothing: the next one starts with all of them."""
        taken: list[Callback] = []
        while self._queued and self._queued[0][0] <= now and len(taken) < limit:
            due_at, seq = heapq.heappop(self._queued)
            notice = self._books.callbacks.get(seq)
            if notice is not None and notice.due_at == due_at:
                taken.append(notice)
        return taken

    def waits(self, notice: Callback) -> bool:
        """Is it still to be sent? No longer so after a reset of the bank."""
        kept = self._books.callbacks.get(notice.seq)
        return kept is not None and kept.id == notice.id

    def sent(self, notice: Callback) -> None:
        if self.waits(notice):
            self._books.forget(self._books.callbacks.pop(notice.seq))

    def _queue(self, instruction: Instruction, at: datetime) -> Callback:
        seq = self._books.next_id()
        notice = Callback(
            seq=seq,
            id=f"msg_{self._books.meta.epoch}_{seq}",
            institution=instruction.institution,
            due_at=at,
            payload={
                "type": f"instruction.{instruction.status.value}",
                "timestamp": moment(at),
                "data": instruction_view(instruction),
            },
        )
        self._add(notice, at)
        return notice

    def _copy(self, notice: Callback) -> None:
        """The same message once more, with the same id: what at-least-once delivery looks like to its receiver."""
        seq = self._books.next_id()
        self._add(Callback(seq, notice.id, notice.institution, notice.due_at, notice.payload), notice.due_at)

    def _let_pass(self, newer: Callback) -> None:
        """The one that waited for a newer one goes out right behind it."""
        older = self._waiting_for_the_next.pop(newer.institution, None)
        if older is None or older.seq not in self._books.callbacks:
            return
        self._books.callbacks.pop(older.seq)
        self._books.forget(older)
        again = Callback(self._books.next_id(), older.id, older.institution, newer.due_at, older.payload)
        self._add(again, newer.due_at)

    def _add(self, notice: Callback, due_at: datetime) -> None:
        notice.due_at = due_at
        self._books.callbacks[notice.seq] = notice
        self._books.touch(notice)
        heapq.heappush(self._queued, (due_at, notice.seq))
