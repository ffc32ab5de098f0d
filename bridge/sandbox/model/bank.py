"""The bank's counter: every call from outside comes in here, with the time of day as an argument.

Each call first lets everything happen that fell due before `now`, so the books never depend on how often a
background thread looks. The bank is not thread-safe: its wrapper holds one lock around every call.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any

from bridge.sandbox.model.accepting import accept
from bridge.sandbox.model.aftermath import Aftermath
from bridge.sandbox.model.books import Books
from bridge.sandbox.model.calendar import zone
from bridge.sandbox.model.delivery import ERROR, SILENCE, Delivery, Problem
from bridge.sandbox.model.faults import Call, Fault, FaultRule, Target
from bridge.sandbox.model.notices import Notices
from bridge.sandbox.model.printing import printed
from bridge.sandbox.model.records import ActivityLine, Arrival, Instruction, StatementLine, Status, Terms
from bridge.sandbox.model.sequels import target_of
from bridge.sandbox.model.views import instruction_view, moment

SLOW_SECONDS = 1.0
LATE_EFFECT_SECONDS = 5.0
NOT_FOUND = Delivery(problem=Problem(404, "not_found", "There is no instruction under this key."))


class Bank:
    """Plays every institution of its settings, and the settlement account."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.notices = Notices(books)
        self._aftermath = Aftermath(books, self.notices)
        self._latest = datetime.min.replace(tzinfo=UTC)

    # -- institutions ------------------------------------------------------------------------------------------------

    def submit(self, *, institution: str, terms: Terms, now: datetime) -> Delivery:
        """Take an order. The same key with the same terms gets the first answer again and never acts twice; with
        other terms it is refused. A refused order (422) is an answer too, and is kept under its key."""
        now = self.run_due(now)
        target = Target(institution, terms.account_number, terms.kind, terms.key, terms.reference)
        if lost := self._lost(Call.SUBMIT, target):
            return lost
        if rule := self._take(Fault.TIMEOUT_LATE, Call.SUBMIT, target):
            at = now + timedelta(seconds=rule.seconds or LATE_EFFECT_SECONDS)
            arrival = Arrival(self.books.next_id(), institution, terms, at)
            self.books.arrivals[arrival.id] = arrival
            self.books.touch(arrival)
            self.books.schedule(at, "arrive", arrival.id)
            return SILENCE
        instruction, fresh = self._act(institution, terms, target, now)
        if instruction.terms != terms:
            return Delivery(problem=Problem(422, "key_reused", "This key was used with another body."))
        silent = self._take(Fault.TIMEOUT_AFTER, Call.SUBMIT, target)
        failed = None if silent else self._take(Fault.ERROR_AFTER, Call.SUBMIT, target)
        told = not (silent or failed)
        final = instruction.status is not Status.ACKNOWLEDGED
        if fresh and final and (not told or self.books.settings.callback_on_reply):
            self.notices.announce(instruction, now)
        if not told:
            return SILENCE if silent else ERROR
        twice = self._take(Fault.DUPLICATE_RESPONSE, Call.SUBMIT, target)
        return Delivery(
            body=instruction.first_answer,
            seconds=self._slowness(Call.SUBMIT, target),
            copies=2 if twice else 1,
            replayed=not fresh,
        )

    def find(self, *, institution: str, key: str, now: datetime) -> Delivery:
        """The instruction under a key as it is now, or a 404: also when the key has been forgotten."""
        now = self.run_due(now)
        instruction = self._known(institution, key, now)
        target = target_of(instruction) if instruction else Target(institution, key=key)
        if lost := self._lost(Call.QUERY, target):
            return lost
        if instruction is None:
            return NOT_FOUND
        body = instruction_view(instruction)
        if rule := self._take(Fault.STALE_QUERY, Call.QUERY, target):
            if rule.not_found:
                return NOT_FOUND
            body = instruction.first_answer
        return Delivery(body=body, seconds=self._slowness(Call.QUERY, target))

    def balance(self, *, institution: str, number: str, now: datetime) -> Delivery:
        now = self.run_due(now)
        target = Target(institution, number)
        if lost := self._lost(Call.BALANCE, target):
            return lost
        account = self.books.accounts.get((institution, number))
        if account is None:
            return Delivery(problem=Problem(404, "no_account", "There is no such account at this institution."))
        body = {
            "current": account.current,
            "available": account.available,
            "currency": account.currency,
            "at": moment(now),
        }
        return Delivery(body=body, seconds=self._slowness(Call.BALANCE, target))

    def activity(
        self, *, institution: str, since: datetime, after: int, limit: int, now: datetime
    ) -> tuple[Delivery, list[ActivityLine]]:
        """Lines from `since` on with an id above `after`, oldest first, at most `limit`."""
        self.run_due(now)
        target = Target(institution)
        if lost := self._lost(Call.ACTIVITY, target):
            return lost, []
        lines = self.books.activity.get(institution, [])
        start = max(bisect_left(lines, since, key=lambda x: x.at), bisect_right(lines, after, key=lambda x: x.id))
        return Delivery(seconds=self._slowness(Call.ACTIVITY, target)), lines[start : start + limit]

    def record(self, *, institution: str, after: int, limit: int, now: datetime) -> list[Instruction]:
        """Every instruction that the institution ever took, oldest first, with an id above `after`; also those whose
        key it has forgotten. What a proof compares with ours, per key and in both directions; no fault strikes it."""
        self.run_due(now)
        mine = (row for row in self.books.instructions.values() if row.institution == institution and row.id > after)
        return list(islice(mine, limit))

    # -- the settlement account --------------------------------------------------------------------------------------

    def statement(self, *, currency: str, day: date, now: datetime) -> tuple[Delivery, list[StatementLine], int, int]:
        """The lines of one day of the bank's time zone, with opening and closing balance.

        `Delivery.body["date"]` is the day of the statement that came, `Delivery.keep` the part of its text that did.
        """
        self.run_due(now)
        target = Target("settlement")
        if lost := self._lost(Call.STATEMENT, target):
            return lost, [], 0, 0
        if rule := self._take(Fault.REPEATED_STATEMENT, Call.STATEMENT, target):
            day -= timedelta(days=int(rule.days) or 1)
        where = zone(self.books.settings.timezone)
        chosen, opening, closing = printed(self.books, currency=currency, day=day, where=where)
        if rule := self._take(Fault.PARTIAL_STATEMENT, Call.STATEMENT, target):
            chosen = chosen[: int(len(chosen) * rule.keep)]
        cut = self._take(Fault.TRUNCATED_STATEMENT, Call.STATEMENT, target)
        slow = self._slowness(Call.STATEMENT, target)
        answer = Delivery(body={"date": day.isoformat()}, seconds=slow, keep=cut.keep if cut else 1.0)
        return answer, chosen, opening, closing

    # -- time --------------------------------------------------------------------------------------------------------

    def run_due(self, now: datetime) -> datetime:
        """Let happen what fell due; each at its own time. Returns the time that counts: it never goes back."""
        now = self._latest = max(now, self._latest)
        happen: dict[str, Callable[[int, datetime], None]] = {
            "settle": self._aftermath.settle_due,
            "return": self._aftermath.return_due,
            "follow_up": self._aftermath.follow_up,
            "arrive": self._arrive,
        }
        for at, what, record_id in self.books.pop_due(now):
            happen[what](record_id, at)
        return now

    def _arrive(self, arrival_id: int, at: datetime) -> None:
        arrival = self.books.arrivals.pop(arrival_id)
        self.books.forget(arrival)
        terms = arrival.terms
        target = Target(arrival.institution, terms.account_number, terms.kind, terms.key, terms.reference)
        instruction, fresh = self._act(arrival.institution, terms, target, at)
        if fresh and instruction.status is not Status.ACKNOWLEDGED:
            self.notices.announce(instruction, at)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _act(self, institution: str, terms: Terms, target: Target, now: datetime) -> tuple[Instruction, bool]:
        known = self._known(institution, terms.key, now)
        if known is not None:
            return known, False
        return accept(self.books, institution=institution, terms=terms, target=target, now=now), True

    def _known(self, institution: str, key: str, now: datetime) -> Instruction | None:
        instruction = self.books.keys.get((institution, key))
        if instruction is not None and instruction.key_expires_at <= now:
            instruction.forgotten = True
            self.books.touch(instruction)
            del self.books.keys[institution, key]
            return None
        return instruction

    def _take(self, fault: Fault, call: Call, target: Target) -> FaultRule | None:
        rule = self.books.faults.take(fault, call, target)
        if rule is not None:
            self.books.touch(rule)
        return rule

    def _lost(self, call: Call, target: Target) -> Delivery | None:
        if self._take(Fault.TIMEOUT_BEFORE, call, target):
            return SILENCE
        if self._take(Fault.ERROR_BEFORE, call, target):
            return ERROR
        return None

    def _slowness(self, call: Call, target: Target) -> float:
        rule = self._take(Fault.SLOW, call, target)
        return (rule.seconds or SLOW_SECONDS) if rule else 0.0

    # -- by hand -----------------------------------------------------------------------------------------------------

    def force(self, instruction: Instruction, *, verb: str, given: dict[str, Any], now: datetime) -> Problem | None:
        """`settle`, `reject` or `return` one instruction now, whatever was planned for it."""
        return self._aftermath.force(instruction, verb=verb, given=given, now=self.run_due(now))
